//! Orders: a build, its stage and its first jobs as rows, whoever asks (a webhook through the
//! engine, a person through the API).
//!
//! What always holds: all of it is the caller's transaction. A newer build of a stage supersedes
//! the older ones of that stage here and nowhere else; a name of a stage is given here, so that no
//! two branches get the same.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::build::{BuildEvent, Purpose, Source};
use model::deployment::InstanceState;
use model::job::JobKind;
use model::plan::{PlanError, Removable, plan_removal};
use model::stage::{StageKind, StageState, preview_name, same_stage};
use model::{BranchName, BuildId, JobId, ServiceName, StageId, StageName};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::app::App;
use crate::build::{Build, NewBuild};
use crate::error::Result;
use crate::instance::Instance;
use crate::job::{NewJob, NewJobState};
use crate::stage::{NewStage, Stage};
use crate::{app, build, instance, job, stage};

/// When it happens, and where new ids come from.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    pub now: DateTime<Utc>,
    pub ids: &'a (dyn Fn() -> Uuid + Send + Sync),
}

impl Moment<'_> {
    fn id(&self) -> Uuid {
        (self.ids)()
    }
}

/// What is to be built, and why.
pub struct Order<'a> {
    pub app: &'a App,
    pub event: BuildEvent,
    pub purpose: Purpose,
    pub stage: Option<StageId>,
    pub source: Source,
    /// Every service is built, changed or not.
    pub forced: bool,
    /// The webhook delivery that asks for it; it gets one build of a purpose for each stage,
    /// however often it is processed.
    pub delivery: Option<&'a str>,
}

/// A build that begins with a plan.
pub async fn build(conn: &mut PgConnection, order: Order<'_>, at: Moment<'_>) -> Result<Build> {
    let id = insert(conn, order, at).await?;
    let plan = NewJob {
        id: JobId(at.id()),
        build_id: id,
        kind: JobKind::Plan,
        service: None,
        instance_id: None,
        spec: None,
        needs: Vec::new(),
        state: NewJobState::Queued,
    };
    job::insert(conn, &[plan], at.now).await?;
    build::get(conn, id).await
}

/// The row of a stage that the settings name; its first build makes it.
pub async fn long_lived(
    conn: &mut PgConnection,
    app: &App,
    name: &StageName,
    at: Moment<'_>,
) -> Result<Stage> {
    if let Some(stage) = stage::find_open(conn, app.id, name).await? {
        stage::touch(conn, stage.id, None, at.now).await?;
        return Ok(stage);
    }
    begin(conn, app, name.clone(), StageKind::LongLived, None, None, at).await
}

/// The preview of a branch: the one it has, or a new one under a name that no other branch and no
/// long-lived stage has.
pub async fn preview(
    conn: &mut PgConnection,
    app: &App,
    branch: &BranchName,
    pull_request: Option<i64>,
    at: Moment<'_>,
) -> Result<Stage> {
    if let Some(stage) = stage::find_preview(conn, app.id, branch).await? {
        stage::touch(conn, stage.id, pull_request, at.now).await?;
        return Ok(stage);
    }
    let open = stage::open(conn, app.id).await?;
    let name = preview_name(branch, |name| {
        app.settings.long_lived().any(|stage| same_stage(stage, name))
            || open.iter().any(|stage| same_stage(&stage.name, name))
    });
    begin(conn, app, name, StageKind::Preview, Some(branch), pull_request, at).await
}

async fn begin(
    conn: &mut PgConnection,
    app: &App,
    name: StageName,
    kind: StageKind,
    branch: Option<&BranchName>,
    pull_request: Option<i64>,
    at: Moment<'_>,
) -> Result<Stage> {
    let stage = NewStage {
        id: StageId(at.id()),
        app_id: app.id,
        profile: app.settings.profile_of(&name).0.clone(),
        name,
        kind,
        branch: branch.cloned(),
        pull_request,
        created_at: at.now,
    };
    stage::insert(conn, &stage).await?;
    stage::get(conn, stage.id).await
}

/// What became of the wish to remove a stage.
#[derive(Debug)]
pub enum Removal {
    /// A build removes every instance, dependents first. What still runs on the stage is
    /// superseded; a deploy under way is let finish, and its removal waits for it.
    Ordered(Box<Build>),
    /// Nothing was ever built in it; it is closed.
    NothingThere,
}

pub async fn removal(
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    event: BuildEvent,
    delivery: Option<&str>,
    at: Moment<'_>,
) -> Result<Removal> {
    let Some(latest) = build::latest_on(conn, stage.id).await? else {
        stage::set_state(conn, stage.id, StageState::Closed, at.now).await?;
        return Ok(Removal::NothingThere);
    };
    let instances: Vec<Instance> = instance::list(conn, stage.id)
        .await?
        .into_iter()
        .filter(|instance| instance.state != InstanceState::Removed)
        .collect();
    stage::set_state(conn, stage.id, StageState::Removing, at.now).await?;
    let order = Order {
        app,
        event,
        purpose: Purpose::Remove,
        stage: Some(stage.id),
        source: Source { title: format!("Remove {}", stage.name), ..latest.source },
        forced: false,
        delivery,
    };
    let id = insert(conn, order, at).await?;
    job::insert(conn, &removal_jobs(id, &instances, at), at.now).await?;
    Ok(Removal::Ordered(Box::new(build::get(conn, id).await?)))
}

async fn insert(conn: &mut PgConnection, order: Order<'_>, at: Moment<'_>) -> Result<BuildId> {
    let number = app::next_build_number(conn, order.app.id).await?;
    let id = BuildId(at.id());
    let new = NewBuild {
        id,
        app_id: order.app.id,
        number,
        event: order.event,
        purpose: order.purpose,
        stage_id: order.stage,
        source: order.source,
        forced: order.forced,
        delivery_guid: order.delivery.map(str::to_owned),
        created_at: at.now,
    };
    build::insert(conn, &new).await?;
    if let Some(stage) = order.stage {
        build::supersede(conn, stage, number, number, at.now).await?;
    }
    Ok(id)
}

/// One job an instance; a service that was deployed to two regions has two.
fn removal_jobs(build: BuildId, instances: &[Instance], at: Moment<'_>) -> Vec<NewJob> {
    let mut by_service: BTreeMap<&ServiceName, Vec<(JobId, &Instance)>> = BTreeMap::new();
    for instance in instances {
        by_service.entry(&instance.service).or_default().push((JobId(at.id()), instance));
    }
    let needs_of = dependents(instances);
    let mut jobs = Vec::new();
    for (service, at_regions) in &by_service {
        let needs: Vec<JobId> = needs_of
            .get(service)
            .into_iter()
            .flatten()
            .filter_map(|dependent| by_service.get(dependent))
            .flatten()
            .map(|(id, _)| *id)
            .collect();
        jobs.extend(at_regions.iter().map(|(id, instance)| NewJob {
            id: *id,
            build_id: build,
            kind: JobKind::Remove,
            service: Some(instance.service.clone()),
            instance_id: Some(instance.id),
            spec: Some(instance.spec.clone()),
            state: if needs.is_empty() { NewJobState::Queued } else { NewJobState::Blocked },
            needs: needs.clone(),
        }));
    }
    jobs
}

/// The services that must be gone before each. Services whose last deployments, taken together,
/// depend on each other in a circle are removed side by side: CloudFormation itself refuses what
/// is still in use, and the removal can be asked for again.
fn dependents(instances: &[Instance]) -> BTreeMap<ServiceName, Vec<ServiceName>> {
    let removable: Vec<Removable> = instances
        .iter()
        .map(|instance| Removable {
            service: instance.service.clone(),
            depends_on: instance.spec.depends_on.clone(),
        })
        .collect();
    match plan_removal(&removable) {
        Ok(planned) => planned
            .iter()
            .map(|job| {
                let needs = job.needs.iter().map(|&at| planned[at].service.clone()).collect();
                (job.service.clone(), needs)
            })
            .collect(),
        Err(
            PlanError::NoServices
            | PlanError::DuplicateService { .. }
            | PlanError::UnknownDependency { .. }
            | PlanError::Cycle { .. },
        ) => BTreeMap::new(),
    }
}
