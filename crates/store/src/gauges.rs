//! How much of everything there is and how long the oldest of it waits: what the metrics show of
//! the rows.
//!
//! What always holds: each query walks a partial index of what is open, so it costs what is open
//! and not what ever was; nothing is kept for them and nothing written.

use chrono::{DateTime, Utc};
use model::job::JobKind;
use model::reconcile::Part;
use model::stage::{StageKind, StageState};
use sqlx::PgConnection;

use crate::error::Result;

/// All of it, read at about one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gauges {
    pub jobs: Vec<Jobs>,
    pub builds: Builds,
    pub deliveries: Waiting,
    pub outbox: Waiting,
    /// Of the outbox: tried at least once, without success.
    pub troubled: i64,
    pub workers: Vec<Load>,
    pub reconcile: Vec<Looks>,
    pub stages: Vec<Stages>,
    pub orphans: i64,
    pub connections: i64,
}

/// The jobs of one kind that wait for a worker, or have one.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Jobs {
    pub kind: JobKind,
    pub queued: i64,
    pub running: i64,
    /// Since when the one that waits longest could run.
    pub oldest_at: Option<DateTime<Utc>>,
}

/// Builds that are not through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Builds {
    pub running: i64,
    /// For a person's answer, or for the end of a freeze.
    pub waiting: i64,
}

/// Things that are to be done, and since when the oldest of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    pub count: i64,
    pub oldest_at: Option<DateTime<Utc>>,
}

/// What a worker takes and has, and when it was last heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Load {
    pub slots: i32,
    pub busy: i64,
    pub seen_at: DateTime<Utc>,
}

/// How one part of reconciling fares, over all apps of which it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Looks {
    pub part: Part,
    /// When the last look that went well began, of the app where that is longest ago.
    pub succeeded_at: Option<DateTime<Utc>>,
    /// In how many apps the last look failed.
    pub failed: i64,
}

/// Open stages of one kind in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Stages {
    pub kind: StageKind,
    pub state: StageState,
    pub count: i64,
}

pub async fn read(conn: &mut PgConnection) -> Result<Gauges> {
    let (count, oldest_at): (i64, Option<DateTime<Utc>>) =
        sqlx::query_as("select count(*), min(received_at) from delivery where state = 'received'")
            .fetch_one(&mut *conn)
            .await?;
    let deliveries = Waiting { count, oldest_at };
    let (count, oldest_at, troubled): (i64, Option<DateTime<Utc>>, i64) = sqlx::query_as(
        "select count(*), min(updated_at), count(*) filter (where attempts > 0)
         from outbox where sent_version < wanted_version and rejected_at is null",
    )
    .fetch_one(&mut *conn)
    .await?;
    let outbox = Waiting { count, oldest_at };
    let orphans = sqlx::query_scalar("select count(*) from orphan where gone_at is null")
        .fetch_one(&mut *conn)
        .await?;
    let connections = sqlx::query_scalar(
        "select count(*) from pg_stat_activity
         where backend_type = 'client backend' and datname = current_database()",
    )
    .fetch_one(&mut *conn)
    .await?;
    Ok(Gauges {
        jobs: jobs(conn).await?,
        builds: builds(conn).await?,
        deliveries,
        outbox,
        troubled,
        workers: workers(conn).await?,
        reconcile: looks(conn).await?,
        stages: stages(conn).await?,
        orphans,
        connections,
    })
}

/// Only kinds of which there is a job. Two walks, for two partial indexes.
async fn jobs(conn: &mut PgConnection) -> Result<Vec<Jobs>> {
    Ok(sqlx::query_as(
        "select kind, sum(queued)::bigint as queued, sum(running)::bigint as running,
             min(oldest_at) as oldest_at
         from (
             select kind, count(*) as queued, 0 as running, min(queued_at) as oldest_at
             from job where state = 'queued' group by kind
             union all
             select kind, 0, count(*), null from job where state = 'running' group by kind) as open
         group by kind order by kind",
    )
    .fetch_all(conn)
    .await?)
}

async fn builds(conn: &mut PgConnection) -> Result<Builds> {
    Ok(sqlx::query_as(
        "select count(*) filter (where state = 'running') as running,
             count(*) filter (where state = 'waiting') as waiting
         from build where state <> 'finished'",
    )
    .fetch_one(conn)
    .await?)
}

async fn workers(conn: &mut PgConnection) -> Result<Vec<Load>> {
    Ok(sqlx::query_as(
        "select w.slots, w.seen_at, coalesce(r.busy, 0) as busy
         from worker w left join (
             select worker_id, count(*) as busy from job where state = 'running'
             group by worker_id) as r on r.worker_id = w.id",
    )
    .fetch_all(conn)
    .await?)
}

/// A part that never succeeded counts from when its app came, or from its last look.
async fn looks(conn: &mut PgConnection) -> Result<Vec<Looks>> {
    Ok(sqlx::query_as(
        "select r.part, min(coalesce(r.succeeded_at, a.created_at, r.looked_at)) as succeeded_at,
             count(*) filter (where r.failed_at > coalesce(r.succeeded_at, '-infinity')) as failed
         from reconcile r left join app a on a.id = r.app_id
         where not r.off group by r.part",
    )
    .fetch_all(conn)
    .await?)
}

async fn stages(conn: &mut PgConnection) -> Result<Vec<Stages>> {
    Ok(sqlx::query_as(
        "select kind, state, count(*) as count from stage where state <> 'closed'
         group by kind, state order by kind, state",
    )
    .fetch_all(conn)
    .await?)
}
