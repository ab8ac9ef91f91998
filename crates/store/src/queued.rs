//! What stands before queued jobs: for the page of one build and for a page of many alike.
//!
//! What always holds: one query for all of them; jobs before a queued one are counted no further
//! than [`FAR`], so the page costs the same however long the queue is.

use model::{AppId, BuildId, JobId};
use sqlx::PgConnection;

use crate::error::Result;

/// Jobs before a queued one are not counted further than this: it is far enough away.
pub const FAR: i64 = 1000;

/// Where a queued job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Queued {
    pub build: BuildId,
    pub job: JobId,
    /// Queued jobs that are older, up to [`FAR`]: a claim takes the oldest that it may have.
    pub older: i64,
    /// The build whose change of the same instance has to end first.
    pub behind: Option<i64>,
}

/// Where each queued job of these builds stands, a build's oldest first.
pub async fn of_builds(conn: &mut PgConnection, builds: &[BuildId]) -> Result<Vec<Queued>> {
    Ok(sqlx::query_as(
        "select j.build_id as build, j.id as job, (
             select count(*) from (
                 select from job o where o.state = 'queued' and o.id < j.id limit $2) as before)
                 as older,
             (select b.number from job o join build b on b.id = o.build_id
                 where o.instance_id = j.instance_id and o.state <> 'finished'
                     and o.kind in ('deploy', 'remove', 'rollback', 'recover') and o.id <> j.id
                     and (o.state = 'running' or o.build_id < j.build_id
                         and o.state <> 'waiting' and b.state <> 'waiting')
                 order by o.build_id limit 1) as behind
         from job j where j.build_id = any($1) and j.state = 'queued' order by j.build_id, j.id",
    )
    .bind(builds)
    .bind(FAR)
    .fetch_all(conn)
    .await?)
}

/// How many jobs of an app run now.
pub async fn running_of(conn: &mut PgConnection, app: AppId) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "select count(*) from job j join build b on b.id = j.build_id
         where j.state = 'running' and b.app_id = $1",
    )
    .bind(app)
    .fetch_one(conn)
    .await?)
}
