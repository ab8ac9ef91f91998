//! The commit statuses that a build's state asks for. Pure: the outbox sends what this wants.
//!
//! What always holds: contexts depend on the services and the stage alone, never on what ran, so
//! that they can be required checks: a service that is skipped reports green, with the reason.
//! Descriptions change when a state does and not with every step, which spares GitHub's limits.
//! A commit whose build was superseded or canceled reports `error`: it was not proven, so it must
//! not be green, and it is nobody's failure; the newer commit gets statuses of its own.

pub mod deployment;

use serde::{Deserialize, Serialize};

use crate::StageName;
use crate::build::{BuildOutcome, Purpose};
use crate::job::{Failure, FailureKind, JobKind, JobState, Outcome};
use crate::pipeline::Service;
use crate::plan::{Decision, JobView, PlannedService};
use crate::stage::StageKind;

/// GitHub's limit for a description.
const MAX_DESCRIPTION_CHARS: usize = 140;

/// GitHub's states of a commit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusState {
    Pending,
    Success,
    Failure,
    Error,
}

impl StatusState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
        }
    }
}

/// One status as it should stand on the commit. The context is its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub context: String,
    pub state: StatusState,
    /// At most 140 characters, GitHub's limit.
    pub description: String,
}

/// How a build ended.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    pub outcome: BuildOutcome,
    /// Why, where no job says it.
    pub reason: Option<&'a str>,
}

/// Every status that the build wants on its commit, each context once. `planned` is `None` until
/// the plan job has succeeded; `jobs` are all jobs of the build; `held` says what those wait for that
/// their stage does not take now ("waiting for approval"). One that proves nothing of a commit (a
/// removal, a rollback, a look at stacks) wants none.
pub fn statuses(
    purpose: Purpose,
    stage: Option<(&StageName, StageKind)>,
    planned: Option<&[PlannedService]>,
    jobs: &[JobView<'_>],
    held: Option<&str>,
    end: Option<End<'_>>,
) -> Vec<Status> {
    let outcome = end.map(|end| end.outcome);
    match purpose {
        Purpose::Remove | Purpose::Rollback | Purpose::Recover | Purpose::Inspect => {
            return Vec::new();
        }
        Purpose::Deploy | Purpose::Test => {}
    }
    let mut wanted = vec![overall(planned.is_some(), jobs, held, end)];
    for (service, decision) in by_service(planned.unwrap_or_default()) {
        let test = of_service(decision, service, jobs, &[JobKind::Test], held, outcome);
        wanted.push(test.named(format!("greenroom/{}/test", service.name)));
        if let Some((name, kind)) = stage {
            let kinds = [JobKind::Package, JobKind::Deploy];
            let deploy = of_service(decision, service, jobs, &kinds, held, outcome);
            let place = match kind {
                StageKind::Preview => "preview",
                StageKind::LongLived | StageKind::Personal => name.as_str(),
            };
            wanted.push(deploy.named(format!("greenroom/{}/{place}", service.name)));
        }
    }
    wanted
}

/// Each service once, with the decision that does most: its regions share a context.
fn by_service(planned: &[PlannedService]) -> Vec<(&Service, &Decision)> {
    let weight = |decision: &Decision| match decision {
        Decision::Skip { .. } => 0,
        Decision::Follow { .. } => 1,
        Decision::Run { .. } => 2,
    };
    let mut found: Vec<(&Service, &Decision)> = Vec::new();
    for PlannedService { service, decision, .. } in planned {
        match found.iter_mut().find(|(known, _)| known.name == service.name) {
            None => found.push((service, decision)),
            Some((_, known)) if weight(known) < weight(decision) => *known = decision,
            Some(_) => {}
        }
    }
    found
}

/// A status without its context.
struct Verdict {
    state: StatusState,
    description: String,
}

impl Verdict {
    fn new(state: StatusState, description: impl Into<String>) -> Self {
        Self { state, description: description.into() }
    }

    fn named(self, context: String) -> Status {
        Status { context, state: self.state, description: shortened(&self.description) }
    }
}

/// What the jobs of these kinds say together; they stand for one purpose of the service.
fn of_service(
    decision: &Decision,
    service: &Service,
    jobs: &[JobView<'_>],
    kinds: &[JobKind],
    held: Option<&str>,
    outcome: Option<BuildOutcome>,
) -> Verdict {
    match decision {
        Decision::Skip { reason } => {
            return Verdict::new(StatusState::Success, format!("skipped: {reason}"));
        }
        // nothing of its own changed, so there is nothing to test
        Decision::Follow { reason, .. } if kinds == [JobKind::Test] => {
            return Verdict::new(StatusState::Success, format!("skipped: {reason}"));
        }
        Decision::Follow { .. } | Decision::Run { .. } => {}
    }
    let own: Vec<&JobView<'_>> = jobs
        .iter()
        .filter(|job| job.service == Some(&service.name) && kinds.contains(&job.kind))
        .collect();
    // what failed says more than what was not run for it
    let failed =
        own.iter().filter(|job| matches!(job.state, JobState::Finished(Outcome::Failed(_))));
    if let Some(verdict) = failed.chain(&own).find_map(|job| bad(job)) {
        return verdict;
    }
    let unfinished = own.iter().filter(|job| !matches!(job.state, JobState::Finished(_)));
    // the furthest of them: a running package says more than the deploy that waits for it
    match unfinished.max_by_key(|job| progress(job.state)) {
        Some(job) => {
            let description = match job.state {
                JobState::Running(_) => format!("{} is running", job.kind.as_str()),
                JobState::Queued { .. } => format!("{} is queued", job.kind.as_str()),
                JobState::Waiting => held.unwrap_or(HELD).to_owned(),
                JobState::Blocked | JobState::Finished(_) => "waiting for other jobs".to_owned(),
            };
            Verdict::new(StatusState::Pending, description)
        }
        None if own.is_empty() => without_jobs(service, kinds, outcome),
        None => well(&own, kinds),
    }
}

/// Every one of the jobs ended well.
fn well(own: &[&JobView<'_>], kinds: &[JobKind]) -> Verdict {
    let unneeded = own.iter().map(|job| match job.state {
        JobState::Finished(Outcome::Unneeded { reason }) => Some(reason),
        JobState::Blocked
        | JobState::Waiting
        | JobState::Queued { .. }
        | JobState::Running(_)
        | JobState::Finished(_) => None,
    });
    match unneeded.collect::<Option<Vec<_>>>().as_deref() {
        Some([reason, ..]) => Verdict::new(StatusState::Success, format!("not needed: {reason}")),
        Some([]) | None => Verdict::new(
            StatusState::Success,
            if kinds == [JobKind::Test] { "tests passed" } else { "deployed" },
        ),
    }
}

fn progress(state: &JobState) -> u8 {
    match state {
        JobState::Blocked | JobState::Finished(_) => 0,
        JobState::Waiting => 1,
        JobState::Queued { .. } => 2,
        JobState::Running(_) => 3,
    }
}

/// A service that runs has no test job when it has nothing to test, and a required check must not
/// wait for one for ever. Any other job is missing because it is still to come, or because the
/// build ended before.
fn without_jobs(service: &Service, kinds: &[JobKind], outcome: Option<BuildOutcome>) -> Verdict {
    let is_test = kinds == [JobKind::Test];
    match outcome {
        _ if is_test && !service.is_tested() => {
            Verdict::new(StatusState::Success, "nothing to test: no lint or test command")
        }
        None => Verdict::new(StatusState::Pending, "waiting for other jobs"),
        Some(_) => Verdict::new(StatusState::Error, "the build ended before this was begun"),
    }
}

/// The verdict of a job that ended in any other way than well.
fn bad(job: &JobView<'_>) -> Option<Verdict> {
    let JobState::Finished(outcome) = job.state else {
        return None;
    };
    match outcome {
        Outcome::Succeeded | Outcome::Unneeded { .. } => None,
        Outcome::Failed(failure) => Some(Verdict::new(
            state_of(failure),
            format!("{} failed: {}", job.kind.as_str(), failure.message),
        )),
        Outcome::Canceled { reason } => {
            Some(Verdict::new(StatusState::Error, format!("canceled: {reason}")))
        }
        Outcome::Skipped { reason } => {
            Some(Verdict::new(StatusState::Error, format!("not run: {reason}")))
        }
    }
}

/// What the commit or its stage can mend is a failure; what Greenroom or its machines owe is an error.
fn state_of(failure: &Failure) -> StatusState {
    match failure.kind {
        FailureKind::Step
        | FailureKind::Configuration
        | FailureKind::Safeguard
        | FailureKind::Limit
        | FailureKind::Aws
        | FailureKind::Checkout => StatusState::Failure,
        FailureKind::Lost | FailureKind::Internal => StatusState::Error,
    }
}

/// What is said of jobs that wait where nobody says why.
const HELD: &str = "waiting for the stage to take deploys";

/// What the build says as a whole, as the status `greenroom`; of any build, also of one that wants no
/// status.
pub fn overall(
    planned: bool,
    jobs: &[JobView<'_>],
    held: Option<&str>,
    end: Option<End<'_>>,
) -> Status {
    verdict(planned, jobs, held, end).named("greenroom".to_owned())
}

/// What the build says as a whole.
fn verdict(
    planned: bool,
    jobs: &[JobView<'_>],
    held: Option<&str>,
    end: Option<End<'_>>,
) -> Verdict {
    let reason = |wanted: fn(&Outcome) -> bool| {
        jobs.iter().find_map(|job| match job.state {
            JobState::Finished(outcome) if wanted(outcome) => outcome.reason(),
            JobState::Blocked
            | JobState::Waiting
            | JobState::Queued { .. }
            | JobState::Running(_)
            | JobState::Finished(_) => None,
        })
    };
    let canceled = || reason(|outcome| matches!(outcome, Outcome::Canceled { .. }));
    match end.map(|end| end.outcome) {
        None if is_held(jobs) => Verdict::new(StatusState::Pending, held.unwrap_or(HELD)),
        None if planned => Verdict::new(StatusState::Pending, "running"),
        None => Verdict::new(StatusState::Pending, "looking for what changed"),
        Some(BuildOutcome::Succeeded) => Verdict::new(StatusState::Success, "every job succeeded"),
        Some(BuildOutcome::Skipped) => Verdict::new(StatusState::Success, "nothing was to do"),
        Some(BuildOutcome::Failed) => failed(jobs, end.and_then(|end| end.reason)),
        Some(BuildOutcome::Canceled) => {
            let reason = canceled().unwrap_or("before a job began");
            Verdict::new(StatusState::Error, format!("canceled: {reason}"))
        }
        Some(BuildOutcome::Superseded) => {
            let reason = canceled().unwrap_or("superseded by a newer build");
            Verdict::new(StatusState::Error, reason)
        }
    }
}

/// Jobs wait for their stage, and nothing else goes on meanwhile.
fn is_held(jobs: &[JobView<'_>]) -> bool {
    let goes_on = |job: &JobView<'_>| match job.state {
        JobState::Running(_) | JobState::Queued { .. } => true,
        JobState::Blocked | JobState::Waiting | JobState::Finished(_) => false,
    };
    jobs.iter().any(|job| *job.state == JobState::Waiting) && !jobs.iter().any(goes_on)
}

/// Names one failed job with its message, several without; a failure of the commit's own outweighs
/// an error of ours.
fn failed(jobs: &[JobView<'_>], reason: Option<&str>) -> Verdict {
    let failures: Vec<(&JobView<'_>, &Failure)> = jobs
        .iter()
        .filter_map(|job| match job.state {
            JobState::Finished(Outcome::Failed(failure)) => Some((job, failure)),
            JobState::Blocked
            | JobState::Waiting
            | JobState::Queued { .. }
            | JobState::Running(_)
            | JobState::Finished(_) => None,
        })
        .collect();
    if failures.is_empty() {
        // the plan itself was refused: what is wrong stands in the commit
        let reason = reason.unwrap_or("the build could not be planned");
        return Verdict::new(StatusState::Failure, format!("failed: {reason}"));
    }
    let own = failures.iter().any(|(_, failure)| state_of(failure) == StatusState::Failure);
    let state = if own { StatusState::Failure } else { StatusState::Error };
    let name = |job: &JobView<'_>| match job.service {
        Some(service) => format!("{} of {service}", job.kind.as_str()),
        None => job.kind.as_str().to_owned(),
    };
    let description = match failures[..] {
        [(job, failure)] => format!("{} failed: {}", name(job), failure.message),
        _ => {
            let names: Vec<String> = failures.iter().map(|(job, _)| name(job)).collect();
            format!("failed: {}", names.join(", "))
        }
    };
    Verdict::new(state, description)
}

/// On one line and within GitHub's limit.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_DESCRIPTION_CHARS) {
        None => line,
        Some(_) => {
            let kept: String = line.chars().take(MAX_DESCRIPTION_CHARS - 1).collect();
            format!("{}…", kept.trim_end())
        }
    }
}

#[cfg(test)]
mod tests;
