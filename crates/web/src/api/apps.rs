//! Apps: `PUT` puts an app file into force, `GET` shows it.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, Query, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use model::app::parse_json;
use model::permission::Action;
use model::{AppName, StageName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::{AppView, ChangeView};
use super::{app, status};
use crate::apply::{self, Variables};
use crate::auth::Caller;
use crate::error::{Error, Mistake, Result};
use crate::extract;
use crate::openapi::wire;
use crate::save::{self, Base, Outcome};
use crate::state::State;

#[derive(Serialize, ToSchema)]
pub(super) struct Apps {
    apps: Vec<AppView>,
}

/// An app as its file made it, with what the file's author should look at.
#[derive(Serialize, ToSchema)]
#[schema(as = AppliedApp)]
pub(super) struct Applied {
    #[serde(flatten)]
    app: AppView,
    warnings: Vec<String>,
    /// The stages that run with other parameters than they now have: a forced build of each puts
    /// them into force.
    #[schema(value_type = Vec<wire::StageName>)]
    parameters_changed: Vec<StageName>,
    /// The number of the settings in force now.
    revision: i64,
}

/// What putting a file into force would change.
#[derive(Serialize, ToSchema)]
#[schema(as = AppDifference)]
pub(super) struct Difference {
    #[schema(value_type = wire::AppName)]
    app: AppName,
    changes: Vec<ChangeView>,
    #[schema(value_type = Vec<wire::StageName>)]
    parameters_changed: Vec<StageName>,
    warnings: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum ApplyAnswer {
    Applied(Applied),
    Difference(Difference),
}

/// The apps that the token may read
///
/// By name.
#[utoipa::path(
    get,
    path = "/apps",
    operation_id = "listApps",
    tag = "apps",
    responses(
        (status = 200, description = "The apps", body = Apps),
    ),
)]
pub(super) async fn list(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Apps>> {
    let mut conn = state.db.acquire().await?;
    let mut apps = store::app::list(&mut conn).await?;
    apps.retain(|app| caller.allows(Action::Read, &app.name));
    Ok(Json(Apps { apps: apps.into_iter().map(AppView::from).collect() }))
}

/// An app with the settings in force
#[utoipa::path(
    get,
    path = "/apps/{app}",
    operation_id = "getApp",
    tag = "apps",
    responses(
        (status = 200, description = "The app", body = AppView),
    ),
)]
pub(super) async fn show(
    Extract(state): Extract<State>,
    Path(name): Path<String>,
) -> Result<Json<AppView>> {
    let mut conn = state.db.acquire().await?;
    Ok(Json(app(&mut conn, &name).await?.into()))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// Nothing changes; the answer says what would.
    #[serde(default)]
    dry_run: bool,
    /// The revision that the file was made from: refused if another one is in force.
    #[param(minimum = 1)]
    revision: Option<i64>,
}

/// Put an app file into force
///
/// Makes the app if there is none. With `dry_run` nothing changes, and the answer says what would.
/// Putting the same file twice changes nothing the second time.
#[utoipa::path(
    put,
    path = "/apps/{app}",
    operation_id = "putApp",
    tag = "apps",
    params(Options),
    request_body = wire::AppFile,
    responses(
        (status = 200, description = "The app as applied, or with `dry_run` the difference", body = ApplyAnswer),
        (status = 201, description = "The app is new", body = Applied),
        (status = 502, description = "GitHub does not answer as it should"),
    ),
)]
pub(super) async fn put(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(options): Query<Options>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<ApplyAnswer>)> {
    let name: AppName = extract::value("app", &name)?;
    save::may_save(&state, &caller, &name).await?;
    let value: serde_json::Value = extract::json(&headers, &body)?;
    let file = parse_json(&value)
        .map_err(|problems| Error::Invalid(problems.into_iter().map(Mistake::from).collect()))?;
    if file.settings.app != name {
        let message = format!("the address says {name}, the file {}", file.settings.app);
        return Err(Error::invalid("app", message));
    }
    // JSON has no lines: each is `key: message`
    let warnings: Vec<String> = file.warnings.iter().map(ToString::to_string).collect();
    let base = (options.revision.map_or(Base::Any, Base::Revision), Variables::Read);
    if options.dry_run {
        let applied = done(save::foresee(&state, &caller, &file, base).await?)?;
        let changes: Vec<ChangeView> = applied.changes.into_iter().map(Into::into).collect();
        let parameters_changed = applied.parameters_changed;
        let difference = Difference { app: name, changes, parameters_changed, warnings };
        return Ok((StatusCode::OK, Json(ApplyAnswer::Difference(difference))));
    }
    let applied = done(save::save(&state, &caller, &file, base).await?)?;
    let mut conn = state.db.acquire().await?;
    let app = AppView::from(store::app::get(&mut conn, applied.app).await?);
    let parameters_changed = applied.parameters_changed;
    let answer = Applied { app, warnings, parameters_changed, revision: applied.revision };
    Ok((status(applied.created), Json(ApplyAnswer::Applied(answer))))
}

fn done(outcome: Outcome) -> Result<apply::Applied> {
    match outcome {
        Outcome::Done(applied) => Ok(applied),
        Outcome::Moved(current) => Err(Error::Conflict(format!(
            "revision {current} is in force by now: look at it (GET …/revisions/{current}), and \
             apply your file to that one"
        ))),
    }
}
