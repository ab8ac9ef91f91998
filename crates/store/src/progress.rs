//! Table `job_progress`: how far running jobs say they are.
//!
//! What always holds: only the attempt that holds the job writes, and what a page shows is of the
//! job's latest attempt.
//!
//! After a crash the last word stays until the next attempt has one of its own.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::worker_api::Progress;
use model::{BuildId, JobId};
use sqlx::PgConnection;

use crate::error::{Error, Result};

/// Keeps what the attempt says. Answers the job's build. Stale if the attempt does not hold the
/// job.
pub async fn report(
    conn: &mut PgConnection,
    job: JobId,
    attempt: i32,
    progress: &Progress,
    now: DateTime<Utc>,
) -> Result<BuildId> {
    let done = progress.done.min(progress.total);
    sqlx::query_scalar(
        "with held as (
             select id, build_id from job where id = $1 and attempt = $2 and state = 'running'),
         written as (
             insert into job_progress (job_id, attempt, done, total, doing, at)
             select id, $2, $3, $4, $5, $6 from held
             on conflict (job_id) do update set attempt = excluded.attempt, done = excluded.done,
                 total = excluded.total, doing = excluded.doing, at = excluded.at
             -- a call that was late does not take back what a later attempt said
             where job_progress.attempt <= excluded.attempt)
         select build_id from held",
    )
    .bind(job)
    .bind(attempt)
    .bind(i32::try_from(done).unwrap_or(i32::MAX))
    .bind(i32::try_from(progress.total).unwrap_or(i32::MAX))
    .bind(&progress.doing)
    .bind(now)
    .fetch_optional(conn)
    .await?
    .ok_or(Error::Stale { attempt })
}

/// What the jobs of a build said last, each in its latest attempt.
pub async fn of_build(
    conn: &mut PgConnection,
    build: BuildId,
) -> Result<BTreeMap<JobId, Progress>> {
    let rows: Vec<(JobId, i32, i32, Option<String>)> = sqlx::query_as(
        "select p.job_id, p.done, p.total, p.doing
         from job j join job_progress p on p.job_id = j.id and p.attempt = j.attempt
         where j.build_id = $1",
    )
    .bind(build)
    .fetch_all(conn)
    .await?;
    let count = |number: i32| u32::try_from(number).unwrap_or_default();
    Ok(rows
        .into_iter()
        .map(|(job, done, total, doing)| {
            (job, Progress { done: count(done), total: count(total), doing })
        })
        .collect())
}
