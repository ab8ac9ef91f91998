//! Stages: listed, shown with what is deployed there, their history, their removal.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Extension, Path, Query, State as Extract};
use axum::http::StatusCode;
use model::app::digest_of;
use model::build::{Purpose, Source};
use model::permission::Action;
use model::{AppName, DeploymentId, ServiceName, StageName};
use serde::{Deserialize, Serialize};
use store::PgConnection;
use store::app::App;
use store::build::Build;
use store::signals::Topic;
use store::stage::Stage;

use super::app;
use super::builds::started;
use super::start::open;
use super::view::{BuildView, DeploymentView, StageView};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract;
use crate::order::{self, Order};
use crate::state::State;

const PAGE: i64 = 50;
const LARGEST_PAGE: i64 = 200;

#[derive(Serialize)]
pub(super) struct Stages {
    stages: Vec<StageView>,
}

pub(super) async fn list(
    Extract(state): Extract<State>,
    Path(name): Path<String>,
) -> Result<Json<Stages>> {
    let mut conn = state.db.acquire().await?;
    let app = app(&mut conn, &name).await?;
    let times = store::secret::times(&mut conn, app.id).await?;
    let mut stages = Vec::new();
    // an app has few stages: the open ones and the newest fifty closed
    for stage in store::stage::list(&mut conn, app.id).await? {
        let instances = store::instance::list(&mut conn, stage.id).await?;
        let digest = digest_of(&stage.parameters_in(&app.settings), &times);
        stages.push(StageView::new(stage, instances, &digest));
    }
    Ok(Json(Stages { stages }))
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Path((name, stage)): Path<(String, String)>,
) -> Result<Json<StageView>> {
    let mut conn = state.db.acquire().await?;
    let app = app(&mut conn, &name).await?;
    let stage = find(&mut conn, &app, &stage).await?;
    let instances = store::instance::list(&mut conn, stage.id).await?;
    let digest = parameters_digest(&mut conn, &app, &stage).await?;
    Ok(Json(StageView::new(stage, instances, &digest)))
}

/// The digest of the parameters that a stage has now: what an instance's is held against.
pub(crate) async fn parameters_digest(
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
) -> Result<String> {
    let times = store::secret::times(conn, app.id).await?;
    Ok(digest_of(&stage.parameters_in(&app.settings), &times))
}

/// The open stage of this name, or else the newest closed one.
pub(crate) async fn find(conn: &mut PgConnection, app: &App, name: &str) -> Result<Stage> {
    let name: StageName = extract::segment("stage", name)?;
    store::stage::find_latest(conn, app.id, &name)
        .await?
        .ok_or_else(|| Error::NotFound(format!("{} has no stage {name}", app.name)))
}

#[derive(Deserialize)]
pub(super) struct Page {
    before: Option<DeploymentId>,
    limit: Option<i64>,
}

#[derive(Serialize)]
pub(super) struct Deployments {
    deployments: Vec<DeploymentView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

pub(super) async fn deployments(
    Extract(state): Extract<State>,
    Path((name, stage)): Path<(String, String)>,
    Query(page): Query<Page>,
) -> Result<Json<Deployments>> {
    let mut conn = state.db.acquire().await?;
    let app = app(&mut conn, &name).await?;
    let stage = find(&mut conn, &app, &stage).await?;
    let limit = page.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let mut found = store::deployment::list(&mut conn, stage.id, page.before, limit + 1).await?;
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > shown;
    found.truncate(shown);
    let next = match found.last() {
        Some(last) if more => Some(next_page(&app.name, &stage.name, limit, last.id)),
        Some(_) | None => None,
    };
    Ok(Json(Deployments { deployments: found.into_iter().map(Into::into).collect(), next }))
}

fn next_page(app: &AppName, stage: &StageName, limit: i64, before: DeploymentId) -> String {
    format!("/api/v1/apps/{app}/stages/{stage}/deployments?limit={limit}&before={before}")
}

pub(super) async fn redeploy(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
) -> Result<(StatusCode, Json<BuildView>)> {
    let build = redeploy_stage(&state, &caller, &name, &stage).await?;
    let mut conn = state.db.acquire().await?;
    let jobs = store::job::list(&mut conn, build.id).await?;
    Ok((StatusCode::CREATED, Json(BuildView::whole(&state, build, jobs))))
}

/// Deploys what runs with other parameters than the stage has now, from the commit that the stage
/// was brought to last: whatever that build left alone is the same in it.
pub(crate) async fn redeploy_stage(
    state: &State,
    caller: &Caller,
    name: &str,
    stage: &str,
) -> Result<Build> {
    caller.may(Action::Build)?;
    let mut tx = state.db.begin().await?;
    let app = app(&mut tx, name).await?;
    let stage = find(&mut tx, &app, stage).await?;
    open(&stage)?;
    let digest = parameters_digest(&mut tx, &app, &stage).await?;
    // it may bring a newer commit, and is packaged with the new parameters anyway
    if let Some(other) = store::build::unfinished_on(&mut tx, stage.id).await?.first() {
        return Err(Error::Conflict(format!(
            "build {} of {} is under way: redeploy when it has ended",
            other.number, stage.name
        )));
    }
    let instances = store::instance::list(&mut tx, stage.id).await?;
    let latest = instances.iter().filter_map(|instance| instance.build_number).max();
    let latest = match latest {
        Some(number) => store::build::find(&mut tx, app.id, number).await?,
        None => None,
    };
    // a service that the commit no longer has cannot be deployed from it
    let is_there = |service: &ServiceName| {
        let planned = latest.iter().filter_map(|build| build.planned.as_ref()).flatten();
        planned.into_iter().any(|planned| planned.service.name == *service)
    };
    let changed = instances.iter().filter(|instance| instance.parameters_changed(&digest));
    let services: BTreeSet<ServiceName> =
        changed.map(|instance| instance.service.clone()).filter(is_there).collect();
    let Some(latest) = latest.filter(|_| !services.is_empty()) else {
        return Err(Error::Conflict(format!(
            "everything in {} runs with the parameters that the stage has now",
            stage.name
        )));
    };
    let order = Order {
        purpose: Purpose::Deploy,
        stage: Some(stage.id),
        source: Source {
            title: format!("Deploy {} with changed parameters", stage.name),
            author: caller.name.clone(),
            ..latest.source
        },
        forced: true,
        services: Some(services),
        preview_deploy: latest.preview_deploy,
    };
    let build = order::build(state, &mut tx, &app, order).await?;
    tx.commit().await.map_err(Error::internal)?;
    started(state, &build);
    Ok(build)
}

pub(super) async fn remove(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
) -> Result<(StatusCode, Json<BuildView>)> {
    let build = remove_stage(&state, &caller, &name, &stage).await?;
    let mut conn = state.db.acquire().await?;
    let jobs = store::job::list(&mut conn, build.id).await?;
    Ok((StatusCode::CREATED, Json(BuildView::whole(&state, build, jobs))))
}

pub(crate) async fn remove_stage(
    state: &State,
    caller: &Caller,
    name: &str,
    stage: &str,
) -> Result<Build> {
    caller.may(Action::Build)?;
    let mut tx = state.db.begin().await?;
    let app = app(&mut tx, name).await?;
    let stage = find(&mut tx, &app, stage).await?;
    let build = order::remove(state, &mut tx, &app, &stage).await?;
    tx.commit().await.map_err(Error::internal)?;
    tracing::info!(app = %app.name, stage = %stage.name, by = caller.name, "a stage is to be removed");
    state.signals.wake_engine();
    state.signals.wake_workers();
    state.signals.touched(Topic::Board);
    Ok(build)
}
