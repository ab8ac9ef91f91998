//! The planner: what the plan job found becomes a graph of jobs. Pure.
//!
//! What always holds: the graph has no cycle; a job's needs stand before it in the list; a service
//! is in the plan exactly once for each of its regions, with the reason why it runs, follows or is
//! skipped. [`advance`] then says what a state of the graph's jobs makes of those that wait.

mod advance;
mod change;
mod decide;
mod foresee;
mod graph;
mod order;
mod removal;
mod rollback;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use advance::{JobView, advance};
pub use foresee::foresee;
pub use removal::{Removable, plan_removal};
pub use rollback::{Returning, plan_rollback};

use crate::build::Purpose;
use crate::job::JobKind;
use crate::pipeline::{Service, Step};
use crate::{CommitSha, ParameterKey, Region, ServiceName, StageName};

/// What a plan job reports: facts about the commit, no decisions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    pub services: Vec<Service>,
    /// For every commit the server asked about, the files that differ between it and this one.
    pub changes: BTreeMap<CommitSha, Changes>,
    /// For every commit of the stage that stands in for this one, the files that changed on this
    /// side since the two parted.
    #[serde(default)]
    pub own_changes: BTreeMap<CommitSha, Changes>,
    /// The stage's own command, for when all deploys are through.
    #[serde(default)]
    pub post_deploy: Option<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Changes {
    Files {
        files: Vec<String>,
    },
    /// The commit is no longer in the repository (a force push): everything counts as changed.
    Unknown {
        reason: String,
    },
}

/// What the server knows of a service in one region of the build's stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Deployed {
    /// The last deployment succeeded, with this commit.
    At { commit: CommitSha },
    /// The last deployment failed, was interrupted, or the service was removed.
    NotWhole { reason: String },
}

#[derive(Debug, Clone, Copy)]
pub struct PlanInput<'a> {
    pub findings: &'a Findings,
    pub goal: Goal<'a>,
}

/// What the build is to achieve.
#[derive(Debug, Clone, Copy)]
pub enum Goal<'a> {
    /// Tests of every service, and nothing is deployed.
    Test,
    Deploy(Place<'a>),
}

/// Where a build deploys to, and what is there.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub stage: &'a StageName,
    /// Every service is built whether it changed or not.
    pub forced: bool,
    /// The services that the build's rule is for; `None`: all.
    pub only: Option<&'a BTreeSet<ServiceName>>,
    pub regions: &'a Regions,
    /// Services that were never in the stage are absent.
    pub deployed: &'a BTreeMap<(ServiceName, Region), Deployed>,
    /// What stands in for a service that this stage does not have.
    pub base: Option<Base<'a>>,
    /// The stage's plain parameters: they say at which stage a `${output:…}` points.
    pub parameters: &'a BTreeMap<ParameterKey, String>,
}

/// Where services are deployed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regions {
    /// The profile's.
    pub default: Region,
    /// Those of the services that have regions of their own; never empty.
    pub of: BTreeMap<ServiceName, Vec<Region>>,
}

impl Regions {
    pub fn of(&self, service: &ServiceName) -> &[Region] {
        match self.of.get(service) {
            Some(regions) => regions,
            None => std::slice::from_ref(&self.default),
        }
    }
}

/// The long-lived stage whose services a preview reads instead of having its own.
#[derive(Debug, Clone, Copy)]
pub struct Base<'a> {
    pub stage: &'a StageName,
    /// The services that are whole there, with their commits.
    pub deployed: &'a BTreeMap<(ServiceName, Region), CommitSha>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// One for each service and region, dependencies first.
    pub services: Vec<PlannedService>,
    pub jobs: Vec<PlannedJob>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedService {
    pub service: Service,
    /// `None` where nothing is deployed.
    pub region: Option<Region>,
    pub decision: Decision,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "decision")]
pub enum Decision {
    Run {
        reason: String,
    },
    /// It has not changed, but what it reads may: it is deployed if one of these services changes
    /// its outputs.
    Follow {
        of: Vec<ServiceName>,
        reason: String,
    },
    Skip {
        reason: String,
    },
}

impl Decision {
    pub fn reason(&self) -> &str {
        match self {
            Self::Run { reason } | Self::Follow { reason, .. } | Self::Skip { reason } => reason,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedJob {
    pub kind: JobKind,
    /// `None` for the stage's own command.
    pub service: Option<ServiceName>,
    /// `None` where nothing is deployed.
    pub region: Option<Region>,
    /// Positions of earlier jobs in the plan's list that must be through.
    pub needs: Vec<usize>,
    pub condition: Condition<usize>,
}

/// What must have come of the jobs before for a job to have something to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "when", content = "jobs")]
pub enum Condition<Id> {
    #[default]
    Always,
    /// One of these deploys changed what its service publishes.
    OutputsOf(Vec<Id>),
    /// One of these jobs succeeded.
    AnyOf(Vec<Id>),
}

impl<Id> Condition<Id> {
    /// The same condition on jobs of other names.
    pub fn map<Other>(&self, name: impl FnMut(&Id) -> Other) -> Condition<Other> {
        match self {
            Self::Always => Condition::Always,
            Self::OutputsOf(jobs) => Condition::OutputsOf(jobs.iter().map(name).collect()),
            Self::AnyOf(jobs) => Condition::AnyOf(jobs.iter().map(name).collect()),
        }
    }
}

/// Why findings cannot become a graph: something to mend in the commit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error(
        "no service found: no directory holds a serverless.yml, template.yaml or cdk.json; name one under `services:` in greenroom.yml"
    )]
    NoServices,
    #[error(
        "two services are called {service}; give each its own name below `services:` in greenroom.yml"
    )]
    DuplicateService { service: ServiceName },
    #[error(
        "service {service} depends on {missing}, which is no service of this repository (greenroom.yml, services.{service}.depends_on)"
    )]
    UnknownDependency { service: ServiceName, missing: ServiceName },
    #[error("services depend on each other in a circle: {}; remove one of: {}", names(.cycle), .places.join(", "))]
    Cycle {
        /// The first name is the last one too.
        cycle: Vec<ServiceName>,
        /// Where each of these dependencies is written.
        places: Vec<String>,
    },
}

fn names(cycle: &[ServiceName]) -> String {
    cycle.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(" -> ")
}

/// Whether these services make a graph at all: the plan job asks before it reports them.
pub fn check(services: &[Service]) -> Result<(), PlanError> {
    if services.is_empty() {
        return Err(PlanError::NoServices);
    }
    order::by_dependency(services).map(drop)
}

/// Decides for every service, and lays out the jobs of those that run.
pub fn plan(input: &PlanInput<'_>) -> Result<Plan, PlanError> {
    let findings = input.findings;
    if findings.services.is_empty() {
        return Err(PlanError::NoServices);
    }
    let ordered = order::by_dependency(&findings.services)?;
    Ok(match input.goal {
        Goal::Test => {
            let services = decide::for_tests(&ordered);
            let jobs = graph::tests(&services);
            Plan { services, jobs }
        }
        Goal::Deploy(place) => {
            let services = decide::for_stage(&ordered, findings, &place);
            let jobs = graph::deploys(&services, findings.post_deploy.is_some());
            Plan { services, jobs }
        }
    })
}

/// The goal of a build with this purpose; whatever does not begin with a commit has no plan of it
/// (a removal plans from what is deployed, [`plan_removal`]).
pub fn goal(purpose: Purpose, place: Option<Place<'_>>) -> Option<Goal<'_>> {
    match (purpose, place) {
        (Purpose::Test, _) => Some(Goal::Test),
        (Purpose::Deploy, Some(place)) => Some(Goal::Deploy(place)),
        (Purpose::Deploy, None)
        | (Purpose::Remove | Purpose::Rollback | Purpose::Recover | Purpose::Inspect, _) => None,
    }
}

#[cfg(test)]
mod tests;
