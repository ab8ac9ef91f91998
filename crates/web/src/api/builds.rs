//! Builds: listed, shown, canceled, run again. How they are started stands in [`super::start`].

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, Query, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use model::build::{BuildOutcome, Purpose};
use model::{AppName, StageName};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::PgConnection;
use store::app::App;
use store::audit::Deed;
use store::build::{Before, Build, BuildFilter, BuildState};
use store::gate::Gates;
use store::signals::Topic;
use utoipa::ToSchema;

use super::app;
use super::start::open;
use super::view::BuildView;
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract;
use crate::openapi::wire;
use crate::order::{self, Order};
use crate::state::State;

const PAGE: i64 = 30;
const LARGEST_PAGE: i64 = 100;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    #[param(value_type = Option<wire::BranchName>)]
    branch: Option<String>,
    #[param(value_type = Option<wire::CommitSha>)]
    commit: Option<String>,
    #[param(value_type = Option<wire::StageName>)]
    stage: Option<String>,
    #[param(value_type = Option<wire::BuildState>)]
    state: Option<String>,
    #[param(value_type = Option<wire::BuildOutcome>)]
    outcome: Option<String>,
    /// Builds that only look at stacks are listed when they are asked for.
    #[param(value_type = Option<wire::BuildPurpose>)]
    purpose: Option<String>,
    /// How many; more than 100 count as 100.
    #[param(minimum = 1, default = 30)]
    limit: Option<i64>,
    /// Only what is older than the build of this number.
    before: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Builds {
    pub(super) builds: Vec<BuildView>,
    /// Where the next page is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// The builds of an app, newest first
///
/// Without their jobs. Builds that only look at stacks are listed when `purpose=inspect` asks for them.
#[utoipa::path(
    get,
    path = "/apps/{app}/builds",
    operation_id = "listBuilds",
    tag = "builds",
    params(Filter),
    responses(
        (status = 200, description = "The builds", body = Builds),
    ),
)]
pub(super) async fn list(
    Extract(state): Extract<State>,
    Path(name): Path<String>,
    Query(filter): Query<Filter>,
) -> Result<Json<Builds>> {
    let mut conn = state.db.acquire().await?;
    let app = app(&mut conn, &name).await?;
    let limit = extract::limit(filter.limit, PAGE, LARGEST_PAGE)?;
    let stage = match &filter.stage {
        None => None,
        Some(stage) => {
            let stage: StageName = extract::value("stage", stage)?;
            match store::stage::find_latest(&mut conn, app.id, &stage).await? {
                Some(stage) => Some(stage.id),
                None => return Ok(Json(Builds { builds: Vec::new(), next: None })),
            }
        }
    };
    let wanted = BuildFilter {
        app: Some(app.id),
        apps: None,
        branch: filter.branch.as_deref().map(|b| extract::value("branch", b)).transpose()?,
        commit: filter.commit.as_deref().map(|c| extract::value("commit", c)).transpose()?,
        stage,
        state: filter.state.as_deref().map(build_state).transpose()?,
        outcome: filter.outcome.as_deref().map(build_outcome).transpose()?,
        purpose: filter.purpose.as_deref().map(build_purpose).transpose()?,
        before: filter.before.map(Before::Number),
        // one more than shown says whether there is a next page
        limit: limit + 1,
    };
    let mut builds = store::build::list(&mut conn, &wanted).await?;
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = builds.len() > shown;
    builds.truncate(shown);
    let next = match builds.last() {
        Some(last) if more => Some(next_page(&app.name, &filter, limit, last.number)),
        Some(_) | None => None,
    };
    let builds = builds.into_iter().map(|build| BuildView::listed(&state, build)).collect();
    Ok(Json(Builds { builds, next }))
}

pub(crate) fn build_state(text: &str) -> Result<BuildState> {
    match text {
        "running" => Ok(BuildState::Running),
        "waiting" => Ok(BuildState::Waiting),
        "finished" => Ok(BuildState::Finished),
        other => Err(Error::invalid(
            "state",
            format!("{other:?} is no state of a build: running, waiting or finished"),
        )),
    }
}

pub(crate) const PURPOSES: [Purpose; 6] = [
    Purpose::Deploy,
    Purpose::Test,
    Purpose::Remove,
    Purpose::Rollback,
    Purpose::Recover,
    Purpose::Inspect,
];

pub(crate) const OUTCOMES: [BuildOutcome; 5] = [
    BuildOutcome::Succeeded,
    BuildOutcome::Failed,
    BuildOutcome::Canceled,
    BuildOutcome::Superseded,
    BuildOutcome::Skipped,
];

pub(super) fn build_outcome(text: &str) -> Result<BuildOutcome> {
    OUTCOMES.into_iter().find(|outcome| outcome.as_str() == text).ok_or_else(|| {
        let known = OUTCOMES.map(BuildOutcome::as_str).join(", ");
        Error::invalid("outcome", format!("{text:?} is no outcome of a build: {known}"))
    })
}

pub(crate) fn build_purpose(text: &str) -> Result<Purpose> {
    PURPOSES.into_iter().find(|purpose| purpose.as_str() == text).ok_or_else(|| {
        let known = PURPOSES.map(Purpose::as_str).join(", ");
        Error::invalid("purpose", format!("{text:?} is no purpose of a build: {known}"))
    })
}

fn next_page(app: &AppName, filter: &Filter, limit: i64, before: i64) -> String {
    let mut next = format!("/api/v1/apps/{app}/builds?limit={limit}&before={before}");
    let given = [
        ("branch", &filter.branch),
        ("commit", &filter.commit),
        ("stage", &filter.stage),
        ("state", &filter.state),
        ("outcome", &filter.outcome),
        ("purpose", &filter.purpose),
    ];
    for (key, value) in given {
        if let Some(value) = value {
            next.push_str(&format!("&{key}={}", extract::escape(value)));
        }
    }
    next
}

/// A build with its jobs and what it asks
#[utoipa::path(
    get,
    path = "/apps/{app}/builds/{number}",
    operation_id = "getBuild",
    tag = "builds",
    responses(
        (status = 200, description = "The build", body = BuildView),
    ),
)]
pub(super) async fn show(
    Extract(state): Extract<State>,
    Path((name, number)): Path<(String, String)>,
) -> Result<Json<BuildView>> {
    let mut conn = state.db.acquire().await?;
    let app = app(&mut conn, &name).await?;
    let build = find(&mut conn, &app, &number).await?;
    whole(&state, &mut conn, build).await
}

pub(crate) async fn find(conn: &mut PgConnection, app: &App, number: &str) -> Result<Build> {
    let number: i64 = extract::segment("build", number)?;
    store::build::find(conn, app.id, number)
        .await?
        .ok_or_else(|| Error::NotFound(format!("{} has no build {number}", app.name)))
}

pub(super) async fn whole(
    state: &State,
    conn: &mut PgConnection,
    build: Build,
) -> Result<Json<BuildView>> {
    let jobs = store::job::list(conn, build.id).await?;
    let app = store::app::get(conn, build.app_id).await?;
    let progress = store::progress::of_build(conn, build.id).await?;
    let view = match Gates::load(conn, &app, &build, state.now()).await? {
        Some(gates) => BuildView::at_gate(state, build, jobs, &gates),
        None => BuildView::whole(state, build, jobs),
    };
    Ok(Json(view.so_far(&progress)))
}

pub(super) fn started(state: &State, build: &Build) {
    state.signals.wake_engine();
    state.signals.wake_workers();
    changed(state, build);
}

fn changed(state: &State, build: &Build) {
    state.signals.touched(Topic::Build(build.id));
    state.signals.touched(Topic::Board);
}

/// Cancel a build
///
/// A deploy that has begun goes on to its end; what has not begun does not begin.
#[utoipa::path(
    post,
    path = "/apps/{app}/builds/{number}/cancel",
    operation_id = "cancelBuild",
    tag = "builds",
    responses(
        (status = 202, description = "The build", body = BuildView),
    ),
)]
pub(super) async fn cancel(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, number)): Path<(String, String)>,
) -> Result<(StatusCode, Json<BuildView>)> {
    let build = cancel_build(&state, &caller, &name, &number).await?;
    let mut conn = state.db.acquire().await?;
    Ok((StatusCode::ACCEPTED, whole(&state, &mut conn, build).await?))
}

/// Notes the wish; the engine and the workers carry it out.
pub(crate) async fn cancel_build(
    state: &State,
    caller: &Caller,
    name: &str,
    number: &str,
) -> Result<Build> {
    let mut tx = state.db.begin().await?;
    let app = app(&mut tx, name).await?;
    let build = find(&mut tx, &app, number).await?;
    match build.state {
        BuildState::Finished => {
            return Err(Error::Conflict(format!("build {} has ended already", build.number)));
        }
        BuildState::Running | BuildState::Waiting => {}
    }
    let reason = format!("canceled by {}", caller.name);
    store::build::request_cancel(&mut tx, build.id, &reason, state.now()).await?;
    let build = store::build::get(&mut tx, build.id).await?;
    let did = Did::new(Deed::Cancel, &app.name).stage(build.stage.as_ref()).build(build.number);
    audit::record(state, &mut tx, caller, did).await?;
    tx.commit().await.map_err(Error::internal)?;
    state.signals.wake_engine();
    changed(state, &build);
    Ok(build)
}

#[derive(Deserialize, ToSchema)]
#[schema(as = RerunWish)]
#[serde(deny_unknown_fields)]
pub(super) struct Again {
    /// What is deployed as it should be is left alone.
    #[serde(default)]
    failed_only: bool,
}

/// Build the same commit again
///
/// For the same stage, as a new build.
#[utoipa::path(
    post,
    path = "/apps/{app}/builds/{number}/rerun",
    operation_id = "rerunBuild",
    tag = "builds",
    request_body = Again,
    responses(
        (status = 201, description = "The build", body = BuildView),
    ),
)]
pub(super) async fn rerun(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, number)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<BuildView>)> {
    let again: Again = extract::json(&headers, &body)?;
    let build = rerun_build(&state, &caller, &name, &number, again.failed_only).await?;
    let mut conn = state.db.acquire().await?;
    Ok((StatusCode::CREATED, whole(&state, &mut conn, build).await?))
}

/// The answer to whoever began a build.
pub(super) async fn created(state: &State, build: Build) -> Result<(StatusCode, Json<BuildView>)> {
    let mut conn = state.db.acquire().await?;
    let jobs = store::job::list(&mut conn, build.id).await?;
    Ok((StatusCode::CREATED, Json(BuildView::whole(state, build, jobs))))
}

/// A new build of the same commit for the same stage. `failed_only`: what is deployed as it should
/// be is left alone.
pub(crate) async fn rerun_build(
    state: &State,
    caller: &Caller,
    name: &str,
    number: &str,
    failed_only: bool,
) -> Result<Build> {
    let mut tx = state.db.begin().await?;
    let app = app(&mut tx, name).await?;
    let old = find(&mut tx, &app, number).await?;
    let stage = match old.stage_id {
        Some(id) => Some(store::stage::get(&mut tx, id).await?),
        None => None,
    };
    let build = match (old.purpose, stage) {
        (Purpose::Remove, Some(stage)) => {
            order::remove(state, &mut tx, &app, &stage, stage.remove_how).await?
        }
        (Purpose::Deploy | Purpose::Test | Purpose::Remove, stage) => {
            if let Some(stage) = &stage {
                open(stage)?;
            }
            let order = Order {
                purpose: old.purpose,
                stage: stage.map(|stage| stage.id),
                source: old.source,
                forced: !failed_only,
                services: old.services,
                preview_deploy: old.preview_deploy,
            };
            order::build(state, &mut tx, &app, order).await?
        }
        (Purpose::Rollback | Purpose::Recover | Purpose::Inspect, _) => {
            return Err(Error::Conflict(format!(
                "build {} is no build of a commit to run again: ask for a new {} of the stage",
                old.number,
                old.purpose.as_str()
            )));
        }
    };
    let did = Did::new(Deed::Rerun, &app.name)
        .stage(build.stage.as_ref())
        .build(build.number)
        .detail(json!({ "of_build": old.number, "failed_only": failed_only }));
    audit::record(state, &mut tx, caller, did).await?;
    tx.commit().await.map_err(Error::internal)?;
    started(state, &build);
    Ok(build)
}
