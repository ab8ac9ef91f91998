//! The jobs of a build, as a picture and as rows.

mod critical;
mod layout;
mod picture;
mod rows;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::JobId;
use model::job::{JobState, Outcome};
use model::plan::PlannedService;
use model::worker_api::Progress;
use store::job::{Job, Work};
use store::usual::Usual;

pub(super) use picture::Picture;
pub(super) use rows::Row;

use super::place::Places;

/// What both are made from.
pub(super) struct Graph<'a> {
    pub(super) build_url: &'a str,
    pub(super) stage: Option<&'a str>,
    pub(super) planned: &'a [PlannedService],
    pub(super) jobs: &'a [Job],
    pub(super) places: &'a Places<'a>,
    pub(super) usual: &'a Usual,
    /// What running jobs say of themselves.
    pub(super) progress: &'a BTreeMap<JobId, Progress>,
    /// Why those that are due have not begun, in words.
    pub(super) waits: &'a BTreeMap<JobId, String>,
    pub(super) selected: Option<JobId>,
    pub(super) now: DateTime<Utc>,
}

impl Graph<'_> {
    fn waits(&self, job: &Job) -> Option<String> {
        self.waits.get(&job.id).cloned()
    }
}

/// What a job does, with what it is about where the kind alone does not say it.
fn kind(job: &Job) -> String {
    let kind = job.kind.as_str();
    match &job.work {
        Some(Work::Foresee { stage, .. }) => format!("{kind} {stage}"),
        Some(Work::Sweep { profile, .. }) => format!("{kind} {profile}"),
        Some(Work::Rollback { commit, .. }) => format!("{kind} to {}", commit.short()),
        Some(Work::Discard { name, .. }) => format!("{kind} {name}"),
        Some(Work::Service(_) | Work::Step(_) | Work::Removal { .. } | Work::Recover { .. })
        | None => kind.to_owned(),
    }
}

pub(super) fn reason(job: &Job) -> Option<String> {
    match &job.state {
        JobState::Finished(outcome) => outcome.reason().map(str::to_owned),
        JobState::Blocked | JobState::Waiting | JobState::Queued { .. } | JobState::Running(_) => {
            None
        }
    }
}

/// The job whose log is shown when none is chosen: what runs, else what failed, else the last.
pub(super) fn interesting(jobs: &[Job]) -> Option<&Job> {
    let running = jobs.iter().find(|job| matches!(job.state, JobState::Running(_)));
    let failed =
        || jobs.iter().find(|job| matches!(job.state, JobState::Finished(Outcome::Failed(_))));
    let begun =
        || jobs.iter().filter(|job| job.started_at.is_some()).max_by_key(|job| job.started_at);
    running.or_else(failed).or_else(begun).or_else(|| jobs.first())
}
