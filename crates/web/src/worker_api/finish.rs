//! The end of a job, and what it means for artifact, instance and deployment.
//!
//! What always holds: all of it is one transaction with the job's own change of state, under the
//! attempt that holds it; said twice, it happens once. An end that the rows do not bear out (a
//! package made for another stage, say) is refused here, whatever the worker says: the job fails.

use axum::Json;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use model::JobId;
use model::deployment::DeploymentState;
use model::job::{Failure, FailureKind, JobState, Outcome};
use model::worker_api::Finish;
use store::job::Job;
use store::signals::Topic;

use super::effect::Effect;
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::state::State;

pub(super) async fn finish(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    Json(finish): Json<Finish>,
) -> Result<StatusCode> {
    let id: JobId = segment("job", &id)?;
    let now = state.now();
    let mut tx = state.db.begin().await?;
    let job = store::job::get(&mut tx, id).await?;
    let running = match &job.state {
        JobState::Running(lease) => lease.attempt == finish.attempt,
        JobState::Blocked | JobState::Waiting | JobState::Queued { .. } | JobState::Finished(_) => {
            false
        }
    };
    let mut refused = None;
    let mut outcome = finish.outcome;
    let mut result = None;
    if running {
        let effect = Effect { state: &state, job: &job, now };
        match effect.of(&mut tx, &outcome, finish.result).await? {
            Ok(kept) => result = kept,
            Err(message) => {
                let kind = FailureKind::Configuration;
                outcome = Outcome::Failed(Failure { kind, message: message.clone() });
                effect.failed(&mut tx, DeploymentState::Failed, &message).await?;
                refused = Some(message);
            }
        }
    }
    // refuses what is stale; a repeated end of the same attempt is fine
    store::job::finish(&mut tx, id, finish.attempt, &outcome, result.as_ref(), now).await?;
    tx.commit().await.map_err(Error::internal)?;
    if running {
        metrics::counter!(
            "greenroom_jobs_finished_total",
            "kind" => job.kind.as_str(), "outcome" => outcome.as_str()
        )
        .increment(1);
    }
    state.signals.wake_engine();
    state.signals.touched(Topic::Build(job.build_id));
    state.signals.touched(Topic::Log(id));
    state.signals.touched(Topic::Board);
    match refused {
        Some(message) => Err(Error::Conflict(message)),
        None => Ok(StatusCode::NO_CONTENT),
    }
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
