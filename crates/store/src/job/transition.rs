//! Changes of a job's state that no worker asks for: by the engine, by a lost lease.
//!
//! What always holds: the row is locked, [`JobState::apply`] decides, the row is written. A change
//! of an instance that ends this way ends its deployment and says so on the instance, so that the
//! next one may begin.

use chrono::{DateTime, Utc};
use model::job::{BadTransition, JobEvent, JobState, Outcome};
use model::{JobId, WorkerId};
use sqlx::{Connection, PgConnection};

use super::Job;
use super::row::{Row, job_columns};
use crate::error::{Error, Result, met};

/// Applies an event of the engine's. A state that does not allow it is [`Error::NotAllowed`].
pub async fn transition(
    conn: &mut PgConnection,
    id: JobId,
    event: &JobEvent,
    now: DateTime<Utc>,
) -> Result<JobState> {
    let mut tx = conn.begin().await?;
    let row: Option<Row> = sqlx::query_as(concat!(
        "select ",
        job_columns!(),
        " from job where id = $1 for no key update"
    ))
    .bind(id)
    .fetch_optional(&mut *tx)
    .await?;
    let job = row.ok_or_else(|| Error::not_found(format!("job {id}")))?.try_into()?;
    let state = step(&mut tx, &job, event.clone(), now).await?;
    tx.commit().await?;
    Ok(state)
}

/// Every job that a worker held is lost to it: its process began anew.
pub async fn release(
    conn: &mut PgConnection,
    worker: WorkerId,
    now: DateTime<Utc>,
) -> Result<Vec<JobId>> {
    let mut tx = conn.begin().await?;
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "select ",
        job_columns!(),
        " from job where state = 'running' and worker_id = $1 order by id for no key update"
    ))
    .bind(worker)
    .fetch_all(&mut *tx)
    .await?;
    let lost = lose(&mut tx, rows, now).await?;
    tx.commit().await?;
    Ok(lost)
}

/// The leases that ran out, at most `limit` of them.
pub async fn expire(conn: &mut PgConnection, now: DateTime<Utc>, limit: i64) -> Result<Vec<JobId>> {
    let mut tx = conn.begin().await?;
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "select ",
        job_columns!(),
        " from job where state = 'running' and lease_expires_at < $1
         order by lease_expires_at limit $2 for no key update skip locked"
    ))
    .bind(now)
    .bind(limit)
    .fetch_all(&mut *tx)
    .await?;
    let lost = lose(&mut tx, rows, now).await?;
    tx.commit().await?;
    Ok(lost)
}

/// Asks a running job to end; its worker learns it with the next heartbeat. A job that is not
/// running has nobody to ask.
pub async fn request_cancel(conn: &mut PgConnection, id: JobId, now: DateTime<Utc>) -> Result<()> {
    let done = sqlx::query(
        "update job set cancel_requested_at = coalesce(cancel_requested_at, $2)
         where id = $1 and state = 'running'",
    )
    .bind(id)
    .bind(now)
    .execute(conn)
    .await?;
    met(&done, || format!("running job {id}"))
}

async fn lose(conn: &mut PgConnection, rows: Vec<Row>, now: DateTime<Utc>) -> Result<Vec<JobId>> {
    let mut lost = Vec::with_capacity(rows.len());
    for row in rows {
        let job = Job::try_from(row)?;
        let event =
            JobEvent::LeaseLost { attempt: job.attempt, max_attempts: job.kind.max_attempts() };
        step(conn, &job, event, now).await?;
        lost.push(job.id);
    }
    Ok(lost)
}

/// Applies an event to a locked row and writes what comes of it.
async fn step(
    conn: &mut PgConnection,
    job: &Job,
    event: JobEvent,
    now: DateTime<Utc>,
) -> Result<JobState> {
    let state = job.state.clone().apply(event).map_err(|bad| match bad {
        BadTransition::Stale { named } => Error::Stale { attempt: named },
        BadTransition::NotAllowed { .. } => Error::NotAllowed(bad.to_string()),
    })?;
    let (attempt, lease, outcome) = match &state {
        JobState::Blocked | JobState::Waiting => (job.attempt, None, None),
        JobState::Queued { attempt } => (attempt - 1, None, None),
        JobState::Running(lease) => (lease.attempt, Some(lease), None),
        JobState::Finished(outcome) => (job.attempt, None, Some(outcome)),
    };
    let failure_kind = outcome.and_then(|outcome| match outcome {
        Outcome::Failed(failure) => Some(failure.kind.as_str()),
        Outcome::Succeeded
        | Outcome::Canceled { .. }
        | Outcome::Skipped { .. }
        | Outcome::Unneeded { .. } => None,
    });
    let queued = matches!(state, JobState::Queued { .. });
    sqlx::query(
        "with changed as (
             update job set state = $2, attempt = $3, worker_id = $4, lease_expires_at = $5,
                 slot = case when $2 = 'running' then slot end,
                 slot_app_id = case when $2 = 'running' then slot_app_id end,
                 outcome = $6, failure_kind = $7, reason = $8,
                 queued_at = case when $9 then $10 else queued_at end,
                 finished_at = case when $6::text is not null then $10 end
             where id = $1
             returning build_id)
         insert into build_mark (build_id) select build_id from changed",
    )
    .bind(job.id)
    .bind(state.as_str())
    .bind(attempt)
    .bind(lease.map(|lease| lease.worker))
    .bind(lease.map(|lease| lease.expires_at))
    .bind(outcome.map(Outcome::as_str))
    .bind(failure_kind)
    .bind(outcome.and_then(Outcome::reason))
    .bind(queued)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    if let Some(outcome) = outcome.filter(|_| job.kind.changes_stack()) {
        crate::deployment::abandon(conn, job.id, outcome, now).await?;
    }
    Ok(state)
}
