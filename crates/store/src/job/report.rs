//! What the worker that holds a job says of it.
//!
//! What always holds: every statement is fenced by the attempt; whoever no longer holds the job
//! changes nothing and is told so.

use chrono::{DateTime, Utc};
use model::job::{JobState, Outcome};
use model::worker_api::JobResult;
use model::{BuildId, JobId};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::Job;
use crate::error::{Error, Result};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    pub expires_at: DateTime<Utc>,
    /// The worker is to end the job, for this reason.
    pub cancel: Option<String>,
}

/// Renews the lease; it never gets shorter.
pub async fn heartbeat(
    conn: &mut PgConnection,
    id: JobId,
    attempt: i32,
    lease_expires_at: DateTime<Utc>,
) -> Result<Heartbeat> {
    let row: Option<(DateTime<Utc>, Option<String>)> = sqlx::query_as(
        "update job set lease_expires_at = greatest(lease_expires_at, $3)
         where id = $1 and attempt = $2 and state = 'running'
         returning lease_expires_at, case when cancel_requested_at is not null then coalesce(
             (select b.cancel_reason from build b where b.id = build_id), 'canceled') end",
    )
    .bind(id)
    .bind(attempt)
    .bind(lease_expires_at)
    .fetch_optional(conn)
    .await?;
    let (expires_at, cancel) = row.ok_or(Error::Stale { attempt })?;
    Ok(Heartbeat { expires_at, cancel })
}

/// Ends the job. Saying the same once more, because an answer was lost, does no harm. Answers the
/// build, which is marked.
pub async fn finish(
    conn: &mut PgConnection,
    id: JobId,
    attempt: i32,
    outcome: &Outcome,
    result: Option<&JobResult>,
    now: DateTime<Utc>,
) -> Result<BuildId> {
    let failure_kind = match outcome {
        Outcome::Failed(failure) => Some(failure.kind.as_str()),
        Outcome::Succeeded
        | Outcome::Canceled { .. }
        | Outcome::Skipped { .. }
        | Outcome::Unneeded { .. } => None,
    };
    let build: Option<BuildId> = sqlx::query_scalar(
        "with done as (
             update job set state = 'finished', outcome = $3, failure_kind = $4, reason = $5,
                 result = $6, finished_at = $7, worker_id = null, lease_expires_at = null,
                 slot = null, slot_app_id = null
             where id = $1 and attempt = $2 and state = 'running'
             returning build_id)
         insert into build_mark (build_id) select build_id from done returning build_id",
    )
    .bind(id)
    .bind(attempt)
    .bind(outcome.as_str())
    .bind(failure_kind)
    .bind(outcome.reason())
    .bind(result.map(Json))
    .bind(now)
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(build) = build {
        return Ok(build);
    }
    let job = super::get(conn, id).await?;
    match job.state {
        JobState::Finished(known) if job.attempt == attempt && known == *outcome => {
            Ok(job.build_id)
        }
        JobState::Blocked
        | JobState::Waiting
        | JobState::Queued { .. }
        | JobState::Running(_)
        | JobState::Finished(_) => Err(Error::Stale { attempt }),
    }
}

/// The job, if this attempt holds it: what a call on its behalf is authorised by.
pub async fn held(conn: &mut PgConnection, id: JobId, attempt: i32) -> Result<Job> {
    let job = super::get(conn, id).await?;
    match &job.state {
        JobState::Running(lease) if lease.attempt == attempt => Ok(job),
        JobState::Blocked
        | JobState::Waiting
        | JobState::Queued { .. }
        | JobState::Running(_)
        | JobState::Finished(_) => Err(Error::Stale { attempt }),
    }
}
