//! Orders: a build, its stage and its first jobs as rows, whoever asks (a webhook through the
//! engine, a person through the API).
//!
//! What always holds: all of it is the caller's transaction. A newer build of a stage supersedes
//! the older ones of that stage whose services it is for too, here and nowhere else; a name of a stage is given here, so that no
//! two branches get the same. Nothing that a webhook wants touches a personal stage.

mod by_hand;
mod foresee;
mod inspect;
mod personal;
mod preview;
mod recover;
mod removal;
mod rollback;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use model::app::PreviewDeploy;
use model::build::{BuildEvent, Purpose, Source};
use model::job::JobKind;
use model::plan::Condition;
use model::stage::StageKind;
use model::{BranchName, BuildId, JobId, ServiceName, StageId, StageName};
use sqlx::PgConnection;
use uuid::Uuid;

pub use by_hand::{extend, removable};
pub use foresee::foresights;
pub use inspect::{Asked, discard, drift, has_stacks, look, regions, sweep};
pub use personal::{personal, use_personal};
pub use preview::{Place, PreviewWanted, full, preview, preview_for};
pub use recover::{recoverable, recovery};
pub use removal::{Removal, RemovalWanted, doomed, removal};
pub use rollback::{Back, Rollback, Step, Untouched, Why, rollback};

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
            StageKind::LongLived => {}
            // a deploy of the app's rules would go where a deleted branch removes everything
            StageKind::Preview => {
                return Err(Error::NotAllowed(format!(
                    "{} is a preview that stands under the name of a stage of the app file: remove \
                     it first",
                    stage.name
                )));
            }
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
    let pull_request = order.source.pull_request;
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
    if let Some(pull_request) = pull_request {
        build::supersede_tests(conn, order.app.id, pull_request, number, at.now).await?;
    }
    let Some(stage) = order.stage else { return Ok(id) };
    if is_use(order.purpose) {
        use_stage(conn, order.app, stage, at.now).await?;
    }
    match order.purpose {
        Purpose::Deploy | Purpose::Test | Purpose::Remove => {
            build::supersede(conn, stage, number, number, services.as_ref(), at.now).await?;
        }
        // also what is for more than the service that goes back: it would bring that one forward
        Purpose::Rollback => {
            build::supersede(conn, stage, number, number, None, at.now).await?;
        }
        // they bring nothing that an older build could undo
        Purpose::Recover | Purpose::Inspect => {}
    }
    Ok(id)
}

/// Whether whoever asks for the build needs its stage.
fn is_use(purpose: Purpose) -> bool {
    match purpose {
        Purpose::Deploy | Purpose::Rollback | Purpose::Recover => true,
        Purpose::Test | Purpose::Remove | Purpose::Inspect => false,
    }
}

/// Somebody needs the stage: if it is a preview that expires, its time begins anew.
pub async fn use_stage(
    conn: &mut PgConnection,
    app: &App,
    id: StageId,
    now: DateTime<Utc>,
) -> Result<()> {
    let stage = stage::get(conn, id).await?;
    let expiry = stage.expiry_in(&app.settings, now);
    stage::used(conn, id, expiry, now).await
}

/// The app's settings changed: each preview lives as long as its rule says now, and each personal
/// stage as long as they say.
pub async fn reschedule(conn: &mut PgConnection, app: &App) -> Result<()> {
    for stage in stage::open(conn, app.id).await? {
        match stage.kind {
            StageKind::Preview => {
                let expiry = stage.expiry_in(&app.settings, stage.active_at);
                stage::reschedule(conn, stage.id, expiry).await?;
            }
            StageKind::Personal => {
                if let Some(own) = crate::personal::of(conn, stage.id).await? {
                    let expiry = personal::expiry(app, own.used_at);
                    crate::personal::reschedule(conn, stage.id, expiry).await?;
                }
            }
            StageKind::LongLived => {}
        }
    }
    Ok(())
}
