//! The jobs that take services of a stage back to what they were.
//!
//! They go in the order of a deploy, what is depended on first: an older service then finds what it
//! reads as it was when it was packaged, and a table or a queue that it needs is there again before
//! it is. Where the newer reader still holds on to what the older one no longer gives (an export
//! that is imported), CloudFormation refuses the change and names it: then the reader alone is
//! taken back first.

use std::collections::{BTreeMap, BTreeSet};

use super::order::{self, Cycle};
use super::{Condition, PlannedJob};
use crate::job::JobKind;
use crate::{Region, ServiceName};

/// A service in a region that is taken back, as it was then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returning {
    pub service: ServiceName,
    pub region: Region,
    pub depends_on: Vec<ServiceName>,
}

/// One job for each, whatever it depends on before it. What is not taken back itself is left out of
/// account; services that come from different commits and so depend on each other in a circle go
/// side by side.
pub fn plan_rollback(returning: &[Returning]) -> Vec<PlannedJob> {
    let mut depends_on: BTreeMap<&ServiceName, Vec<&ServiceName>> = BTreeMap::new();
    let mut regions: BTreeMap<&ServiceName, BTreeSet<&Region>> = BTreeMap::new();
    for one in returning {
        depends_on.entry(&one.service).or_default().extend(&one.depends_on);
        regions.entry(&one.service).or_default().insert(&one.region);
    }
    let ordered = match order::topological(&depends_on) {
        Ok(ordered) => ordered,
        Err(Cycle(_)) => {
            depends_on.values_mut().for_each(Vec::clear);
            depends_on.keys().copied().collect()
        }
    };
    let mut positions: BTreeMap<&ServiceName, Vec<usize>> = BTreeMap::new();
    let mut jobs = Vec::new();
    for service in ordered {
        let needed = depends_on.get(service).into_iter().flatten();
        let needs: BTreeSet<usize> =
            needed.filter_map(|name| positions.get(name)).flatten().copied().collect();
        for region in regions.get(service).into_iter().flatten() {
            positions.entry(service).or_default().push(jobs.len());
            jobs.push(PlannedJob {
                kind: JobKind::Rollback,
                service: Some(service.clone()),
                region: Some((*region).clone()),
                needs: needs.iter().copied().collect(),
                condition: Condition::Always,
            });
        }
    }
    jobs
}
