//! The jobs that take a stage down: a service goes only after all that depend on it.

use std::collections::{BTreeMap, BTreeSet};

use super::order::{self, Cycle};
use super::{Condition, PlanError, PlannedJob};
use crate::job::JobKind;
use crate::{Region, ServiceName};

/// An instance that a removal finds in the stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removable {
    pub service: ServiceName,
    pub region: Region,
    pub depends_on: Vec<ServiceName>,
}

/// Jobs that remove every instance of a stage. Dependencies that are not in the stage are left out
/// of account.
pub fn plan_removal(instances: &[Removable]) -> Result<Vec<PlannedJob>, PlanError> {
    let mut depends_on: BTreeMap<&ServiceName, Vec<&ServiceName>> = BTreeMap::new();
    let mut regions: BTreeMap<&ServiceName, BTreeSet<&Region>> = BTreeMap::new();
    for instance in instances {
        depends_on.entry(&instance.service).or_default().extend(&instance.depends_on);
        regions.entry(&instance.service).or_default().insert(&instance.region);
    }
    let ordered = order::topological(&depends_on)
        .map_err(|Cycle(cycle)| PlanError::Cycle { cycle, places: Vec::new() })?;
    let mut positions: BTreeMap<&ServiceName, Vec<usize>> = BTreeMap::new();
    let mut jobs = Vec::new();
    for service in ordered.into_iter().rev() {
        let dependents = depends_on.iter().filter(|(_, needed)| needed.contains(&service));
        let mut needs: Vec<usize> = dependents
            .filter_map(|(dependent, _)| positions.get(dependent))
            .flatten()
            .copied()
            .collect();
        needs.sort_unstable();
        for region in regions.get(service).into_iter().flatten() {
            positions.entry(service).or_default().push(jobs.len());
            jobs.push(PlannedJob {
                kind: JobKind::Remove,
                service: Some(service.clone()),
                region: Some((*region).clone()),
                needs: needs.clone(),
                condition: Condition::Always,
            });
        }
    }
    Ok(jobs)
}
