//! Ends a build whose jobs have all ended, and the preview that it removed.

use model::build::{BuildOutcome, Purpose};
use model::job::{JobKind, JobState, Outcome};
use model::stage::{StageKind, StageState};
use store::PgConnection;
use store::build::Build;
use store::job::Job;

use crate::{Engine, previews};

/// The outcome, if the build has come to its end.
pub(super) async fn conclude(
    engine: &Engine,
    conn: &mut PgConnection,
    build: &Build,
    jobs: &[Job],
) -> anyhow::Result<Option<BuildOutcome>> {
    let states = jobs.iter().map(|job| (job.kind, &job.state));
    let Some(outcome) = BuildOutcome::of(states, build.superseded_by.is_some()) else {
        return Ok(None);
    };
    // a removal of a stage that held nothing has nothing to do and is done
    let outcome = match (build.purpose, outcome) {
        (Purpose::Remove, BuildOutcome::Skipped) => BuildOutcome::Succeeded,
        (
            Purpose::Remove
            | Purpose::Deploy
            | Purpose::Test
            | Purpose::Rollback
            | Purpose::Recover
            | Purpose::Inspect,
            outcome,
        ) => outcome,
    };
    let reason = reason(build, jobs, outcome);
    store::build::finish(conn, build.id, outcome, reason.as_deref(), engine.now()).await?;
    if build.purpose == Purpose::Remove {
        close_stage(engine, conn, build, outcome).await?;
    }
    Ok(Some(outcome))
}

fn reason(build: &Build, jobs: &[Job], outcome: BuildOutcome) -> Option<String> {
    match outcome {
        BuildOutcome::Succeeded => None,
        // one that says from the beginning why it does little says no less at its end
        BuildOutcome::Skipped => {
            let usual = || "nothing changed since the last deployment".into();
            Some(build.reason.clone().unwrap_or_else(usual))
        }
        BuildOutcome::Canceled | BuildOutcome::Superseded => build.cancel_reason.clone(),
        BuildOutcome::Failed => {
            jobs.iter().filter(|job| decides(build.purpose, job.kind)).find_map(failed)
        }
    }
}

/// Whether a build that fails can have failed because of such a job.
fn decides(purpose: Purpose, kind: JobKind) -> bool {
    match kind {
        JobKind::Foresee => false,
        JobKind::Drift => purpose == Purpose::Inspect,
        JobKind::Plan
        | JobKind::Test
        | JobKind::Package
        | JobKind::Deploy
        | JobKind::Remove
        | JobKind::PostDeploy
        | JobKind::Rollback
        | JobKind::Recover
        | JobKind::Sweep => true,
    }
}

fn failed(job: &Job) -> Option<String> {
    let JobState::Finished(Outcome::Failed(failure)) = &job.state else {
        return None;
    };
    Some(match &job.service {
        Some(service) => format!("{} {service}: {}", job.kind.as_str(), failure.message),
        None => format!("{}: {}", job.kind.as_str(), failure.message),
    })
}

/// A preview is closed when every instance is gone, each stack looked at by the job that removed
/// it; else it stays, visibly, with what is left.
async fn close_stage(
    engine: &Engine,
    conn: &mut PgConnection,
    build: &Build,
    outcome: BuildOutcome,
) -> anyhow::Result<()> {
    let Some(stage) = build.stage_id else { return Ok(()) };
    let stage = store::stage::get(conn, stage).await?;
    if stage.state != StageState::Removing {
        // a newer push brought the branch, and with it the preview, back
        return Ok(());
    }
    let left = store::instance::standing(conn, stage.id).await?;
    if !left.is_empty() {
        return previews::removal_failed(engine, conn, &stage, &left, outcome).await;
    }
    let state = match stage.kind {
        StageKind::Preview | StageKind::Personal => StageState::Closed,
        StageKind::LongLived => StageState::Active,
    };
    store::stage::set_state(conn, stage.id, state, engine.now()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::job::{Failure, FailureKind};
    use model::plan::Condition;
    use model::{BuildId, JobId};

    #[test]
    fn a_failed_build_says_which_job_of_which_service_failed_and_why() {
        let job = Job {
            id: JobId(uuid::Uuid::nil()),
            build_id: BuildId(uuid::Uuid::nil()),
            kind: JobKind::Test,
            service: Some("restapi".parse().unwrap()),
            region: None,
            instance_id: None,
            state: JobState::Finished(Outcome::Failed(Failure {
                kind: FailureKind::Step,
                message: "npm test ended with status 1".into(),
            })),
            attempt: 1,
            failure_kind: Some(FailureKind::Step),
            cancel_requested_at: None,
            work: None,
            result: None,
            needs: Vec::new(),
            condition: Condition::Always,
            queued_at: None,
            started_at: None,
            finished_at: None,
        };
        assert_eq!(failed(&job).as_deref(), Some("test restapi: npm test ended with status 1"));
    }
}
