//! Any graph, any past, any end of each job: carried out to the end and looked at.
//!
//! The jobs are driven as the engine drives them, by [`advance`] and [`JobState::apply`], in a
//! random order, each ending as chance has it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::build::BuildOutcome;
use crate::job::{Failure, FailureKind, JobEvent, JobState, Lease, Outcome};
use crate::stage::StageKind;
use crate::status::{End, StatusState, statuses};
use crate::{JobId, WorkerId};

const US: &str = "us-east-1";
const EU: &str = "eu-west-1";

/// How one service depends on another.
#[derive(Debug, Clone, Copy)]
enum Edge {
    None,
    Declared,
    ReadHere,
    ReadElsewhere,
}

#[derive(Debug, Clone, Copy)]
enum Past {
    Never,
    Deployed,
    NotWhole,
    /// Only the stage behind has it.
    Behind,
}

#[derive(Debug, Clone)]
struct Shape {
    edges: Vec<Edge>,
    tested: Vec<bool>,
    regions: Vec<Vec<&'static str>>,
    /// Per service and region.
    pasts: Vec<Past>,
    order: Vec<usize>,
}

fn worlds() -> impl Strategy<Value = World> {
    let shape = (1..7_usize).prop_flat_map(|count| {
        let edge = prop_oneof![
            4 => Just(Edge::None),
            2 => Just(Edge::Declared),
            2 => Just(Edge::ReadHere),
            1 => Just(Edge::ReadElsewhere),
        ];
        let regions =
            prop_oneof![3 => Just(vec![US]), 1 => Just(vec![EU]), 1 => Just(vec![US, EU])];
        let past = prop_oneof![
            1 => Just(Past::Never),
            4 => Just(Past::Deployed),
            1 => Just(Past::NotWhole),
            2 => Just(Past::Behind),
        ];
        (
            vec(edge, count * count),
            vec(any::<bool>(), count),
            vec(regions, count),
            vec(past, count * 2),
            Just((0..count).collect::<Vec<_>>()).prop_shuffle(),
        )
            .prop_map(|(edges, tested, regions, pasts, order)| Shape {
                edges,
                tested,
                regions,
                pasts,
                order,
            })
    });
    let changed = || vec("(s[0-6]/x|shared/x)", 0..3);
    let only = proptest::option::weighted(0.2, proptest::collection::btree_set("s[0-6]", 1..4));
    let flags = (proptest::bool::weighted(0.1), any::<bool>());
    (shape, changed(), changed(), only, flags).prop_map(
        |(shape, changed, changed_here, only, (forced, post_deploy))| {
            let mut world = World::new(shape.services());
            world.forced = forced;
            world.only = only.map(|names| names.iter().map(|text| name(text)).collect());
            world.findings.post_deploy = post_deploy.then(|| Step::new("true"));
            world.findings.changes.insert(commit(), Changes::Files { files: changed });
            world.findings.own_changes.insert(commit(), Changes::Files { files: changed_here });
            shape.fill(&mut world);
            world
        },
    )
}

impl Shape {
    /// Services that depend only on those before them, in a shuffled order.
    fn services(&self) -> Vec<Service> {
        let count = self.tested.len();
        let numbered = |one: usize| {
            let mut service = if self.tested[one] {
                service(&format!("s{one}"), &[])
            } else {
                bare(&format!("s{one}"), &[])
            };
            service.watch =
                if one.is_multiple_of(2) { vec!["shared/**".into()] } else { Vec::new() };
            for other in 0..one {
                let of = format!("s{other}");
                let read = |reference: String| reader("x", &of, &reference);
                let from = match self.edges[one * count + other] {
                    Edge::None => continue,
                    Edge::Declared => bare("x", &[&of]),
                    Edge::ReadHere => read(format!("${{output:{of}.key}}")),
                    Edge::ReadElsewhere => read(format!("${{output::prod::{of}.key}}")),
                };
                service.depends_on.extend(from.depends_on);
                service.reads.extend(from.reads);
            }
            service
        };
        self.order.iter().map(|one| numbered(*one)).collect()
    }

    fn fill(&self, world: &mut World) {
        let mut behind = BTreeMap::new();
        for (one, regions) in self.regions.iter().enumerate() {
            let service = name(&format!("s{one}"));
            for (at, text) in regions.iter().enumerate() {
                let key = (service.clone(), region(text));
                match self.pasts[one * 2 + at] {
                    Past::Never => {}
                    Past::Deployed => {
                        world.deployed.insert(key, Deployed::At { commit: commit() });
                    }
                    Past::NotWhole => {
                        let reason = "the deploy failed".to_owned();
                        world.deployed.insert(key, Deployed::NotWhole { reason });
                    }
                    Past::Behind => drop(behind.insert(key, commit())),
                }
            }
            let regions = regions.iter().map(|text| region(text)).collect();
            world.regions.of.insert(service, regions);
        }
        world.base = Some(behind);
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("findings", &self.findings)
            .field("forced", &self.forced)
            .field("only", &self.only)
            .field("regions", &self.regions)
            .field("deployed", &self.deployed)
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

/// What becomes of a job once it runs.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Succeeds,
    /// A deploy that changes outputs; any other job just succeeds.
    Changes,
    Fails,
    Canceled,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        4 => Just(Fate::Succeeds),
        4 => Just(Fate::Changes),
        1 => Just(Fate::Fails),
        1 => Just(Fate::Canceled),
    ];
    // a job finds its fate by its position, around and around
    vec(fate, 1..40)
}

/// A build's jobs under way.
struct Run {
    jobs: Vec<PlannedJob>,
    needs: Vec<Vec<JobId>>,
    conditions: Vec<Condition<JobId>>,
    states: Vec<JobState>,
    changed_outputs: Vec<Vec<String>>,
}

fn id(position: usize) -> JobId {
    JobId(Uuid::from_u128(position as u128))
}

fn position(JobId(id): JobId) -> usize {
    usize::try_from(id.as_u128()).expect("a position")
}

impl Run {
    fn new(plan: &Plan) -> Self {
        let jobs = plan.jobs.clone();
        Self {
            needs: jobs.iter().map(|job| job.needs.iter().map(|at| id(*at)).collect()).collect(),
            conditions: jobs.iter().map(|job| job.condition.map(|at| id(*at))).collect(),
            states: vec![JobState::Blocked; jobs.len()],
            changed_outputs: vec![Vec::new(); jobs.len()],
            jobs,
        }
    }

    fn views(&self) -> Vec<JobView<'_>> {
        (0..self.jobs.len())
            .map(|at| JobView {
                id: id(at),
                kind: self.jobs[at].kind,
                service: self.jobs[at].service.as_ref(),
                state: &self.states[at],
                needs: &self.needs[at],
                condition: &self.conditions[at],
                changed_outputs: &self.changed_outputs[at],
            })
            .collect()
    }

    fn apply(&mut self, at: usize, event: JobEvent) {
        let state = self.states[at].clone();
        self.states[at] = state.apply(event).expect("the state allows it");
    }

    fn advance(&mut self) {
        for (job, event) in advance(&self.views()) {
            self.apply(position(job), event);
        }
        assert_eq!(advance(&self.views()), Vec::new(), "what was due was done at once");
    }

    /// Every job to its end, the next one to run chosen by `choices`.
    fn carry_out(&mut self, fates: &[Fate], choices: &[usize]) {
        let mut choices = choices.iter().cycle();
        loop {
            self.advance();
            let queued: Vec<usize> = (0..self.states.len())
                .filter(|at| matches!(self.states[*at], JobState::Queued { .. }))
                .collect();
            if queued.is_empty() {
                return;
            }
            let at = queued[choices.next().expect("there are some") % queued.len()];
            self.may_begin(at);
            self.end(at, fates[at % fates.len()]);
        }
    }

    /// No job runs before its needs, nor when what it would work on did not come of them.
    fn may_begin(&self, at: usize) {
        let job = &self.jobs[at];
        for need in &job.needs {
            let state = &self.states[*need];
            let through =
                matches!(state, JobState::Finished(Outcome::Succeeded | Outcome::Unneeded { .. }));
            assert!(through, "{job:?} runs though {need} is {state:?}");
        }
        let succeeded = |at: &usize| self.states[*at] == JobState::Finished(Outcome::Succeeded);
        match &job.condition {
            Condition::Always => {}
            Condition::OutputsOf(deploys) => {
                let changed = |at: &usize| !self.changed_outputs[*at].is_empty();
                assert!(deploys.iter().any(changed), "{job:?} runs though no output changed");
            }
            Condition::AnyOf(jobs) => {
                assert!(jobs.iter().any(succeeded), "{job:?} runs though none of those ran");
            }
        }
    }

    fn end(&mut self, at: usize, fate: Fate) {
        let lease = Lease {
            worker: WorkerId(Uuid::nil()),
            attempt: 1,
            expires_at: chrono::DateTime::UNIX_EPOCH,
        };
        let failure = Failure { kind: FailureKind::Step, message: "exit 1".into() };
        let outcome = match fate {
            Fate::Succeeds | Fate::Changes => Outcome::Succeeded,
            Fate::Fails => Outcome::Failed(failure),
            Fate::Canceled => Outcome::Canceled { reason: "by ann".into() },
        };
        if let (Fate::Changes, JobKind::Deploy) = (fate, self.jobs[at].kind) {
            self.changed_outputs[at] = vec!["key".to_owned()];
        }
        self.apply(at, JobEvent::Claimed(lease));
        self.apply(at, JobEvent::Reported { attempt: 1, outcome });
    }

    fn of(&self, kind: JobKind, planned: &PlannedService) -> Option<usize> {
        let wanted = (kind, Some(&planned.service.name), planned.region.as_ref());
        self.jobs
            .iter()
            .position(|job| (job.kind, job.service.as_ref(), job.region.as_ref()) == wanted)
    }
}

/// Whether the service has a cause of its own to run, said in the simplest way.
fn has_a_cause(world: &World, planned: &PlannedService) -> bool {
    let service = &planned.service;
    let key = (service.name.clone(), planned.region.clone().expect("a region"));
    let touched = |changes: &BTreeMap<CommitSha, Changes>| match &changes[&commit()] {
        Changes::Files { files } => files.iter().any(|file| {
            let watched = |service: &Service| !service.watch.is_empty();
            let somebody_s = world.findings.services.iter().any(|other| {
                file.starts_with(&format!("{}/", other.path))
                    || file.starts_with("shared/") && watched(other)
            });
            file.starts_with(&format!("{}/", service.path))
                || file.starts_with("shared/") && watched(service)
                || !somebody_s
        }),
        Changes::Unknown { .. } => true,
    };
    let behind = world.base.as_ref().is_some_and(|base| base.contains_key(&key));
    world.forced
        || match world.deployed.get(&key) {
            Some(Deployed::At { .. }) => touched(&world.findings.changes),
            Some(Deployed::NotWhole { .. }) => true,
            None => !behind || touched(&world.findings.own_changes),
        }
}

proptest! {
    #[test]
    fn a_service_is_decided_once_for_each_region_and_runs_only_for_a_cause(world in worlds()) {
        let plan = world.plan();
        let rows: BTreeSet<(&ServiceName, &Option<Region>)> =
            plan.services.iter().map(|planned| (&planned.service.name, &planned.region)).collect();
        let expected: usize =
            world.findings.services.iter().map(|s| world.regions.of(&s.name).len()).sum();
        prop_assert_eq!(rows.len(), plan.services.len());
        prop_assert_eq!(rows.len(), expected);
        for planned in &plan.services {
            let excluded =
                world.only.as_ref().is_some_and(|only| !only.contains(&planned.service.name));
            let runs = matches!(planned.decision, Decision::Run { .. });
            prop_assert_eq!(runs, !excluded && has_a_cause(&world, planned), "{:?}", planned);
            prop_assert!(!planned.decision.reason().is_empty());
            if excluded {
                let skipped = matches!(planned.decision, Decision::Skip { .. });
                prop_assert!(skipped);
            }
        }
    }

    #[test]
    fn needs_point_backwards_and_every_dependency_that_is_deployed_is_waited_for(world in worlds()) {
        let plan = world.plan();
        let run = Run::new(&plan);
        for (at, job) in plan.jobs.iter().enumerate() {
            let needs: BTreeSet<usize> = job.needs.iter().copied().collect();
            prop_assert!(needs.iter().all(|need| *need < at));
            prop_assert_eq!(needs.len(), job.needs.len());
            let asked: &[usize] = match &job.condition {
                Condition::Always => &[],
                Condition::OutputsOf(jobs) | Condition::AnyOf(jobs) => jobs,
            };
            prop_assert!(asked.iter().all(|at| needs.contains(at)), "{:?}", job);
        }
        for planned in &plan.services {
            let Some(package) = run.of(JobKind::Package, planned) else { continue };
            let deploy = run.of(JobKind::Deploy, planned).expect("it has both");
            prop_assert!(plan.jobs[deploy].needs.contains(&package));
            for dependency in &planned.service.depends_on {
                let there: Vec<&PlannedService> = plan
                    .services
                    .iter()
                    .filter(|other| other.service.name == dependency.service)
                    .collect();
                let near = there.iter().any(|other| other.region == planned.region);
                for other in there.iter().filter(|other| !near || other.region == planned.region) {
                    if let Some(before) = run.of(JobKind::Deploy, other) {
                        prop_assert!(plan.jobs[package].needs.contains(&before));
                        prop_assert!(plan.jobs[deploy].needs.contains(&before));
                    }
                }
            }
        }
    }

    #[test]
    fn a_build_comes_to_its_end_and_every_service_with_it(
        world in worlds(),
        fates in fates(),
        choices in vec(0..100_usize, 1..20),
    ) {
        let plan = world.plan();
        let mut run = Run::new(&plan);
        run.carry_out(&fates, &choices);
        let mut ended = Vec::new();
        for (at, state) in run.states.iter().enumerate() {
            let JobState::Finished(outcome) = state else {
                panic!("{:?} hangs: {state:?}", plan.jobs[at]);
            };
            let said = outcome.reason().is_none_or(|reason| !reason.is_empty());
            prop_assert!(said, "{:?} ended without a reason", plan.jobs[at]);
            ended.push(outcome);
        }
        for planned in &plan.services {
            let deploy = run.of(JobKind::Deploy, planned).map(|at| (ended[at], &plan.jobs[at]));
            match (&planned.decision, deploy) {
                (Decision::Skip { .. }, deploy) => prop_assert!(deploy.is_none()),
                (Decision::Run { .. }, Some((outcome, _))) => {
                    let ran = !matches!(outcome, Outcome::Unneeded { .. });
                    prop_assert!(ran, "{:?} ran for a cause of its own", planned);
                }
                (Decision::Follow { of, .. }, Some((outcome, _))) => {
                    let changed = plan.jobs.iter().zip(&run.changed_outputs).any(|(job, changed)| {
                        job.service.as_ref().is_some_and(|name| of.contains(name))
                            && !changed.is_empty()
                    });
                    let ran = matches!(outcome, Outcome::Succeeded | Outcome::Failed(_));
                    prop_assert!(changed || !ran, "{:?} followed nothing", planned);
                }
                (decision, None) => panic!("{decision:?} without a deploy"),
            }
        }
        let stands: Vec<(JobKind, &JobState)> =
            plan.jobs.iter().map(|job| job.kind).zip(&run.states).collect();
        let outcome = BuildOutcome::of(stands, false);
        prop_assert!(outcome.is_some());
        let stage = stage("feature-x");
        let shown = statuses(
            Purpose::Deploy,
            Some((&stage, StageKind::Preview)),
            Some(&plan.services),
            &run.views(),
            None,
            outcome.map(|outcome| End { outcome, reason: None }),
        );
        prop_assert!(shown.iter().all(|status| status.state != StatusState::Pending), "{:?}", shown);
    }

    #[test]
    fn a_failure_stops_only_what_depends_on_it(world in worlds(), failing in 0..30_usize) {
        let plan = world.plan();
        prop_assume!(!plan.jobs.is_empty());
        let failing = failing % plan.jobs.len();
        let fates: Vec<Fate> = (0..plan.jobs.len())
            .map(|at| if at == failing { Fate::Fails } else { Fate::Changes })
            .collect();
        let mut run = Run::new(&plan);
        run.carry_out(&fates, &[0]);
        let mut behind = BTreeSet::from([failing]);
        for (at, job) in plan.jobs.iter().enumerate() {
            if job.needs.iter().any(|need| behind.contains(need)) {
                behind.insert(at);
            }
            let stopped = matches!(run.states[at], JobState::Finished(Outcome::Skipped { .. }));
            prop_assert_eq!(stopped, behind.contains(&at) && at != failing, "{:?}", job);
        }
    }

    #[test]
    fn a_removal_is_the_deployment_backwards(world in worlds()) {
        let mut world = world;
        world.regions.of.clear();
        let of = |service: &Service| Removable {
            service: service.name.clone(),
            region: region(US),
            depends_on: service.depends_on.iter().map(|d| d.service.clone()).collect(),
        };
        let instances: Vec<Removable> = world.findings.services.iter().map(of).collect();
        let removal: Vec<Option<ServiceName>> =
            plan_removal(&instances).expect("a plan").into_iter().map(|job| job.service).collect();
        let mut deploys: Vec<Option<ServiceName>> =
            world.plan().services.into_iter().map(|planned| Some(planned.service.name)).collect();
        deploys.reverse();
        prop_assert_eq!(removal, deploys);
    }
}
