//! Wanting something of GitHub: one statement for all that a build wants at once.
//!
//! What always holds: what is wanted already is not written, not even locked; of most looks at a
//! build nothing is left to write.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use model::RepositoryName;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::Wish;
use crate::error::Result;

/// What a build wants GitHub to show.
#[derive(Debug, Clone)]
pub struct Want<'a> {
    pub repository: &'a RepositoryName,
    /// The build's number. Of two builds that want something of one thing the newer has the last
    /// word, whichever settles last.
    pub build: i64,
    /// Each of another thing.
    pub wishes: &'a [Wish],
    pub urgency: Urgency,
}

/// When a wish is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    Now,
    /// A step on the way: it may wait for the next one and be sent with it. GitHub limits how often
    /// content is written.
    Soon,
}

/// How long a step on the way waits for the next.
const SOON: TimeDelta = TimeDelta::seconds(3);

/// Wants things shown. Answers whether any of it is news; what is wanted already, or by a newer
/// build than this one, is left alone. A row that waits to be retried keeps waiting, for GitHub
/// asked for it; one that was given up is tried anew. Of two wishes about one thing the last
/// counts.
pub async fn want(
    conn: &mut PgConnection,
    ids_if_new: &(dyn Fn() -> Uuid + Send + Sync),
    want: &Want<'_>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let wishes: BTreeMap<_, &Wish> = want
        .wishes
        .iter()
        .map(|wish| ((wish.kind(), wish.subject(), wish.place()), wish))
        .collect();
    if wishes.is_empty() {
        return Ok(false);
    }
    let soon = match want.urgency {
        Urgency::Now => now,
        Urgency::Soon => now + SOON,
    };
    // the key of the row is whole, so the subquery finds one row at most, through its index
    let done = sqlx::query(
        "insert into outbox (id, repository, kind, subject, place, build_number, wanted,
             next_attempt_at, updated_at)
         select id, $1, kind, subject, place, $2, wanted, $3, $3
         from unnest($5::uuid[], $6::text[], $7::text[], $8::text[], $9::jsonb[])
             as new (id, kind, subject, place, wanted)
         where (
             select known.wanted = new.wanted or known.build_number > $2 from outbox known
             where known.repository = $1 and known.kind = new.kind
                 and known.subject = new.subject and known.place = new.place) is not true
         on conflict on constraint outbox_place_key do update set
             build_number = excluded.build_number,
             wanted = excluded.wanted,
             wanted_version = outbox.wanted_version + 1,
             next_attempt_at = case
                 when outbox.rejected_at is not null then $4
                 when outbox.attempts > 0 then greatest(outbox.next_attempt_at, $4)
                 when outbox.sent_version < outbox.wanted_version
                     then least(outbox.next_attempt_at, $4)
                 else $4 end,
             attempts = case when outbox.rejected_at is null then outbox.attempts else 0 end,
             rejected_at = null,
             updated_at = excluded.updated_at
         where outbox.wanted <> excluded.wanted
             and outbox.build_number <= excluded.build_number
             and not (outbox.kind = 'deployment' and outbox.wanted ->> 'state' = 'inactive')",
    )
    .bind(want.repository)
    .bind(want.build)
    .bind(now)
    .bind(soon)
    .bind(wishes.keys().map(|_| ids_if_new()).collect::<Vec<_>>())
    .bind(wishes.keys().map(|(kind, _, _)| *kind).collect::<Vec<_>>())
    .bind(wishes.keys().map(|(_, subject, _)| subject.as_str()).collect::<Vec<_>>())
    .bind(wishes.keys().map(|(_, _, place)| *place).collect::<Vec<_>>())
    .bind(wishes.values().map(Json).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
