//! Whether a service runs, follows another or is skipped, and why.

use std::collections::{BTreeMap, BTreeSet};

use super::change::Changed;
use super::{Changes, Decision, Deployed, Findings, Place, PlannedService};
use crate::output::{Certainty, Reference};
use crate::pipeline::{Dependency, DependencyOrigin, Service};
use crate::{CommitSha, Region, ServiceName};

pub(super) fn for_tests(ordered: &[&Service]) -> Vec<PlannedService> {
    let decide = |service: &Service| {
        if service.is_tested() {
            Decision::Run { reason: "tests alone: nothing is deployed".to_owned() }
        } else {
            Decision::Skip { reason: "it has no lint or test command".to_owned() }
        }
    };
    ordered
        .iter()
        .map(|service| PlannedService {
            service: (*service).clone(),
            region: None,
            decision: decide(service),
        })
        .collect()
}

/// `ordered`: dependencies first.
pub(super) fn for_stage(
    ordered: &[&Service],
    findings: &Findings,
    place: &Place<'_>,
) -> Vec<PlannedService> {
    let changed = Changed::new(findings);
    let mut planned = Vec::new();
    let mut moving: BTreeMap<&ServiceName, Moving<'_>> = BTreeMap::new();
    for service in ordered {
        for region in place.regions.of(&service.name) {
            let decision = match of_its_own(service, region, &changed, place) {
                Own::Run(reason) => Decision::Run { reason },
                Own::Excluded(reason) => Decision::Skip { reason },
                Own::Unchanged(reason) => {
                    follow((service, Stands::Here), region, reason, &moving, place)
                }
                Own::Behind(reason) => {
                    follow((service, Stands::Behind), region, reason, &moving, place)
                }
            };
            match decision {
                Decision::Run { .. } | Decision::Follow { .. } => {
                    let regions = BTreeSet::new();
                    let entry = moving.entry(&service.name).or_insert(Moving { service, regions });
                    entry.regions.insert(region);
                }
                Decision::Skip { .. } => {}
            }
            planned.push(PlannedService {
                service: (*service).clone(),
                region: Some(region.clone()),
                decision,
            });
        }
    }
    planned
}

/// What is to be done about a service without a look at the others.
enum Own {
    Run(String),
    Unchanged(String),
    /// Unchanged, and not in this stage: the one in the stage behind it is used.
    Behind(String),
    /// It is none of this build's, whatever changed.
    Excluded(String),
}

fn of_its_own(service: &Service, region: &Region, changed: &Changed<'_>, place: &Place<'_>) -> Own {
    if let Some(only) = place.only
        && !only.contains(&service.name)
    {
        let names: Vec<&str> = only.iter().map(ServiceName::as_str).collect();
        return Own::Excluded(format!("the rule builds only {}", names.join(", ")));
    }
    if place.forced {
        return Own::Run("the build was forced".to_owned());
    }
    let key = (service.name.clone(), region.clone());
    match (
        place.deployed.get(&key),
        place.base.and_then(|base| Some((base.stage, base.deployed.get(&key)?))),
    ) {
        (Some(Deployed::At { commit }), _) => since(service, commit, changed),
        (Some(Deployed::NotWhole { reason }), _) => {
            Own::Run(format!("its last deployment is not whole: {reason}"))
        }
        (None, Some((stage, commit))) => match changed.on_this_side(service, commit) {
            Some(reason) => Own::Run(reason),
            None => Own::Behind(format!(
                "nothing of it changed here since {}, which runs in {stage}: the one there is used",
                commit.short()
            )),
        },
        (None, None) => Own::Run("it was never deployed to this stage".to_owned()),
    }
}

fn since(service: &Service, commit: &CommitSha, changed: &Changed<'_>) -> Own {
    match changed.since(service, commit) {
        Some(reason) => Own::Run(reason),
        None => Own::Unchanged(format!("nothing changed since {}", commit.short())),
    }
}

/// Where an unchanged service runs.
#[derive(Clone, Copy)]
enum Stands {
    Here,
    Behind,
}

/// A service that is deployed, for certain or if its own condition holds, and where.
struct Moving<'a> {
    service: &'a Service,
    regions: BTreeSet<&'a Region>,
}

/// An unchanged service follows those that it reads from in this very stage. One that is not in
/// the stage follows only what it is seen to read there: a preview has no more than it needs.
fn follow(
    (service, stands): (&Service, Stands),
    region: &Region,
    unchanged: String,
    moving: &BTreeMap<&ServiceName, Moving<'_>>,
    place: &Place<'_>,
) -> Decision {
    let follows = |dependency: &Dependency| {
        moving.get(&dependency.service).is_some_and(|moving| {
            let near = place.regions.of(&dependency.service).contains(region)
                && !reads_abroad(service, moving.service);
            (moving.regions.contains(region) || !near)
                && reads_in_stage((service, stands), dependency, moving.service, place)
        })
    };
    let of: Vec<ServiceName> = service
        .depends_on
        .iter()
        .filter(|dependency| follows(dependency))
        .map(|dependency| dependency.service.clone())
        .collect();
    if of.is_empty() {
        return Decision::Skip { reason: unchanged };
    }
    let names: Vec<&str> = of.iter().map(ServiceName::as_str).collect();
    let reason =
        format!("{unchanged}; deployed only if the outputs of {} change", names.join(" or "));
    Decision::Follow { of, reason }
}

/// Whether it may read from the one it depends on in the build's own stage.
fn reads_in_stage(
    (service, stands): (&Service, Stands),
    dependency: &Dependency,
    other: &Service,
    place: &Place<'_>,
) -> bool {
    let first = match &dependency.origin {
        DependencyOrigin::Declared | DependencyOrigin::Compose => match stands {
            Stands::Here => return true,
            Stands::Behind => None,
        },
        DependencyOrigin::Output { reference, .. } => Some(reference),
    };
    reads(service, other).chain(first).any(|reference| {
        match reference.points_at_stage(place.stage, place.parameters) {
            Certainty::Yes | Certainty::Unknown => true,
            Certainty::No => false,
        }
    })
}

/// Whether one of its references names a region: it then has to do with the other service in all
/// of its regions. Without, it reads what is in its own region, if there is such a one.
pub(super) fn reads_abroad(service: &Service, other: &Service) -> bool {
    reads(service, other).any(|reference| !reference.region_part().is_empty())
}

fn reads<'a>(service: &'a Service, other: &'a Service) -> impl Iterator<Item = &'a Reference> {
    let names_it = |reference: &&Reference| match reference
        .names_service(&other.name, other.published_as.as_deref())
    {
        Certainty::Yes | Certainty::Unknown => true,
        Certainty::No => false,
    };
    service.reads.iter().filter(names_it)
}

/// The sentence for a past that nobody can compare with.
pub(super) fn unknown(commit: &CommitSha, changes: Option<&Changes>) -> String {
    let why = match changes {
        Some(Changes::Unknown { reason }) => reason.as_str(),
        Some(Changes::Files { .. }) | None => "nobody looked",
    };
    format!("what changed since {} is unknown: {why}", commit.short())
}
