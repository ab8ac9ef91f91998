//! The order in which dependencies allow services to be built.

use std::collections::{BTreeMap, BTreeSet};

use super::PlanError;
use crate::ServiceName;
use crate::pipeline::Service;

/// The services, each after those it depends on; by name where dependencies leave the choice.
pub(super) fn by_dependency(services: &[Service]) -> Result<Vec<&Service>, PlanError> {
    let mut by_name: BTreeMap<&ServiceName, &Service> = BTreeMap::new();
    for service in services {
        if by_name.insert(&service.name, service).is_some() {
            return Err(PlanError::DuplicateService { service: service.name.clone() });
        }
    }
    let mut depends_on = BTreeMap::new();
    for service in services {
        let needed = || service.depends_on.iter().map(|dependency| &dependency.service);
        if let Some(missing) = needed().find(|name| !by_name.contains_key(name)) {
            return Err(PlanError::UnknownDependency {
                service: service.name.clone(),
                missing: missing.clone(),
            });
        }
        depends_on.insert(&service.name, needed().collect());
    }
    match topological(&depends_on) {
        Ok(ordered) => Ok(ordered.into_iter().map(|name| by_name[name]).collect()),
        Err(Cycle(cycle)) => {
            let places = cycle.windows(2).filter_map(|pair| {
                let service = by_name.get(&pair[0])?;
                let dependency = service.depends_on.iter().find(|d| d.service == pair[1])?;
                Some(format!("{} -> {} ({})", pair[0], pair[1], dependency.place()))
            });
            Err(PlanError::Cycle { places: places.collect(), cycle })
        }
    }
}

/// Names that wait for each other; the first is the last one too.
#[derive(Debug)]
pub(super) struct Cycle(pub(super) Vec<ServiceName>);

/// The names, each after those it depends on. Dependencies that are no key are left out of account.
pub(super) fn topological<'a>(
    depends_on: &BTreeMap<&'a ServiceName, Vec<&'a ServiceName>>,
) -> Result<Vec<&'a ServiceName>, Cycle> {
    let mut ordered: Vec<&ServiceName> = Vec::new();
    let mut placed: BTreeSet<&ServiceName> = BTreeSet::new();
    let waits_for = |name: &ServiceName, placed: &BTreeSet<&ServiceName>| {
        let needed = depends_on.get(name).into_iter().flatten().copied();
        needed
            .filter(|needed| depends_on.contains_key(needed))
            .find(|needed| !placed.contains(needed))
    };
    while ordered.len() < depends_on.len() {
        let ready: Vec<&ServiceName> = depends_on
            .keys()
            .copied()
            .filter(|name| !placed.contains(name) && waits_for(name, &placed).is_none())
            .collect();
        if ready.is_empty() {
            let start = depends_on.keys().copied().find(|name| !placed.contains(name));
            return Err(Cycle(cycle(start, |name| waits_for(name, &placed))));
        }
        placed.extend(&ready);
        ordered.extend(ready);
    }
    Ok(ordered)
}

/// Follows what each waits for until a name comes again: `a -> b -> a`.
fn cycle<'a>(
    start: Option<&'a ServiceName>,
    waits_for: impl Fn(&ServiceName) -> Option<&'a ServiceName>,
) -> Vec<ServiceName> {
    let mut path: Vec<&ServiceName> = Vec::new();
    let mut next = start;
    while let Some(name) = next {
        if let Some(first) = path.iter().position(|seen| *seen == name) {
            path.push(name);
            return path[first..].iter().map(|name| (*name).clone()).collect();
        }
        path.push(name);
        next = waits_for(name);
    }
    path.into_iter().cloned().collect()
}
