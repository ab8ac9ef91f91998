//! Stages: listed, shown with what is deployed there, their history, their removal.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, Query, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use model::app::digest_of;
use model::freeze::{Freeze, Frozen, in_force};
use model::stage::StageKind;
use model::worker_api::RemoveHow;
use model::{AppName, DeploymentId, StageId, StageName};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::PgConnection;
use store::app::App;
use store::audit::Deed;
use store::build::Build;
use store::signals::Topic;
use store::stage::Stage;
use utoipa::ToSchema;

use super::app;
use super::builds::created;
use super::view::{BuildView, DeploymentView, StageView};
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract;
use crate::openapi::wire;
use crate::order;
use crate::state::State;

const PAGE: i64 = 50;
const LARGEST_PAGE: i64 = 200;

#[derive(Serialize, ToSchema)]
pub(super) struct Stages {
    stages: Vec<StageView>,
}

/// The stages of an app
///
/// The open ones and the newest fifty that are closed.
#[utoipa::path(
    get,
    path = "/apps/{app}/stages",
    operation_id = "listStages",
    tag = "stages",
    responses(
        (status = 200, description = "The stages", body = Stages),
    ),
)]
pub(super) async fn list(
    Extract(state): Extract<State>,
    Path(name): Path<String>,
) -> Result<Json<Stages>> {
    let mut conn = state.db.acquire().await?;
    let app = app(&mut conn, &name).await?;
    let times = store::secret::times(&mut conn, app.id).await?;
    let mut stages = Vec::new();
    // an app has few stages: the open ones and the newest fifty closed
    let listed = store::stage::list(&mut conn, app.id).await?;
    let ids: Vec<StageId> = listed.iter().map(|stage| stage.id).collect();
    let frozen = store::freeze::among(&mut conn, &ids).await?;
    let personal = store::personal::among(&mut conn, &ids).await?;
    for stage in listed {
        let instances = store::instance::list(&mut conn, stage.id).await?;
        let digest = digest_of(&stage.parameters_in(&app.settings), &times);
        let looks = store::drift::of_stage(&mut conn, stage.id).await?;
        let freezes = freezes(&state, &app, &stage, frozen.get(&stage.id));
        let own = personal.get(&stage.id);
        let view = StageView::new(stage, instances, looks, &digest).frozen(&freezes).owned(own);
        stages.push(view);
    }
    Ok(Json(Stages { stages }))
}

/// A stage with what is deployed there
#[utoipa::path(
    get,
    path = "/apps/{app}/stages/{stage}",
    operation_id = "getStage",
    tag = "stages",
    responses(
        (status = 200, description = "The stage", body = StageView),
    ),
)]
pub(super) async fn show(
    Extract(state): Extract<State>,
    Path((name, stage)): Path<(String, String)>,
) -> Result<Json<StageView>> {
    let mut conn = state.db.acquire().await?;
    let app = app(&mut conn, &name).await?;
    let stage = find(&mut conn, &app, &stage).await?;
    Ok(Json(shown(&state, &mut conn, &app, stage).await?))
}

/// A stage with all there is to say of it.
pub(super) async fn shown(
    state: &State,
    conn: &mut PgConnection,
    app: &App,
    stage: Stage,
) -> Result<StageView> {
    let instances = store::instance::list(conn, stage.id).await?;
    let digest = parameters_digest(conn, app, &stage).await?;
    let frozen = store::freeze::of(conn, stage.id).await?;
    let freezes = freezes(state, app, &stage, frozen.as_ref());
    let looks = store::drift::of_stage(conn, stage.id).await?;
    let personal = store::personal::of(conn, stage.id).await?;
    let view = StageView::new(stage, instances, looks, &digest).frozen(&freezes);
    Ok(view.owned(personal.as_ref()))
}

/// All that freezes a stage now, what ends last first: only long-lived ones are frozen.
pub(crate) fn freezes(
    state: &State,
    app: &App,
    stage: &Stage,
    by_hand: Option<&Frozen>,
) -> Vec<Freeze> {
    match stage.kind {
        StageKind::LongLived => {}
        StageKind::Preview | StageKind::Personal => return Vec::new(),
    }
    let settings = app.settings.stage(&stage.name);
    let windows = settings.map_or(&[][..], |(_, settings)| &settings.freeze);
    in_force(by_hand, windows, state.now())
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

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// Only what is older than this deployment.
    #[param(value_type = Option<uuid::Uuid>)]
    before: Option<DeploymentId>,
    /// How many; more than 200 count as 200.
    #[param(minimum = 1, default = 50)]
    limit: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Deployments {
    deployments: Vec<DeploymentView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What was deployed to a stage, newest first
#[utoipa::path(
    get,
    path = "/apps/{app}/stages/{stage}/deployments",
    operation_id = "listDeployments",
    tag = "stages",
    params(Page),
    responses(
        (status = 200, description = "The deployments", body = Deployments),
    ),
)]
pub(super) async fn deployments(
    Extract(state): Extract<State>,
    Path((name, stage)): Path<(String, String)>,
    Query(page): Query<Page>,
) -> Result<Json<Deployments>> {
    let mut conn = state.db.acquire().await?;
    let app = app(&mut conn, &name).await?;
    let stage = find(&mut conn, &app, &stage).await?;
    let limit = extract::limit(page.limit, PAGE, LARGEST_PAGE)?;
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

#[derive(Deserialize, ToSchema)]
#[schema(as = RemoveWish)]
#[serde(deny_unknown_fields)]
struct Remove {
    /// What becomes of resources that cannot be deleted.
    #[serde(default)]
    #[schema(value_type = wire::RemoveHow)]
    how: RemoveHow,
}

/// Remove a preview or a personal stage
///
/// Long-lived stages are removed by nobody.
#[utoipa::path(
    post,
    path = "/apps/{app}/stages/{stage}/remove",
    operation_id = "removeStage",
    tag = "stages",
    request_body = Remove,
    responses(
        (status = 201, description = "The build", body = BuildView),
    ),
)]
pub(super) async fn remove(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<BuildView>)> {
    let Remove { how } = extract::json(&headers, &body)?;
    let build = remove_stage(&state, &caller, &name, &stage, how).await?;
    created(&state, build).await
}

pub(crate) async fn remove_stage(
    state: &State,
    caller: &Caller,
    name: &str,
    stage: &str,
    how: RemoveHow,
) -> Result<Build> {
    let mut tx = state.db.begin().await?;
    let app = app(&mut tx, name).await?;
    let stage = find(&mut tx, &app, stage).await?;
    super::personal::removable(&mut tx, caller, &app, stage.id, state.now()).await?;
    let build = order::remove(state, &mut tx, &app, &stage, how).await?;
    let did = Did::new(Deed::Remove, &app.name)
        .stage(&stage.name)
        .build(build.number)
        .detail(json!({ "how": how.as_str() }));
    audit::record(state, &mut tx, caller, did).await?;
    tx.commit().await.map_err(Error::internal)?;
    tracing::info!(app = %app.name, stage = %stage.name, by = caller.name, how = how.as_str(), "a stage is to be removed");
    state.signals.wake_engine();
    state.signals.wake_workers();
    state.signals.touched(Topic::Board);
    Ok(build)
}
