//! What the jobs of a build are called on its page.
//!
//! What always holds: a region is named where the service has several of them in the build, and
//! nowhere else.

use std::collections::{BTreeMap, BTreeSet};

use model::plan::PlannedService;
use model::{Region, ServiceName};
use store::job::Job;

use super::view::placed;

/// The regions in which a build has to do with each of its services.
pub(super) struct Places<'a>(BTreeMap<&'a ServiceName, BTreeSet<&'a Region>>);

impl<'a> Places<'a> {
    pub(super) fn new(planned: &'a [PlannedService], jobs: &'a [Job]) -> Self {
        let planned = planned.iter().map(|one| (Some(&one.service.name), one.region.as_ref()));
        let of_jobs = jobs.iter().map(|job| (job.service.as_ref(), job.region.as_ref()));
        let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (service, region) in planned.chain(of_jobs) {
            if let (Some(service), Some(region)) = (service, region) {
                found.entry(service).or_default().insert(region);
            }
        }
        Self(found)
    }

    /// The regions of a service that has several; none of any other.
    pub(super) fn several(&self, service: &ServiceName) -> impl Iterator<Item = &'a Region> {
        let regions = self.0.get(service).filter(|regions| regions.len() > 1);
        regions.into_iter().flatten().copied()
    }

    /// A service as a job has to do with it.
    pub(super) fn service(&self, service: &ServiceName, region: Option<&Region>) -> String {
        let named = region.filter(|_| self.several(service).next().is_some());
        placed(service.as_str(), named)
    }

    pub(super) fn job(&self, job: &Job) -> String {
        let kind = job.kind.as_str();
        match &job.service {
            Some(service) => format!("{kind} {}", self.service(service, job.region.as_ref())),
            None => kind.to_owned(),
        }
    }
}
