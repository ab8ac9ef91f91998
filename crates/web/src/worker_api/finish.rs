//! The end of a job, and what it means for artifact, instance and deployment.
//!
//! What always holds: all of it is one transaction with the job's own change of state, under the
//! attempt that holds it; said twice, it happens once. A job that changes nothing but its own row
//! needs none around that one statement. An end that the rows do not bear out (a
//! package made for another stage, say) is refused here, whatever the worker says: the job fails.

use axum::Json;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use model::JobId;
use model::deployment::DeploymentState;
use model::job::{Failure, FailureKind, JobKind, JobState, Outcome};
use model::worker_api::Finish;
use store::PgConnection;
use store::job::Job;
use store::signals::Topic;

use super::effect::Effect;
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::measure;
use crate::request;
use crate::state::State;

pub(super) async fn finish(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    Json(finish): Json<Finish>,
) -> Result<StatusCode> {
    let id: JobId = segment("job", &id)?;
    let mut conn = state.db.acquire().await?;
    let job = store::job::get(&mut conn, id).await?;
    request::is_about(job.build_id);
    let running = match &job.state {
        JobState::Running(lease) => lease.attempt == finish.attempt,
        JobState::Blocked | JobState::Waiting | JobState::Queued { .. } | JobState::Finished(_) => {
            false
        }
    };
    let ended = if changes_others(job.kind) {
        drop(conn);
        let mut tx = state.db.begin().await?;
        let ended = end(&state, &mut tx, &job, running, finish).await?;
        tx.commit().await.map_err(Error::internal)?;
        ended
    } else {
        end(&state, &mut conn, &job, running, finish).await?
    };
    if running {
        measure::job_finished(&job, ended.outcome.as_str(), state.now());
    }
    state.signals.wake_engine();
    // what this job held, an instance or a slot of its app, another may have now
    state.signals.wake_workers();
    state.signals.touched(Topic::Build(job.build_id));
    state.signals.touched(Topic::Log(id));
    state.signals.touched(Topic::Board);
    match ended.refused {
        Some(message) => Err(Error::Conflict(message)),
        None => Ok(StatusCode::NO_CONTENT),
    }
}

/// Whether the end of such a job is written to other rows than its own.
fn changes_others(kind: JobKind) -> bool {
    match kind {
        JobKind::Plan | JobKind::Test | JobKind::PostDeploy | JobKind::Foresee => false,
        JobKind::Package
        | JobKind::Deploy
        | JobKind::Remove
        | JobKind::Rollback
        | JobKind::Recover
        | JobKind::Sweep
        | JobKind::Drift => true,
    }
}

/// How a job ended in the end.
struct Ended {
    outcome: Outcome,
    /// Why its worker's word is not taken for it.
    refused: Option<String>,
}

async fn end(
    state: &State,
    conn: &mut PgConnection,
    job: &Job,
    running: bool,
    finish: Finish,
) -> Result<Ended> {
    let now = state.now();
    let Finish { attempt, mut outcome, result } = finish;
    let (mut kept, mut refused) = (None, None);
    if running {
        let effect = Effect { state, job, now };
        match effect.of(conn, &outcome, result).await? {
            Ok(result) => kept = result,
            Err(message) => {
                let kind = FailureKind::Configuration;
                outcome = Outcome::Failed(Failure { kind, message: message.clone() });
                effect.failed(conn, DeploymentState::Failed, &message).await?;
                refused = Some(message);
            }
        }
    }
    // refuses what is stale; a repeated end of the same attempt is fine
    store::job::finish(conn, job.id, attempt, &outcome, kept.as_ref(), now).await?;
    Ok(Ended { outcome, refused })
}

/// Ends a job that was claimed but can never be handed out.
pub(super) async fn fail(state: &State, job: &Job, message: String) -> Result<()> {
    let now = state.now();
    let mut tx = state.db.begin().await?;
    Effect { state, job, now }.failed(&mut tx, DeploymentState::Failed, &message).await?;
    let outcome = Outcome::Failed(Failure { kind: FailureKind::Configuration, message });
    store::job::finish(&mut tx, job.id, job.attempt, &outcome, None, now).await?;
    tx.commit().await.map_err(Error::internal)
}
