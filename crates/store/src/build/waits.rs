//! What unfinished builds wait for, for a page of them.
//!
//! What always holds: one query for all of them; jobs before a queued one are counted no further
//! than [`FAR`], so the page costs the same however long the queue is.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::BuildId;
use sqlx::PgConnection;

use crate::error::Result;
use crate::progress::FAR;

/// Why a build does nothing right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// For somebody's approval.
    Approval,
    /// Its stage is frozen.
    Freeze,
    /// An older build, of this number, is still to change the same stage.
    Behind(i64),
    /// No worker has been heard of lately.
    NoWorker,
    /// So many queued jobs are older than its first one; [`FAR`] means that many or more.
    Queued(i64),
}

#[derive(sqlx::FromRow)]
struct Row {
    id: BuildId,
    waiting: bool,
    asked: bool,
    running: bool,
    behind: Option<i64>,
    before: Option<i64>,
}

/// Those of the builds that wait. `alive_since`: a worker that was not heard of since is gone.
pub async fn waits(
    conn: &mut PgConnection,
    builds: &[BuildId],
    alive_since: DateTime<Utc>,
) -> Result<BTreeMap<BuildId, Wait>> {
    let alive: bool = sqlx::query_scalar("select exists(select from worker where seen_at >= $1)")
        .bind(alive_since)
        .fetch_one(&mut *conn)
        .await?;
    let rows: Vec<Row> = sqlx::query_as(
        "select b.id, b.state = 'waiting' as waiting,
             exists(select from approval a where a.build_id = b.id and a.state = 'waiting'
                 and a.expires_at is not null) as asked,
             exists(select from job j where j.build_id = b.id and j.state = 'running') as running,
             (select min(o_build.number)
                 from job j
                 join job o on o.instance_id = j.instance_id and o.build_id < j.build_id
                     and o.state <> 'finished' and o.state <> 'waiting'
                     and o.kind in ('deploy', 'remove', 'rollback', 'recover')
                 join build o_build on o_build.id = o.build_id and o_build.state <> 'waiting'
                 where j.build_id = b.id and j.state = 'queued'
                     and j.kind in ('deploy', 'remove', 'rollback', 'recover')) as behind,
             (select count(*) from (
                 select from job o
                 where o.state = 'queued' and o.id < (
                     select j.id from job j
                     where j.build_id = b.id and j.state = 'queued'
                     -- there is no min of uuids
                     order by j.id limit 1)
                 limit $2) as older) as before
         from build b
         where b.id = any($1) and b.state <> 'finished'
             and (b.state = 'waiting' or exists(
                 select from job j where j.build_id = b.id and j.state = 'queued'))",
    )
    .bind(builds)
    .bind(FAR)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.id, wait(&row, alive)?))).collect())
}

fn wait(row: &Row, alive: bool) -> Option<Wait> {
    match row {
        Row { running: true, .. } => None,
        Row { waiting: true, asked: true, .. } => Some(Wait::Approval),
        Row { waiting: true, asked: false, .. } => Some(Wait::Freeze),
        Row { behind: Some(number), .. } => Some(Wait::Behind(*number)),
        Row { .. } if !alive => Some(Wait::NoWorker),
        Row { before, .. } => Some(Wait::Queued(before.unwrap_or_default())),
    }
}
