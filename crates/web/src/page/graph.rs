//! The jobs of a build as rows: one service, its jobs in order, and what they wait for.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::JobId;
use model::job::{JobKind, JobState};
use model::plan::{Decision, PlannedService};
use store::job::Job;

use super::view::{Badge, duration};

pub(super) struct Row {
    /// The service; the plan has none.
    pub(super) name: String,
    /// Why it runs or is skipped.
    pub(super) decision: Option<(&'static str, String)>,
    /// What was detected, sentence by sentence.
    pub(super) notes: Vec<String>,
    /// Services that have to be deployed (or removed) before.
    pub(super) after: Vec<String>,
    pub(super) jobs: Vec<Node>,
}

pub(super) struct Node {
    pub(super) url: String,
    pub(super) kind: &'static str,
    pub(super) badge: Badge,
    pub(super) duration: String,
    pub(super) reason: Option<String>,
    pub(super) selected: bool,
}

/// The rows of a build: the plan, then its services in the order in which they were planned.
pub(super) fn rows(
    build_url: &str,
    planned: &[PlannedService],
    jobs: &[Job],
    selected: Option<JobId>,
    now: DateTime<Utc>,
) -> Vec<Row> {
    let node = |job: &Job| Node {
        url: format!("{build_url}?job={}#log", job.id),
        kind: job.kind.as_str(),
        badge: Badge::of_job(&job.state),
        duration: duration(job.started_at, job.finished_at, now),
        reason: reason(job),
        selected: selected == Some(job.id),
    };
    let plan: Vec<Node> = jobs.iter().filter(|job| job.kind == JobKind::Plan).map(node).collect();
    let mut rows = Vec::new();
    if !plan.is_empty() {
        let (decision, notes, after) = (None, Vec::new(), Vec::new());
        rows.push(Row { name: "plan".into(), decision, notes, after, jobs: plan });
    }
    let by_id: BTreeMap<JobId, &Job> = jobs.iter().map(|job| (job.id, job)).collect();
    for name in names(planned, jobs) {
        let of_service = || {
            let mut of: Vec<&Job> = jobs
                .iter()
                .filter(|job| job.service.as_ref().is_some_and(|service| service.as_str() == name))
                .collect();
            of.sort_by_key(|job| job.kind);
            of
        };
        let mut after: Vec<String> = of_service()
            .iter()
            .flat_map(|job| &job.needs)
            .filter_map(|need| by_id.get(need)?.service.as_ref().map(ToString::to_string))
            .filter(|other| *other != name)
            .collect();
        after.sort();
        after.dedup();
        let entry = planned.iter().find(|planned| planned.service.name.as_str() == name);
        rows.push(Row {
            decision: entry.map(|entry| match &entry.decision {
                Decision::Run { reason } => ("runs", reason.clone()),
                Decision::Skip { reason } => ("skipped", reason.clone()),
            }),
            notes: entry.map(|entry| entry.service.notes.clone()).unwrap_or_default(),
            after,
            jobs: of_service().into_iter().map(node).collect(),
            name,
        });
    }
    rows
}

fn names(planned: &[PlannedService], jobs: &[Job]) -> Vec<String> {
    let mut names: Vec<String> =
        planned.iter().map(|planned| planned.service.name.to_string()).collect();
    for service in jobs.iter().filter_map(|job| job.service.as_ref()) {
        if !names.iter().any(|name| name == service.as_str()) {
            names.push(service.to_string());
        }
    }
    names
}

pub(super) fn reason(job: &Job) -> Option<String> {
    match &job.state {
        JobState::Finished(outcome) => outcome.reason().map(str::to_owned),
        JobState::Blocked | JobState::Queued { .. } | JobState::Running(_) => None,
    }
}

/// The job whose log is shown when none is chosen: what runs, else what failed, else the last.
pub(super) fn interesting(jobs: &[Job]) -> Option<&Job> {
    use model::job::Outcome;
    let running = jobs.iter().find(|job| matches!(job.state, JobState::Running(_)));
    let failed =
        || jobs.iter().find(|job| matches!(job.state, JobState::Finished(Outcome::Failed(_))));
    let begun =
        || jobs.iter().filter(|job| job.started_at.is_some()).max_by_key(|job| job.started_at);
    running.or_else(failed).or_else(begun).or_else(|| jobs.first())
}
