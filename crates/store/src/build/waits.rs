//! What unfinished builds wait for, for a page of them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use model::BuildId;
use sqlx::PgConnection;

use crate::error::Result;
use crate::queued::{self, Queued};

/// Why a build does nothing right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// For somebody's approval.
    Approval,
    /// Its stage is frozen.
    Freeze,
    /// No worker has been heard of lately.
    NoWorker,
    /// An older build, of this number, is still to change the same stage.
    Behind(i64),
    /// So many queued jobs are older than its first one; [`queued::FAR`] means that many or more.
    Queued(i64),
}

#[derive(sqlx::FromRow)]
struct Row {
    id: BuildId,
    /// Of those that wait for somebody: whether for an approval.
    asked: Option<bool>,
}

/// Those of the builds that wait. `alive_since`: a worker that was not heard of since is gone.
pub async fn waits(
    conn: &mut PgConnection,
    builds: &[BuildId],
    alive_since: DateTime<Utc>,
) -> Result<BTreeMap<BuildId, Wait>> {
    let idle: Vec<Row> = sqlx::query_as(
        "select b.id, case when b.state = 'waiting' then exists(
             select from approval a where a.build_id = b.id and a.state = 'waiting'
                 and a.expires_at is not null) end as asked
         from build b
         where b.id = any($1) and b.state <> 'finished'
             and not exists(select from job j where j.build_id = b.id and j.state = 'running')",
    )
    .bind(builds)
    .fetch_all(&mut *conn)
    .await?;
    if idle.is_empty() {
        return Ok(BTreeMap::new());
    }
    let alive: bool = sqlx::query_scalar("select exists(select from worker where seen_at >= $1)")
        .bind(alive_since)
        .fetch_one(&mut *conn)
        .await?;
    let due: Vec<BuildId> =
        idle.iter().filter(|row| row.asked.is_none()).map(|row| row.id).collect();
    let queued = queued::of_builds(conn, &due).await?;
    let mut waits: BTreeMap<BuildId, Wait> = idle
        .into_iter()
        .filter_map(|row| Some((row.id, if row.asked? { Wait::Approval } else { Wait::Freeze })))
        .collect();
    for build in queued.iter().map(|one| one.build).collect::<BTreeSet<_>>() {
        let of_build = queued.iter().filter(|one| one.build == build);
        waits.extend(first(of_build, alive).map(|wait| (build, wait)));
    }
    Ok(waits)
}

/// What the job waits for that will begin first: one that comes after nobody, or the oldest.
fn first<'a>(queued: impl Iterator<Item = &'a Queued>, alive: bool) -> Option<Wait> {
    let next = queued.min_by_key(|one| (one.behind.is_some(), one.job))?;
    Some(match next {
        _ if !alive => Wait::NoWorker,
        Queued { behind: Some(number), .. } => Wait::Behind(*number),
        Queued { older, behind: None, .. } => Wait::Queued(*older),
    })
}
