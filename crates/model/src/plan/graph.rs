//! The jobs of the services that run, with what each waits for.

use std::collections::{BTreeMap, BTreeSet};

use super::decide::reads_abroad;
use super::{Condition, Decision, PlannedJob, PlannedService};
use crate::job::JobKind;
use crate::pipeline::Service;
use crate::{Region, ServiceName};

pub(super) fn tests(planned: &[PlannedService]) -> Vec<PlannedJob> {
    planned
        .iter()
        .filter(|planned| match planned.decision {
            Decision::Run { .. } => true,
            Decision::Follow { .. } | Decision::Skip { .. } => false,
        })
        .map(|planned| test(&planned.service))
        .collect()
}

/// Test, package and deploy of each service that runs, package and deploy of those that follow,
/// dependencies first; at last the stage's own command, if it has one and anything is deployed.
pub(super) fn deploys(planned: &[PlannedService], post_deploy: bool) -> Vec<PlannedJob> {
    let mut graph = Graph::default();
    for planned in planned {
        graph.add(planned);
    }
    let deploys: Vec<usize> = graph.deploys().collect();
    if post_deploy && !deploys.is_empty() {
        graph.jobs.push(PlannedJob {
            kind: JobKind::PostDeploy,
            service: None,
            region: None,
            needs: deploys.clone(),
            condition: Condition::AnyOf(deploys),
        });
    }
    graph.jobs
}

fn test(service: &Service) -> PlannedJob {
    PlannedJob {
        kind: JobKind::Test,
        service: Some(service.name.clone()),
        region: None,
        needs: Vec::new(),
        condition: Condition::Always,
    }
}

#[derive(Default)]
struct Graph<'a> {
    jobs: Vec<PlannedJob>,
    tests: BTreeMap<&'a ServiceName, usize>,
    /// For each service and region the deploys that a dependent waits for: its own, or, when it
    /// is skipped, those of the services behind it.
    ends: BTreeMap<&'a ServiceName, BTreeMap<Option<&'a Region>, Vec<usize>>>,
    /// The deploys of each service that has any.
    own: BTreeMap<&'a ServiceName, BTreeMap<Option<&'a Region>, usize>>,
    services: BTreeMap<&'a ServiceName, &'a Service>,
}

impl<'a> Graph<'a> {
    fn deploys(&self) -> impl Iterator<Item = usize> {
        let jobs = self.jobs.iter().enumerate();
        jobs.filter(|(_, job)| job.kind == JobKind::Deploy).map(|(at, _)| at)
    }

    fn add(&mut self, planned: &'a PlannedService) {
        let PlannedService { service, region, decision } = planned;
        self.services.insert(&service.name, service);
        let before = self.before(service, region.as_ref());
        let (needs, condition) = match decision {
            Decision::Skip { .. } => {
                self.end(service, region.as_ref(), before);
                return;
            }
            Decision::Run { .. } => {
                let mut needs = before.clone();
                needs.extend(self.tested(service));
                (needs, Condition::Always)
            }
            Decision::Follow { of, .. } => {
                let followed: BTreeSet<usize> = of
                    .iter()
                    .flat_map(|name| self.of_concern(service, region.as_ref(), name, &self.own))
                    .copied()
                    .collect();
                // a job that is asked about must be through before the question
                let needs: BTreeSet<usize> = before.iter().chain(&followed).copied().collect();
                (needs.into_iter().collect(), Condition::OutputsOf(followed.into_iter().collect()))
            }
        };
        let job = |kind, needs: Vec<usize>, condition| PlannedJob {
            kind,
            service: Some(service.name.clone()),
            region: region.clone(),
            needs,
            condition,
        };
        let follows = condition != Condition::Always;
        let package = self.jobs.len();
        self.jobs.push(job(JobKind::Package, needs, condition));
        let mut needs = before;
        needs.push(package);
        let condition = if follows { Condition::AnyOf(vec![package]) } else { Condition::Always };
        let deploy = self.jobs.len();
        self.jobs.push(job(JobKind::Deploy, needs, condition));
        self.own.entry(&service.name).or_default().insert(region.as_ref(), deploy);
        self.end(service, region.as_ref(), vec![deploy]);
    }

    fn end(&mut self, service: &'a Service, region: Option<&'a Region>, jobs: Vec<usize>) {
        self.ends.entry(&service.name).or_default().insert(region, jobs);
    }

    /// One test of the service, however many regions it has.
    fn tested(&mut self, service: &'a Service) -> Option<usize> {
        if !service.is_tested() {
            return None;
        }
        if let Some(at) = self.tests.get(&service.name) {
            return Some(*at);
        }
        let at = self.jobs.len();
        self.tests.insert(&service.name, at);
        self.jobs.push(test(service));
        Some(at)
    }

    /// The deploys that come first.
    fn before(&self, service: &Service, region: Option<&'a Region>) -> Vec<usize> {
        let before: BTreeSet<usize> = service
            .depends_on
            .iter()
            .flat_map(|on| self.of_concern(service, region, &on.service, &self.ends))
            .flatten()
            .copied()
            .collect();
        before.into_iter().collect()
    }

    /// What is known of a dependency in the service's own region; or in all of its regions, where
    /// it is not in that one or the service reads what another one has.
    fn of_concern<'b, T>(
        &self,
        service: &Service,
        region: Option<&'a Region>,
        dependency: &ServiceName,
        known: &'b BTreeMap<&'a ServiceName, BTreeMap<Option<&'a Region>, T>>,
    ) -> Vec<&'b T> {
        let Some(by_region) = known.get(dependency) else { return Vec::new() };
        let abroad =
            self.services.get(dependency).is_some_and(|other| reads_abroad(service, other));
        match by_region.get(&region) {
            Some(near) if !abroad => vec![near],
            Some(_) | None => by_region.values().collect(),
        }
    }
}
