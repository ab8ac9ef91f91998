//! Orders: a build, its stage and its first jobs as rows, whoever asks (a webhook through the
//! engine, a person through the API).
//!
//! What always holds: all of it is the caller's transaction. A newer build of a stage supersedes
//! the older ones of that stage whose services it is for too, here and nowhere else; a name of a stage is given here, so that no
//! two branches get the same. Nothing that a webhook wants touches a personal stage.

mod removal;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use model::app::PreviewDeploy;
use model::build::{BuildEvent, Purpose, Source};
use model::job::JobKind;
use model::plan::Condition;
use model::stage::{StageKind, preview_name, same_stage};
use model::{BranchName, BuildId, JobId, ServiceName, StageId, StageName};
use sqlx::PgConnection;
use uuid::Uuid;

pub use removal::{Removal, removal};

use crate::app::App;
use crate::build::{Build, NewBuild};
use crate::error::{Error, Result};
use crate::job::{NewJob, NewJobState};
use crate::stage::{NewStage, Stage};
use crate::{app, build, job, stage};

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
    /// What it is for; `None`: every service.
    pub services: Option<BTreeSet<ServiceName>>,
    /// How much of the app it deploys, if the stage is a preview.
    pub preview_deploy: PreviewDeploy,
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
        region: None,
        instance_id: None,
        work: None,
        needs: Vec::new(),
        condition: Condition::Always,
        state: NewJobState::Queued,
    };
    job::insert(conn, &[plan], at.now).await?;
    build::get(conn, id).await
}

/// The row of a stage that the settings name; its first build makes it. If somebody has a personal
/// stage of that name, it stays theirs.
pub async fn long_lived(
    conn: &mut PgConnection,
    app: &App,
    name: &StageName,
    at: Moment<'_>,
) -> Result<Stage> {
    if let Some(stage) = stage::find_open(conn, app.id, name).await? {
        match stage.kind {
            StageKind::LongLived | StageKind::Preview => {}
            StageKind::Personal => {
                return Err(Error::NotAllowed(format!(
                    "{} is somebody's personal stage, which no build of the app's rules touches: \
                     give the stage another name in the app file, or remove the personal one first",
                    stage.name
                )));
            }
        }
        stage::touch(conn, stage.id, None, at.now).await?;
        return Ok(stage);
    }
    begin(conn, app, name.clone(), StageKind::LongLived, None, None, at).await
}

/// The preview of a branch: the one it has, or a new one under a name that no other branch, no
/// long-lived and no personal stage has.
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

async fn insert(conn: &mut PgConnection, order: Order<'_>, at: Moment<'_>) -> Result<BuildId> {
    let number = app::next_build_number(conn, order.app.id).await?;
    let id = BuildId(at.id());
    let services = order.services.clone();
    let new = NewBuild {
        id,
        app_id: order.app.id,
        number,
        event: order.event,
        purpose: order.purpose,
        stage_id: order.stage,
        source: order.source,
        forced: order.forced,
        services: order.services,
        preview_deploy: order.preview_deploy,
        delivery_guid: order.delivery.map(str::to_owned),
        created_at: at.now,
    };
    build::insert(conn, &new).await?;
    if let Some(stage) = order.stage {
        build::supersede(conn, stage, number, number, services.as_ref(), at.now).await?;
    }
    Ok(id)
}
