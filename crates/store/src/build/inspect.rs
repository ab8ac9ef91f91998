//! Builds that only look: when a stage was looked at last, and how many of them are kept.

use chrono::{DateTime, Utc};
use model::{AppId, StageId};
use sqlx::PgConnection;

use crate::error::Result;
use crate::stage::Stage;

/// A stage with stacks, and when it was last looked at by a build of its own.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Inspected {
    #[sqlx(flatten)]
    pub stage: Stage,
    pub inspected_at: Option<DateTime<Utc>>,
    /// A look goes on.
    pub inspecting: bool,
}

/// The long-lived stages in which something stands.
pub async fn inspected(conn: &mut PgConnection) -> Result<Vec<Inspected>> {
    Ok(sqlx::query_as(
        "select s.*, b.created_at as inspected_at, coalesce(b.state <> 'finished', false)
             as inspecting
         from stage s left join lateral (
             select created_at, state from build
             where app_id = s.app_id and stage_id = s.id and purpose = 'inspect'
             order by number desc limit 1) b on true
         where s.kind = 'long-lived' and s.state = 'active' and exists (
             select 1 from instance i where i.stage_id = s.id and i.commit_sha is not null
                 and cardinality(i.stacks) > 0 and i.state in ('deployed', 'failed'))
         order by b.created_at nulls first, s.id",
    )
    .fetch_all(conn)
    .await?)
}

/// The number of the look at a stage (or at the app's accounts) that goes on.
pub async fn inspecting(
    conn: &mut PgConnection,
    app: AppId,
    stage: Option<StageId>,
) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar(
        "select number from build
         where app_id = $1 and stage_id is not distinct from $2 and purpose = 'inspect'
             and state <> 'finished'
         order by number desc limit 1",
    )
    .bind(app)
    .bind(stage)
    .fetch_optional(conn)
    .await?)
}

/// Deletes finished looks, but for the newest `keep` of each stage and of each app's accounts; at
/// most `limit` at once.
pub async fn forget_inspections(conn: &mut PgConnection, keep: i64, limit: i64) -> Result<u64> {
    let done = sqlx::query(
        "delete from build where id in (
             select id from (
                 select id, state, row_number() over (
                     partition by app_id, stage_id order by number desc) as place
                 from build where purpose = 'inspect') ranked
             where place > $1 and state = 'finished' limit $2)",
    )
    .bind(keep)
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
