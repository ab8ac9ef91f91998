//! The planner: what the plan job found becomes a graph of jobs. Pure.
//!
//! What always holds: the graph has no cycle; a job's needs stand before it in the list; a service
//! is in the plan exactly once, with the reason why it runs or is skipped. [`advance`] then says
//! what a state of the graph's jobs makes of those that wait.

mod advance;
mod change;
mod order;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use advance::{JobView, advance};

use crate::build::Purpose;
use crate::job::JobKind;
use crate::pipeline::Service;
use crate::{CommitSha, ServiceName};

/// What a plan job reports: facts about the commit, no decisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    pub services: Vec<Service>,
    /// For every commit the server asked about, the files that differ between it and this one.
    pub changes: BTreeMap<CommitSha, Changes>,
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

/// What the server knows of a service in the build's stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Deployed {
    /// The last deployment succeeded, with this commit.
    At { commit: CommitSha },
    /// The last deployment failed, was interrupted, or the service was removed.
    NotWhole { reason: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanInput<'a> {
    pub purpose: Purpose,
    /// Every service is built whether it changed or not.
    pub forced: bool,
    pub findings: &'a Findings,
    /// Services that were never in the stage are absent.
    pub deployed: &'a BTreeMap<ServiceName, Deployed>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub services: Vec<PlannedService>,
    pub jobs: Vec<PlannedJob>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedService {
    pub service: Service,
    pub decision: Decision,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "decision")]
pub enum Decision {
    Run { reason: String },
    Skip { reason: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedJob {
    pub kind: JobKind,
    pub service: ServiceName,
    /// Positions of earlier jobs in the plan's list that must have succeeded.
    pub needs: Vec<usize>,
}

/// Why findings cannot become a graph: something to mend in the commit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error(
        "no service found: no directory holds a serverless.yml; name one under `services:` in greenroom.yml"
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
    #[error("services depend on each other in a circle: {}; remove one depends_on", .cycle.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(" -> "))]
    Cycle { cycle: Vec<ServiceName> },
}

/// An instance that a removal finds in the stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removable {
    pub service: ServiceName,
    pub depends_on: Vec<ServiceName>,
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
    let services = &input.findings.services;
    if services.is_empty() {
        return Err(PlanError::NoServices);
    }
    let ordered = order::by_dependency(services)?;
    let changed = change::Changed::new(input.findings);
    let planned: Vec<PlannedService> = ordered
        .into_iter()
        .map(|service| PlannedService {
            service: service.clone(),
            decision: match input.purpose {
                Purpose::Deploy => changed.decide(service, input),
                Purpose::Test if service.is_tested() => {
                    Decision::Run { reason: "tests alone: nothing is deployed".to_owned() }
                }
                Purpose::Test => {
                    Decision::Skip { reason: "it has no lint or test command".to_owned() }
                }
                Purpose::Remove => Decision::Skip { reason: "a removal builds nothing".to_owned() },
            },
        })
        .collect();
    let jobs = match input.purpose {
        Purpose::Deploy => deploy_jobs(&planned),
        Purpose::Test => {
            running(&planned).map(|service| job(JobKind::Test, service, Vec::new())).collect()
        }
        Purpose::Remove => Vec::new(),
    };
    Ok(Plan { services: planned, jobs })
}

/// Jobs that remove every instance of a stage: a service goes only after all that depend on it.
/// Dependencies that are not in the stage are left out of account.
pub fn plan_removal(instances: &[Removable]) -> Result<Vec<PlannedJob>, PlanError> {
    let mut depends_on: BTreeMap<&ServiceName, Vec<&ServiceName>> = BTreeMap::new();
    for instance in instances {
        depends_on.entry(&instance.service).or_default().extend(&instance.depends_on);
    }
    let ordered = order::topological(&depends_on)?;
    let mut positions: BTreeMap<&ServiceName, usize> = BTreeMap::new();
    let mut jobs = Vec::new();
    for service in ordered.into_iter().rev() {
        let dependents = depends_on.iter().filter(|(_, needed)| needed.contains(&service));
        let mut needs: Vec<usize> =
            dependents.filter_map(|(dependent, _)| positions.get(dependent).copied()).collect();
        needs.sort_unstable();
        positions.insert(service, jobs.len());
        jobs.push(PlannedJob { kind: JobKind::Remove, service: service.clone(), needs });
    }
    Ok(jobs)
}

fn running(planned: &[PlannedService]) -> impl Iterator<Item = &Service> {
    planned.iter().filter_map(|planned| match planned.decision {
        Decision::Run { .. } => Some(&planned.service),
        Decision::Skip { .. } => None,
    })
}

fn job(kind: JobKind, service: &Service, needs: Vec<usize>) -> PlannedJob {
    PlannedJob { kind, service: service.name.clone(), needs }
}

/// Test, package and deploy of each running service, dependencies first.
fn deploy_jobs(planned: &[PlannedService]) -> Vec<PlannedJob> {
    let mut jobs = Vec::new();
    // the deploys that a dependent of this service waits for: its own, or, when it is skipped,
    // those of the services behind it
    let mut deploys: BTreeMap<&ServiceName, Vec<usize>> = BTreeMap::new();
    for PlannedService { service, decision } in planned {
        let mut before: Vec<usize> = service
            .depends_on
            .iter()
            .flat_map(|name| deploys.get(name).into_iter().flatten().copied())
            .collect();
        before.sort_unstable();
        before.dedup();
        match decision {
            Decision::Skip { .. } => {
                deploys.insert(&service.name, before);
            }
            Decision::Run { .. } => {
                let mut package_needs = before.clone();
                if service.is_tested() {
                    package_needs.push(jobs.len());
                    jobs.push(job(JobKind::Test, service, Vec::new()));
                }
                let package = jobs.len();
                jobs.push(job(JobKind::Package, service, package_needs));
                before.push(package);
                deploys.insert(&service.name, vec![jobs.len()]);
                jobs.push(job(JobKind::Deploy, service, before));
            }
        }
    }
    jobs
}

#[cfg(test)]
mod tests;
