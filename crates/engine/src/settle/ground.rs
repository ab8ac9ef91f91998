//! What a build finds where it deploys to: rows and settings, as the planner takes them.
//!
//! What always holds: a service counts as deployed only if what it read when it was packaged is
//! what others publish still. A build that ended before its dependents followed is so made good by
//! the next one. What a newer build has deployed, an older one that is planned late leaves alone.

use std::collections::{BTreeMap, BTreeSet};

use model::deployment::InstanceState;
use model::output::Certainty;
use model::pipeline::{Dependency, DependencyOrigin};
use model::plan::{Base, Decision, Deployed, Findings, Place, PlannedService, Regions};
use model::stage::StageKind;
use model::{CommitSha, ParameterKey, Region, ServiceName, StageId, StageName};
use store::PgConnection;
use store::app::App;
use store::build::Build;
use store::instance::Instance;
use store::stage::Stage;

/// The services that are whole somewhere, with their commits.
type Whole = BTreeMap<(ServiceName, Region), CommitSha>;

pub(super) struct Ground {
    stage: Stage,
    regions: Regions,
    deployed: BTreeMap<(ServiceName, Region), Deployed>,
    base: Option<(StageName, Whole)>,
    parameters: BTreeMap<ParameterKey, String>,
    /// The services that a newer build has deployed, with its number.
    newer: BTreeMap<ServiceName, i64>,
    only: Option<BTreeSet<ServiceName>>,
    /// The long-lived stage that a pull request's change is foreseen for, and where it has its
    /// services.
    foreseen: Option<(StageName, Regions)>,
}

impl Ground {
    pub(super) async fn load(
        conn: &mut PgConnection,
        app: &App,
        build: &Build,
        stage: StageId,
        findings: &Findings,
    ) -> anyhow::Result<Self> {
        let stage = store::stage::get(conn, stage).await?;
        let mut instances = store::instance::list(conn, stage.id).await?;
        // one whose removal goes on may still be called deployed, and will not be
        let doomed = store::order::doomed(conn, stage.id).await?;
        for instance in instances.iter_mut().filter(|instance| doomed.contains(&instance.id)) {
            instance.state = InstanceState::Removing;
        }
        let base = match stage.spared_by(&app.settings, build.preview_deploy) {
            Some(name) => Some((name.clone(), store::instance::whole(conn, app.id, name).await?)),
            None => None,
        };
        let parameters = stage.plain_parameters_in(&app.settings);
        let newer = newer(build, &instances);
        let returning = store::instance::returning(conn, stage.id, build.id).await?;
        let mut deployed = deployed(&stage, &instances, &parameters, base.is_some());
        for place in returning {
            let reason = "it is being rolled back".to_owned();
            deployed.insert(place, Deployed::NotWhole { reason });
        }
        Ok(Self {
            only: only(build, findings, &newer),
            newer,
            regions: regions(app, &stage, findings),
            foreseen: foreseen(conn, app, &stage, findings).await?,
            deployed,
            base,
            parameters,
            stage,
        })
    }

    /// Where the change of a pull request is looked at beside its own preview.
    pub(super) fn foreseen(&self) -> Option<(&StageName, &Regions)> {
        self.foreseen.as_ref().map(|(stage, regions)| (stage, regions))
    }

    pub(super) fn stage(&self) -> StageId {
        self.stage.id
    }

    /// Says of what a newer build has deployed that this is why it is left alone.
    pub(super) fn explain(&self, planned: &mut [PlannedService]) {
        for PlannedService { service, decision, .. } in planned {
            if let Some(number) = self.newer.get(&service.name) {
                let reason = format!("build {number}, which is newer, has deployed it");
                *decision = Decision::Skip { reason };
            }
        }
    }

    pub(super) fn place<'a>(&'a self, build: &'a Build) -> Place<'a> {
        Place {
            stage: &self.stage.name,
            forced: build.forced,
            only: self.only.as_ref(),
            regions: &self.regions,
            deployed: &self.deployed,
            base: self.base.as_ref().map(|(stage, deployed)| Base { stage, deployed }),
            parameters: &self.parameters,
        }
    }
}

/// Only a preview's rule names such a stage. One that was never built has nothing that a change
/// could be held against.
async fn foreseen(
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    findings: &Findings,
) -> anyhow::Result<Option<(StageName, Regions)>> {
    match stage.kind {
        StageKind::Preview => {}
        StageKind::LongLived | StageKind::Personal => return Ok(None),
    }
    let rule = model::rule::rule_of(&app.settings, &stage.name, stage.base.as_ref());
    let Some(name) = rule.and_then(|rule| rule.foresee.as_ref()) else { return Ok(None) };
    let there = store::stage::find_open(conn, app.id, name).await?;
    let there = there.filter(|there| there.kind == StageKind::LongLived);
    Ok(there.map(|there| (there.name.clone(), regions(app, &there, findings))))
}

/// Builds that are for different services of a stage do not supersede each other, so they may
/// overtake.
fn newer(build: &Build, instances: &[Instance]) -> BTreeMap<ServiceName, i64> {
    let deployed = instances
        .iter()
        .filter_map(|instance| Some((instance.service.clone(), instance.build_number?)));
    deployed.filter(|(_, number)| *number > build.number).collect()
}

/// What the build is for, without what a newer one has deployed.
fn only(
    build: &Build,
    findings: &Findings,
    newer: &BTreeMap<ServiceName, i64>,
) -> Option<BTreeSet<ServiceName>> {
    if newer.is_empty() {
        return build.services.clone();
    }
    let all = || findings.services.iter().map(|service| service.name.clone()).collect();
    let mut only = build.services.clone().unwrap_or_else(all);
    only.retain(|service| !newer.contains_key(service));
    Some(only)
}

fn regions(app: &App, stage: &Stage, findings: &Findings) -> Regions {
    let (profile, settings) = stage.profile_in(&app.settings);
    let of = |service: &ServiceName| app.settings.regions_with(profile, &stage.name, service);
    Regions {
        default: settings.region.clone(),
        of: findings
            .services
            .iter()
            .map(|service| (service.name.clone(), of(&service.name)))
            .collect(),
    }
}

/// Instances of which nothing is there are left out. One that was removed is too where another
/// stage may stand in for it.
fn deployed(
    stage: &Stage,
    instances: &[Instance],
    parameters: &BTreeMap<ParameterKey, String>,
    has_base: bool,
) -> BTreeMap<(ServiceName, Region), Deployed> {
    let not_whole = |reason: &str| Some(Deployed::NotWhole { reason: reason.to_owned() });
    let state = |instance: &Instance| match (instance.state, &instance.commit) {
        (InstanceState::Planned, _) | (InstanceState::Removed, None) => None,
        (InstanceState::Deployed, Some(commit)) => {
            Some(match outdated(stage, instance, instances, parameters) {
                Some(reason) => Deployed::NotWhole { reason },
                None => Deployed::At { commit: commit.clone() },
            })
        }
        (InstanceState::Deployed, None) | (InstanceState::Deploying, _) => {
            not_whole("its last deployment did not end")
        }
        (InstanceState::Failed, _) => not_whole("its last deployment failed"),
        (InstanceState::Removed, Some(_)) if has_base => None,
        (InstanceState::Removing, _) | (InstanceState::Removed, Some(_)) => {
            not_whole("it was removed")
        }
    };
    instances
        .iter()
        .filter_map(|instance| {
            let place = (instance.service.clone(), instance.region.clone());
            Some((place, state(instance)?))
        })
        .collect()
}

/// Why what an instance was packaged with is not what it would read now: a service that it reads
/// in this stage published something else since.
fn outdated(
    stage: &Stage,
    instance: &Instance,
    all: &[Instance],
    parameters: &BTreeMap<ParameterKey, String>,
) -> Option<String> {
    let read_at = instance.read_at?;
    let is_read_here = |dependency: &&Dependency| match &dependency.origin {
        DependencyOrigin::Declared | DependencyOrigin::Compose => true,
        DependencyOrigin::Output { reference, .. } => {
            match reference.points_at_stage(&stage.name, parameters) {
                Certainty::Yes | Certainty::Unknown => true,
                Certainty::No => false,
            }
        }
    };
    instance.spec.depends_on.iter().filter(is_read_here).find_map(|dependency| {
        let of_it = || all.iter().filter(|other| other.service == dependency.service);
        let near = of_it().any(|other| other.region == instance.region);
        of_it()
            .filter(|other| !near || other.region == instance.region)
            .any(|other| other.outputs_changed_at > Some(read_at))
            .then(|| format!("the outputs of {} changed after it was packaged", dependency.service))
    })
}
