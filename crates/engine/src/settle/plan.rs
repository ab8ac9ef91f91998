//! Draws the plan of a build: findings of the plan job become jobs.

use std::collections::{BTreeMap, BTreeSet};

use model::build::{BuildEvent, BuildOutcome};
use model::job::JobKind;
use model::plan::{Findings, Plan, PlanInput, PlannedJob, PlannedService, goal};
use model::worker_api::JobResult;
use model::{InstanceId, JobId, Region, ServiceName, StageId, StageName};
use store::PgConnection;
use store::app::App;
use store::build::Build;
use store::job::{Job, NewJob, NewJobState, Work};

use super::ground::Ground;
use crate::{Engine, inspect};

pub(super) enum Drawn {
    /// The jobs are inserted; this is what is shown of the plan.
    Planned(Vec<PlannedService>),
    /// The findings make no graph: the build is finished, with the planner's sentence.
    Refused(BuildOutcome, String),
}

pub(super) async fn draw(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    build: &Build,
    jobs: &[Job],
) -> anyhow::Result<Drawn> {
    let now = engine.now();
    let findings = findings(jobs)?;
    let ground = match build.stage_id {
        Some(stage) => Some(Ground::load(conn, app, build, stage, findings).await?),
        None => None,
    };
    let place = ground.as_ref().map(|ground| ground.place(build));
    let Some(goal) = goal(build.purpose, place) else {
        anyhow::bail!("a build that has a plan tests, or deploys to its stage");
    };
    let plan = match unknown(build, findings) {
        Some(mistake) => Err(mistake),
        None => model::plan::plan(&PlanInput { findings, goal }).map_err(|error| error.to_string()),
    };
    let mut plan = match plan {
        Ok(plan) => plan,
        Err(mistake) => {
            let outcome = BuildOutcome::Failed;
            store::build::finish(conn, build.id, outcome, Some(&mistake), now).await?;
            return Ok(Drawn::Refused(outcome, mistake));
        }
    };
    let instances = match &ground {
        Some(ground) => {
            ground.explain(&mut plan.services);
            if let Some((_, regions)) = ground.foreseen() {
                model::plan::foresee(&mut plan, regions);
            }
            ensure_instances(engine, conn, ground.stage(), &plan).await?
        }
        None => Instances::new(),
    };
    let foreseen = ground.as_ref().and_then(Ground::foreseen).map(|(stage, _)| stage);
    let rows = rows(engine, build, findings, &plan, &instances, foreseen);
    if let Some(stage) = build.stage_id {
        let stage = store::stage::get(conn, stage).await?;
        let looks = inspect::beside(engine, conn, app, &stage, build.id, &rows).await?;
        store::job::insert(conn, &looks, now).await?;
    }
    store::job::insert(conn, &rows, now).await?;
    store::build::set_planned(conn, build.id, &plan.services).await?;
    Ok(Drawn::Planned(plan.services))
}

fn findings(jobs: &[Job]) -> anyhow::Result<&Findings> {
    jobs.iter()
        .find_map(|job| {
            let Some(JobResult::Planned { findings }) = &job.result else { return None };
            Some(findings)
        })
        .ok_or_else(|| anyhow::anyhow!("a plan job that succeeded has reported its findings"))
}

/// The mistake in the services that the build is for. A person named them for this commit, so each
/// must be there. A rule names them for every commit of its branch, also for one that does not have
/// all of them yet; but one that has none of them is a mistake too.
fn unknown(build: &Build, findings: &Findings) -> Option<String> {
    let wanted = build.services.as_ref()?;
    let known: BTreeSet<&ServiceName> =
        findings.services.iter().map(|service| &service.name).collect();
    let missing: Vec<&str> =
        wanted.iter().filter(|name| !known.contains(name)).map(ServiceName::as_str).collect();
    let is_mistake = match build.event {
        BuildEvent::Manual => !missing.is_empty(),
        BuildEvent::Push
        | BuildEvent::Tag
        | BuildEvent::PullRequest
        | BuildEvent::BranchDeleted
        | BuildEvent::PullRequestClosed
        | BuildEvent::Schedule => missing.len() == wanted.len(),
    };
    let known: Vec<&str> = known.into_iter().map(ServiceName::as_str).collect();
    is_mistake.then(|| {
        format!(
            "the build is for {}, which is no service of this commit; its services are: {}",
            missing.join(", "),
            known.join(", ")
        )
    })
}

type Instances = BTreeMap<(ServiceName, Region), InstanceId>;

async fn ensure_instances(
    engine: &Engine,
    conn: &mut PgConnection,
    stage: StageId,
    plan: &Plan,
) -> anyhow::Result<Instances> {
    let mut instances = Instances::new();
    for job in plan.jobs.iter().filter(|job| job.kind == JobKind::Deploy) {
        let (Some(service), Some(region)) = (&job.service, &job.region) else { continue };
        let Some(planned) = plan.services.iter().find(|s| s.service.name == *service) else {
            continue;
        };
        let id = store::instance::ensure(
            conn,
            InstanceId(engine.id()),
            stage,
            service,
            region,
            &planned.service,
            engine.now(),
        )
        .await?;
        instances.insert((service.clone(), region.clone()), id);
    }
    Ok(instances)
}

fn rows(
    engine: &Engine,
    build: &Build,
    findings: &Findings,
    plan: &Plan,
    instances: &Instances,
    foreseen: Option<&StageName>,
) -> Vec<NewJob> {
    let ids: Vec<JobId> = plan.jobs.iter().map(|_| JobId(engine.id())).collect();
    let row = |(id, job): (&JobId, &PlannedJob)| {
        let service = plan.services.iter().map(|planned| &planned.service);
        let spec = |name: &ServiceName| service.into_iter().find(|one| one.name == *name).cloned();
        let work = match (&job.service, job.kind, foreseen) {
            (Some(name), JobKind::Foresee, Some(stage)) => spec(name)
                .map(|service| Work::Foresee { service: Box::new(service), stage: stage.clone() }),
            (Some(name), _, _) => spec(name).map(Work::from),
            (None, _, _) => findings.post_deploy.clone().map(Work::Step),
        };
        let place = job.service.clone().zip(job.region.clone());
        let needs: Vec<JobId> = job.needs.iter().map(|&at| ids[at]).collect();
        NewJob {
            id: *id,
            build_id: build.id,
            kind: job.kind,
            service: job.service.clone(),
            region: job.region.clone(),
            instance_id: match job.kind {
                JobKind::Deploy
                | JobKind::Remove
                | JobKind::Rollback
                | JobKind::Recover
                | JobKind::Drift => place.and_then(|place| instances.get(&place).copied()),
                JobKind::Plan
                | JobKind::Test
                | JobKind::Package
                | JobKind::PostDeploy
                | JobKind::Foresee
                | JobKind::Sweep => None,
            },
            work,
            state: if needs.is_empty() { NewJobState::Queued } else { NewJobState::Blocked },
            needs,
            condition: job.condition.map(|&at| ids[at]),
        }
    };
    ids.iter().zip(&plan.jobs).map(row).collect()
}
