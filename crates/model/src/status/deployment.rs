//! The GitHub deployment that a build's state asks for: what GitHub shows beside a pull request and
//! under "Environments". Pure.
//!
//! What always holds: a build has at most one, and none before it has something to deploy; one that
//! ended without anything deployed is inactive, for GitHub has no word for canceled.

use serde::{Deserialize, Serialize};

use super::{End, StatusState, verdict};
use crate::StageName;
use crate::build::{BuildOutcome, Purpose};
use crate::job::{JobKind, JobState, Outcome};
use crate::plan::JobView;
use crate::stage::StageKind;

/// GitHub's states of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    Queued,
    InProgress,
    Success,
    Failure,
    Error,
    Inactive,
}

impl DeploymentState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
            Self::Inactive => "inactive",
        }
    }
}

/// What kind of environment GitHub takes it for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lasting {
    /// It goes away again.
    Transient,
    LongLived,
    /// People use it.
    Production,
}

/// Names of stages that people take for production. GitHub only shows it: nothing is decided by it.
const PRODUCTION: [&str; 4] = ["prod", "production", "live", "prd"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    pub name: String,
    pub lasting: Lasting,
}

/// The environment of a stage. A personal stage is nobody else's business.
pub fn environment(stage: &StageName, kind: StageKind) -> Option<Environment> {
    match kind {
        StageKind::Preview => {
            let name = format!("preview/{stage}");
            Some(Environment { name, lasting: Lasting::Transient })
        }
        StageKind::LongLived => {
            let is_production =
                PRODUCTION.iter().any(|name| stage.as_str().eq_ignore_ascii_case(name));
            let lasting = if is_production { Lasting::Production } else { Lasting::LongLived };
            Some(Environment { name: stage.to_string(), lasting })
        }
        StageKind::Personal => None,
    }
}

/// How the build's deployment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    pub state: DeploymentState,
    /// At most 140 characters, GitHub's limit.
    pub description: String,
}

/// The deployment of a build with these jobs, if it has come to one.
pub fn deployment(
    purpose: Purpose,
    jobs: &[JobView<'_>],
    held: Option<&str>,
    end: Option<End<'_>>,
) -> Option<Deployment> {
    match purpose {
        Purpose::Deploy | Purpose::Rollback => {}
        Purpose::Test | Purpose::Remove | Purpose::Recover | Purpose::Inspect => return None,
    }
    let deploys = || jobs.iter().filter(|job| part(job.kind) == Part::Change);
    deploys().next()?;
    let verdict = verdict(true, jobs, held, end);
    let state = match end.map(|end| end.outcome) {
        None => match stands(jobs) {
            Stands::NotYet => return None,
            Stands::Queued => DeploymentState::Queued,
            Stands::Begun => DeploymentState::InProgress,
        },
        Some(BuildOutcome::Succeeded) => DeploymentState::Success,
        Some(BuildOutcome::Failed) => match verdict.state {
            StatusState::Error => DeploymentState::Error,
            StatusState::Failure | StatusState::Pending | StatusState::Success => {
                DeploymentState::Failure
            }
        },
        Some(BuildOutcome::Canceled | BuildOutcome::Superseded | BuildOutcome::Skipped) => {
            DeploymentState::Inactive
        }
    };
    Some(Deployment { state, description: super::shortened(&verdict.description) })
}

#[derive(PartialEq, Eq)]
enum Part {
    /// It makes what is deployed.
    Package,
    Change,
    Other,
}

fn part(kind: JobKind) -> Part {
    match kind {
        JobKind::Package => Part::Package,
        JobKind::Deploy | JobKind::Rollback => Part::Change,
        JobKind::Plan
        | JobKind::Test
        | JobKind::Remove
        | JobKind::PostDeploy
        | JobKind::Recover
        | JobKind::Foresee
        | JobKind::Sweep
        | JobKind::Drift => Part::Other,
    }
}

enum Stands {
    /// Only tests and plans have run: it is not told yet that there will be a deployment.
    NotYet,
    Queued,
    Begun,
}

fn stands(jobs: &[JobView<'_>]) -> Stands {
    let begun = |job: &JobView<'_>| match (part(job.kind), job.state) {
        (Part::Other, _) => false,
        (Part::Package | Part::Change, JobState::Running(_)) => true,
        (Part::Change, JobState::Finished(Outcome::Succeeded | Outcome::Failed(_))) => true,
        (
            Part::Package | Part::Change,
            JobState::Blocked | JobState::Waiting | JobState::Queued { .. } | JobState::Finished(_),
        ) => false,
    };
    let queued = |job: &JobView<'_>| match (part(job.kind), job.state) {
        (Part::Other, _) => false,
        (Part::Package | Part::Change, JobState::Queued { .. } | JobState::Waiting) => true,
        (
            Part::Package | Part::Change,
            JobState::Blocked | JobState::Running(_) | JobState::Finished(_),
        ) => false,
    };
    if jobs.iter().any(begun) {
        Stands::Begun
    } else if jobs.iter().any(queued) {
        Stands::Queued
    } else {
        Stands::NotYet
    }
}

#[cfg(test)]
mod tests;
