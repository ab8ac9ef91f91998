//! How long a stage has failed: the run of failures right before a build.

use model::StageId;
use sqlx::PgConnection;

use crate::error::Result;

/// The first of the deploys of a stage that failed one after the other, with no success between
/// them and this build; `None`: the one before it succeeded, or there was none. What was canceled or
/// had nothing to do says nothing either way.
pub async fn failing_since(
    conn: &mut PgConnection,
    stage: StageId,
    before: i64,
) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar(
        "select min(number) from build
         where stage_id = $1 and number < $2 and purpose in ('deploy', 'rollback')
             and outcome = 'failed'
             and number > coalesce((
                 select number from build
                 where stage_id = $1 and number < $2 and purpose in ('deploy', 'rollback')
                     and outcome = 'succeeded'
                 order by number desc limit 1), 0)",
    )
    .bind(stage)
    .bind(before)
    .fetch_one(conn)
    .await?)
}
