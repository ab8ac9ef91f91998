//! What the jobs of a build that look at another stage have found. Pure.

use model::foresight::{Answer, Foresight};
use model::job::{JobKind, JobState, Outcome};
use model::worker_api::JobResult;

use crate::job::{Job, Work};

/// One for each service and region that a build looks at in another stage, in the order of its
/// plan.
pub fn foresights(jobs: &[Job]) -> Vec<Foresight> {
    jobs.iter().filter(|job| job.kind == JobKind::Foresee).filter_map(foresight).collect()
}

fn foresight(job: &Job) -> Option<Foresight> {
    let stage = match job.work.as_ref()? {
        Work::Foresee { stage, .. } => stage.clone(),
        Work::Service(_)
        | Work::Step(_)
        | Work::Removal { .. }
        | Work::Rollback { .. }
        | Work::Recover { .. }
        | Work::Sweep { .. }
        | Work::Discard { .. } => return None,
    };
    let answer = match (&job.state, &job.result) {
        (JobState::Finished(Outcome::Succeeded), Some(JobResult::Foreseen { change, notes })) => {
            Answer::Change { change: change.clone(), notes: notes.clone() }
        }
        (JobState::Finished(outcome), _) => Answer::Unknown {
            reason: outcome.reason().unwrap_or("nobody said what was found").to_owned(),
        },
        (
            JobState::Blocked | JobState::Waiting | JobState::Queued { .. } | JobState::Running(_),
            _,
        ) => Answer::Awaited,
    };
    Some(Foresight { service: job.service.clone()?, region: job.region.clone()?, stage, answer })
}
