//! What the system page and `GET /api/v1/system` tell of the whole server, each in one query.

use chrono::{DateTime, Utc};
use model::{AppName, WorkerId};
use sqlx::PgConnection;

use crate::database::known;
use crate::error::Result;

/// A worker, and how many of its slots are taken.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct WorkerLoad {
    pub id: WorkerId,
    pub name: String,
    pub slots: i32,
    pub busy: i64,
    pub version: String,
    pub executor: String,
    pub registered_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
}

pub async fn workers(conn: &mut PgConnection) -> Result<Vec<WorkerLoad>> {
    Ok(sqlx::query_as(
        "select w.id, w.name, w.slots, w.version, w.executor, w.registered_at, w.seen_at,
             (select count(*) from job j where j.state = 'running' and j.worker_id = w.id) as busy
         from worker w order by w.name",
    )
    .fetch_all(conn)
    .await?)
}

/// The jobs of one app that wait for a slot or have one.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct AppQueue {
    pub app: AppName,
    pub queued: i64,
    pub running: i64,
    /// Since when the one that waits longest could run.
    pub oldest_at: Option<DateTime<Utc>>,
    /// How many of its jobs run at once; `None`: as many as the workers take.
    pub concurrency: Option<i32>,
}

/// Only apps that have such jobs.
pub async fn queues(conn: &mut PgConnection) -> Result<Vec<AppQueue>> {
    Ok(sqlx::query_as(
        "select a.name as app, a.concurrency,
             count(*) filter (where j.state = 'queued') as queued,
             count(*) filter (where j.state = 'running') as running,
             min(j.queued_at) filter (where j.state = 'queued') as oldest_at
         from job j join build b on b.id = j.build_id join app a on a.id = b.app_id
         where j.state in ('queued', 'running')
         group by a.name, a.concurrency order by a.name",
    )
    .fetch_all(conn)
    .await?)
}

/// How webhook deliveries fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Deliveries {
    /// Not acted on yet.
    pub received: i64,
    pub oldest_at: Option<DateTime<Utc>>,
    /// Failed since the given time.
    pub failed: i64,
    pub newest_at: Option<DateTime<Utc>>,
}

pub async fn deliveries(conn: &mut PgConnection, since: DateTime<Utc>) -> Result<Deliveries> {
    Ok(sqlx::query_as(
        "select (select count(*) from delivery where state = 'received') as received,
             (select min(received_at) from delivery where state = 'received') as oldest_at,
             (select count(*) from delivery where state = 'failed' and received_at >= $1) as failed,
             (select received_at from delivery order by seq desc limit 1) as newest_at",
    )
    .bind(since)
    .fetch_one(conn)
    .await?)
}

/// How telling GitHub fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Outbox {
    pub pending: i64,
    /// Of those: tried at least once, without success.
    pub troubled: i64,
    /// Since when the one that is troubled longest is wanted.
    pub troubled_since: Option<DateTime<Utc>>,
    /// Given up since the given time.
    pub rejected: i64,
}

pub async fn outbox(conn: &mut PgConnection, since: DateTime<Utc>) -> Result<Outbox> {
    Ok(sqlx::query_as(
        "select count(*) filter (where rejected_at is null) as pending,
             count(*) filter (where rejected_at is null and attempts > 0) as troubled,
             min(updated_at) filter (where rejected_at is null and attempts > 0) as troubled_since,
             count(*) filter (where rejected_at >= $1) as rejected
         from outbox where sent_version < wanted_version",
    )
    .bind(since)
    .fetch_one(conn)
    .await?)
}

/// What is owed and not refused is tried at once, whatever was waited for; how many.
pub async fn hurry(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<u64> {
    let done = sqlx::query(
        "update outbox set next_attempt_at = $1
         where sent_version < wanted_version and rejected_at is null and next_attempt_at > $1",
    )
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// The database itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseFacts {
    pub version: String,
    pub size_bytes: i64,
    /// The newest migration it has, and the newest that this binary knows.
    pub schema: i64,
    pub known: i64,
    /// Connections that it has now, and how many it takes.
    pub connections: i64,
    pub most_connections: i64,
}

pub async fn database(conn: &mut PgConnection) -> Result<DatabaseFacts> {
    let (version, size_bytes, schema, connections, most): (String, i64, i64, i64, i64) =
        sqlx::query_as(
            "select current_setting('server_version'), pg_database_size(current_database()),
                 (select max(version) from _sqlx_migrations where success),
                 (select count(*) from pg_stat_activity where backend_type = 'client backend'),
                 current_setting('max_connections')::bigint",
        )
        .fetch_one(conn)
        .await?;
    let known = known();
    Ok(DatabaseFacts { version, size_bytes, schema, known, connections, most_connections: most })
}
