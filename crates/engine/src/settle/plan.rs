//! Draws the plan of a build: findings of the plan job become jobs.

use std::collections::BTreeMap;

use model::build::{BuildOutcome, Purpose};
use model::deployment::InstanceState;
use model::job::JobKind;
use model::plan::{Deployed, Findings, Plan, PlanInput, PlannedJob, PlannedService};
use model::worker_api::JobResult;
use model::{InstanceId, JobId, Region, ServiceName, StageId};
use store::PgConnection;
use store::app::App;
use store::build::Build;
use store::job::{Job, NewJob, NewJobState};

use crate::Engine;

pub(super) enum Drawn {
    /// The jobs are inserted; this is what is shown of the plan.
    Planned(Vec<PlannedService>),
    /// The findings make no graph: the build is finished, with the planner's sentence.
    Refused(BuildOutcome),
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
    let deployed = match build.stage_id {
        Some(stage) => deployed(conn, stage).await?,
        None => BTreeMap::new(),
    };
    let input =
        PlanInput { purpose: build.purpose, forced: build.forced, findings, deployed: &deployed };
    let plan = match model::plan::plan(&input) {
        Ok(plan) => plan,
        Err(error) => {
            let outcome = BuildOutcome::Failed;
            store::build::finish(conn, build.id, outcome, Some(&error.to_string()), now).await?;
            return Ok(Drawn::Refused(outcome));
        }
    };
    let instances = match build.stage_id {
        Some(stage) if build.purpose == Purpose::Deploy => {
            let region = match &build.stage {
                Some(name) => app.settings.profile_of(name).1.region.clone(),
                None => anyhow::bail!("a build with a stage has the stage's name"),
            };
            ensure_instances(engine, conn, stage, &region, &plan).await?
        }
        Some(_) | None => BTreeMap::new(),
    };
    let rows = rows(engine, build, &plan, &instances);
    store::job::insert(conn, &rows, now).await?;
    store::build::set_planned(conn, build.id, &plan.services).await?;
    Ok(Drawn::Planned(plan.services))
}

fn findings(jobs: &[Job]) -> anyhow::Result<&Findings> {
    jobs.iter()
        .find_map(|job| match &job.result {
            Some(JobResult::Planned { findings }) => Some(findings),
            Some(JobResult::Packaged { .. } | JobResult::Deployed { .. } | JobResult::Removed)
            | None => None,
        })
        .ok_or_else(|| anyhow::anyhow!("a plan job that succeeded has reported its findings"))
}

async fn deployed(
    conn: &mut PgConnection,
    stage: StageId,
) -> anyhow::Result<BTreeMap<ServiceName, Deployed>> {
    Ok(store::instance::list(conn, stage)
        .await?
        .into_iter()
        .map(|instance| {
            let deployed = match (instance.state, instance.commit) {
                (InstanceState::Deployed, Some(commit)) => Deployed::At { commit },
                (InstanceState::Deployed | InstanceState::Deploying, _) => {
                    Deployed::NotWhole { reason: "its last deployment did not end".into() }
                }
                (InstanceState::Failed, _) => {
                    Deployed::NotWhole { reason: "its last deployment failed".into() }
                }
                (InstanceState::Removing | InstanceState::Removed, Some(_)) => {
                    Deployed::NotWhole { reason: "it was removed".into() }
                }
                (InstanceState::Removing | InstanceState::Removed, None) => {
                    Deployed::NotWhole { reason: "it was never deployed here".into() }
                }
            };
            (instance.service, deployed)
        })
        .collect())
}

async fn ensure_instances(
    engine: &Engine,
    conn: &mut PgConnection,
    stage: StageId,
    region: &Region,
    plan: &Plan,
) -> anyhow::Result<BTreeMap<ServiceName, InstanceId>> {
    let mut instances = BTreeMap::new();
    for job in plan.jobs.iter().filter(|job| job.kind == JobKind::Deploy) {
        let Some(planned) = plan.services.iter().find(|s| s.service.name == job.service) else {
            continue;
        };
        let id = store::instance::ensure(
            conn,
            InstanceId(engine.id()),
            stage,
            &job.service,
            region,
            &planned.service,
            engine.now(),
        )
        .await?;
        instances.insert(job.service.clone(), id);
    }
    Ok(instances)
}

fn rows(
    engine: &Engine,
    build: &Build,
    plan: &Plan,
    instances: &BTreeMap<ServiceName, InstanceId>,
) -> Vec<NewJob> {
    let ids: Vec<JobId> = plan.jobs.iter().map(|_| JobId(engine.id())).collect();
    let row = |(id, job): (&JobId, &PlannedJob)| {
        let spec = plan
            .services
            .iter()
            .find(|planned| planned.service.name == job.service)
            .map(|planned| planned.service.clone());
        let needs: Vec<JobId> = job.needs.iter().map(|&at| ids[at]).collect();
        NewJob {
            id: *id,
            build_id: build.id,
            kind: job.kind,
            service: Some(job.service.clone()),
            instance_id: match job.kind {
                JobKind::Deploy | JobKind::Remove => instances.get(&job.service).copied(),
                JobKind::Plan | JobKind::Test | JobKind::Package => None,
            },
            spec,
            state: if needs.is_empty() { NewJobState::Queued } else { NewJobState::Blocked },
            needs,
        }
    };
    ids.iter().zip(&plan.jobs).map(row).collect()
}
