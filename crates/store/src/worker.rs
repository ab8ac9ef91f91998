//! Table `worker`: processes that run jobs, by name.
//!
//! What always holds: a name is one row. A worker locks its directory, so a new incarnation of a
//! name means that the old process is gone: the caller gives back its jobs
//! ([`crate::job::release`]) in the same transaction.

use chrono::{DateTime, TimeDelta, Utc};
use model::WorkerId;
use model::worker_api::Register;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::error::{Result, met};

/// One that was not heard of for this long is away.
pub const SILENT: TimeDelta = TimeDelta::minutes(2);

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct WorkerRow {
    pub id: WorkerId,
    pub name: String,
    pub incarnation: Uuid,
    pub slots: i32,
    pub version: String,
    pub executor: String,
    pub registered_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    /// Answered by [`register`]: another incarnation was here before.
    #[sqlx(default)]
    pub replaced: bool,
}

pub async fn register(
    conn: &mut PgConnection,
    id_if_new: WorkerId,
    register: &Register,
    now: DateTime<Utc>,
) -> Result<WorkerRow> {
    let mut tx = conn.begin().await?;
    let before: Option<Uuid> =
        sqlx::query_scalar("select incarnation from worker where name = $1 for no key update")
            .bind(&register.name)
            .fetch_optional(&mut *tx)
            .await?;
    let row: WorkerRow = sqlx::query_as(
        "insert into worker (id, name, incarnation, slots, version, executor, registered_at, seen_at)
         values ($1, $2, $3, $4, $5, $6, $7, $7)
         on conflict (name) do update set incarnation = excluded.incarnation,
             slots = excluded.slots, version = excluded.version, executor = excluded.executor,
             registered_at = excluded.registered_at, seen_at = excluded.seen_at
         returning *",
    )
    .bind(id_if_new)
    .bind(&register.name)
    .bind(register.incarnation)
    .bind(i32::from(register.slots))
    .bind(&register.version)
    .bind(&register.executor)
    .bind(now)
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(WorkerRow { replaced: before.is_some_and(|before| before != register.incarnation), ..row })
}

pub async fn find(conn: &mut PgConnection, id: WorkerId) -> Result<Option<WorkerRow>> {
    Ok(sqlx::query_as("select * from worker where id = $1").bind(id).fetch_optional(conn).await?)
}

pub async fn seen(conn: &mut PgConnection, id: WorkerId, now: DateTime<Utc>) -> Result<()> {
    let done = sqlx::query("update worker set seen_at = $2 where id = $1")
        .bind(id)
        .bind(now)
        .execute(conn)
        .await?;
    met(&done, || format!("worker {id}"))
}

pub async fn list(conn: &mut PgConnection) -> Result<Vec<WorkerRow>> {
    Ok(sqlx::query_as("select * from worker order by name").fetch_all(conn).await?)
}
