//! The graph of jobs: who runs and why, in which order, for any set of services. A file a topic;
//! here is what they share.

mod decisions;
mod follow;
mod foresee;
mod graph;
mod preview;
mod properties;
mod refusals;
mod regions;
mod removal;
mod rollback;

use super::*;
use crate::pipeline::{Commands, Dependency, DependencyOrigin, Framework};

fn name(text: &str) -> ServiceName {
    text.parse().expect("a service name")
}

fn names(texts: &[&str]) -> BTreeSet<ServiceName> {
    texts.iter().map(|text| name(text)).collect()
}

fn region(text: &str) -> Region {
    text.parse().expect("a region")
}

fn stage(text: &str) -> StageName {
    text.parse().expect("a stage")
}

/// What the stage, or the one behind it, was last deployed with.
fn commit() -> CommitSha {
    "abc1234000000000000000000000000000000000".parse().expect("a commit")
}

/// A service in a directory of its own name, with a test command.
fn service(text: &str, depends_on: &[&str]) -> Service {
    let mut service = Service::new(name(text), text, Framework::Serverless);
    service.depends_on = depends_on.iter().map(|text| Dependency::declared(name(text))).collect();
    service.commands.test = Some(Step::new("npm test"));
    service
}

/// A service without a test command, so that graphs stay short.
fn bare(text: &str, depends_on: &[&str]) -> Service {
    Service { commands: Commands::default(), ..service(text, depends_on) }
}

/// A service that reads an output of another, as its file says.
fn reader(text: &str, of: &str, reference: &str) -> Service {
    let reference: crate::output::Reference = reference.parse().expect("a reference");
    let file = format!("{text}/serverless.yml");
    let origin = DependencyOrigin::Output { reference: reference.clone(), file };
    Service {
        reads: vec![reference],
        depends_on: vec![Dependency { service: name(of), origin }],
        ..bare(text, &[])
    }
}

fn files(paths: &[&str]) -> Changes {
    Changes::Files { files: paths.iter().map(|path| (*path).to_owned()).collect() }
}

/// What a build of the stage `feature-x` finds; `dev` may stand behind it.
struct World {
    findings: Findings,
    forced: bool,
    only: Option<BTreeSet<ServiceName>>,
    regions: Regions,
    deployed: BTreeMap<(ServiceName, Region), Deployed>,
    base: Option<BTreeMap<(ServiceName, Region), CommitSha>>,
    parameters: BTreeMap<ParameterKey, String>,
}

impl World {
    /// Nothing is deployed, and nothing differs from what was.
    fn new(services: Vec<Service>) -> Self {
        Self {
            findings: Findings {
                services,
                changes: [(commit(), files(&[]))].into(),
                own_changes: [(commit(), files(&[]))].into(),
                post_deploy: None,
            },
            forced: false,
            only: None,
            regions: Regions { default: region("us-east-1"), of: BTreeMap::new() },
            deployed: BTreeMap::new(),
            base: None,
            parameters: BTreeMap::new(),
        }
    }

    /// These services run in the stage, in each of their regions, at [`commit`].
    fn deployed(mut self, services: &[&str]) -> Self {
        for service in services.iter().map(|text| name(text)) {
            for region in self.regions.of(&service).to_vec() {
                let at = Deployed::At { commit: commit() };
                self.deployed.insert((service.clone(), region), at);
            }
        }
        self
    }

    /// These files differ from [`commit`].
    fn changed(mut self, paths: &[&str]) -> Self {
        self.findings.changes.insert(commit(), files(paths));
        self
    }

    /// The stage `dev` has these services, at [`commit`].
    fn behind(mut self, services: &[&str]) -> Self {
        let key = |text: &&str| ((name(text), region("us-east-1")), commit());
        self.base = Some(services.iter().map(key).collect());
        self
    }

    /// These files changed on this side since it parted from [`commit`].
    fn changed_here(mut self, paths: &[&str]) -> Self {
        self.findings.own_changes.insert(commit(), files(paths));
        self
    }

    fn in_regions(mut self, service: &str, regions: &[&str]) -> Self {
        let regions = regions.iter().map(|text| region(text)).collect();
        self.regions.of.insert(name(service), regions);
        self
    }

    fn try_plan(&self) -> Result<Plan, PlanError> {
        let (own, dev) = (stage("feature-x"), stage("dev"));
        let base = self.base.as_ref().map(|deployed| Base { stage: &dev, deployed });
        let place = Place {
            stage: &own,
            forced: self.forced,
            only: self.only.as_ref(),
            regions: &self.regions,
            deployed: &self.deployed,
            base,
            parameters: &self.parameters,
        };
        plan(&PlanInput { findings: &self.findings, goal: Goal::Deploy(place) })
    }

    fn plan(&self) -> Plan {
        self.try_plan().expect("it can be planned")
    }
}

/// `service: run|follow|skip, reason` for every service.
fn decisions(plan: &Plan) -> Vec<String> {
    plan.services
        .iter()
        .map(|planned| {
            let name = &planned.service.name;
            match &planned.decision {
                Decision::Run { reason } => format!("{name}: run, {reason}"),
                Decision::Follow { reason, .. } => format!("{name}: follow, {reason}"),
                Decision::Skip { reason } => format!("{name}: skip, {reason}"),
            }
        })
        .collect()
}

/// `kind service <- needs` for every job, with its condition.
fn shown(jobs: &[PlannedJob]) -> Vec<String> {
    let list = |jobs: &[usize]| jobs.iter().map(usize::to_string).collect::<Vec<_>>().join(" ");
    jobs.iter()
        .map(|job| {
            let service = job.service.as_ref().map_or("the stage", ServiceName::as_str);
            let condition = match &job.condition {
                Condition::Always => String::new(),
                Condition::OutputsOf(jobs) => format!(", if outputs of {} changed", list(jobs)),
                Condition::AnyOf(jobs) => format!(", if any of {} ran", list(jobs)),
            };
            format!("{} {service} <- {}{condition}", job.kind.as_str(), list(&job.needs))
        })
        .collect()
}
