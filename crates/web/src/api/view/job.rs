//! A job of a build, with what it found out.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::change_set::StackChange;
use model::finding::Finding;
use model::job::{JobState, Outcome};
use model::worker_api::{JobResult, Progress};
use model::{JobId, Region, ServiceName};
use serde::Serialize;
use store::job::Job;
use utoipa::ToSchema;

use crate::openapi::wire;

#[derive(Serialize, ToSchema)]
#[schema(as = Job)]
pub(super) struct JobView {
    #[schema(value_type = uuid::Uuid)]
    id: JobId,
    #[schema(value_type = Option<wire::ServiceName>)]
    service: Option<ServiceName>,
    #[schema(value_type = Option<wire::Region>)]
    region: Option<Region>,
    #[schema(value_type = wire::JobKind)]
    kind: &'static str,
    #[schema(value_type = wire::JobState)]
    state: &'static str,
    #[schema(value_type = Option<wire::JobOutcome>)]
    outcome: Option<&'static str>,
    #[schema(value_type = Option<wire::FailureKind>)]
    failure: Option<&'static str>,
    reason: Option<String>,
    attempt: i32,
    #[schema(value_type = Vec<uuid::Uuid>)]
    needs: Vec<JobId>,
    /// Of a deploy that succeeded: the outputs that are not what they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_outputs: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Checks>,
    /// How far a change of stacks is, counted in resources; also where one stopped that failed.
    #[schema(value_type = Option<wire::Progress>)]
    progress: Option<Progress>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

/// What was looked at before a deploy: what is wrong with it, and what it will do.
#[derive(Serialize, ToSchema)]
struct Checks {
    #[schema(value_type = Vec<wire::Finding>)]
    findings: Vec<Finding>,
    #[schema(value_type = Vec<wire::StackChange>)]
    change: Vec<StackChange>,
}

impl JobView {
    /// Why it does not go on.
    pub(super) fn because(self, reason: String) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// With what its worker said last.
    pub(super) fn so_far(self, all: &BTreeMap<JobId, Progress>) -> Self {
        Self { progress: all.get(&self.id).cloned(), ..self }
    }
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        let outcome = match &job.state {
            JobState::Finished(outcome) => Some(outcome),
            JobState::Blocked
            | JobState::Waiting
            | JobState::Queued { .. }
            | JobState::Running(_) => None,
        };
        let (changed_outputs, checks) = match job.result {
            Some(JobResult::Deployed { changed_outputs, .. }) => (Some(changed_outputs), None),
            Some(JobResult::Packaged { package }) => {
                (None, Some(Checks { findings: package.findings, change: package.change }))
            }
            Some(JobResult::Checked { change, findings, found: _ }) => {
                (None, Some(Checks { findings, change }))
            }
            Some(JobResult::Foreseen { change, notes: _ }) => {
                (None, Some(Checks { findings: Vec::new(), change }))
            }
            Some(
                JobResult::Planned { .. }
                | JobResult::Removed { .. }
                | JobResult::Recovered
                | JobResult::Swept { .. }
                | JobResult::Drifted { .. },
            )
            | None => (None, None),
        };
        Self {
            id: job.id,
            kind: job.kind.as_str(),
            state: job.state.as_str(),
            outcome: outcome.map(Outcome::as_str),
            failure: job.failure_kind.map(model::job::FailureKind::as_str),
            reason: outcome.and_then(|outcome| outcome.reason().map(str::to_owned)),
            attempt: job.attempt,
            service: job.service,
            region: job.region,
            needs: job.needs,
            changed_outputs,
            checks,
            progress: None,
            started_at: job.started_at,
            finished_at: job.finished_at,
        }
    }
}
