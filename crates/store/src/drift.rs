//! Table `drift`: what the last look at an instance's stacks found.
//!
//! What always holds: a row is of the newest look; a deploy of ours that succeeds takes it away,
//! for what it says is about what was there before.

use chrono::{DateTime, Utc};
use model::drift::StackDrift;
use model::{InstanceId, StageId};
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::error::Result;

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Drift {
    pub instance_id: InstanceId,
    pub looked_at: DateTime<Utc>,
    /// The build whose job looked.
    pub build_number: i64,
    #[sqlx(json)]
    pub stacks: Vec<StackDrift>,
}

/// Keeps what was found, unless a newer look is there.
pub async fn put(conn: &mut PgConnection, drift: &Drift) -> Result<()> {
    sqlx::query(
        "insert into drift (instance_id, looked_at, build_number, stacks)
         values ($1, $2, $3, $4)
         on conflict (instance_id) do update set looked_at = excluded.looked_at,
             build_number = excluded.build_number, stacks = excluded.stacks
         where drift.looked_at <= excluded.looked_at",
    )
    .bind(drift.instance_id)
    .bind(drift.looked_at)
    .bind(drift.build_number)
    .bind(Json(&drift.stacks))
    .execute(conn)
    .await?;
    Ok(())
}

/// The instance is another one now: nobody has looked at it yet.
pub async fn clear(conn: &mut PgConnection, instance: InstanceId) -> Result<()> {
    sqlx::query("delete from drift where instance_id = $1").bind(instance).execute(conn).await?;
    Ok(())
}

/// What was found in a stage, of each instance that was looked at.
pub async fn of_stage(conn: &mut PgConnection, stage: StageId) -> Result<Vec<Drift>> {
    Ok(sqlx::query_as(
        "select d.instance_id, d.looked_at, d.build_number, d.stacks
         from drift d join instance i on i.id = d.instance_id
         where i.stage_id = $1 order by i.service, i.region",
    )
    .bind(stage)
    .fetch_all(conn)
    .await?)
}
