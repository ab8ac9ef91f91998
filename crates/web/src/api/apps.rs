//! Apps: `PUT` puts an app file into force, `GET` shows it.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, Query, State as Extract};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use model::app::parse_json;
use model::permission::Action;
use model::{AppName, StageName};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::view::{AppView, ChangeView};
use super::{app, status};
use crate::apply::{self, Variables};
use crate::auth::Caller;
use crate::error::{Error, Mistake, Result};
use crate::extract;
use crate::save::{self, Base, Outcome};
use crate::state::State;

#[derive(Serialize)]
pub(super) struct Apps {
    apps: Vec<AppView>,
}

/// An app as its file made it, with what the file's author should look at.
#[derive(Serialize)]
struct Applied {
    #[serde(flatten)]
    app: AppView,
    warnings: Vec<String>,
    /// The stages that run with other parameters than they now have: a forced build of each puts
    /// them into force.
    parameters_changed: Vec<StageName>,
    /// The number of the settings in force now.
    revision: i64,
}

pub(super) async fn list(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Apps>> {
    let mut conn = state.db.acquire().await?;
    let mut apps = store::app::list(&mut conn).await?;
    apps.retain(|app| caller.allows(Action::Read, &app.name));
    Ok(Json(Apps { apps: apps.into_iter().map(AppView::from).collect() }))
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Path(name): Path<String>,
) -> Result<Json<AppView>> {
    let mut conn = state.db.acquire().await?;
    Ok(Json(app(&mut conn, &name).await?.into()))
}

#[derive(Deserialize)]
pub(super) struct Options {
    #[serde(default)]
    dry_run: bool,
    /// The revision that the file was made from: refused if another one is in force.
    revision: Option<i64>,
}

pub(super) async fn put(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(options): Query<Options>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response> {
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
        let answer = json!({
            "app": name,
            "changes": changes,
            "parameters_changed": applied.parameters_changed,
            "warnings": warnings,
        });
        return Ok(Json(answer).into_response());
    }
    let applied = done(save::save(&state, &caller, &file, base).await?)?;
    let mut conn = state.db.acquire().await?;
    let app = AppView::from(store::app::get(&mut conn, applied.app).await?);
    let parameters_changed = applied.parameters_changed;
    let answer = Applied { app, warnings, parameters_changed, revision: applied.revision };
    Ok((status(applied.created), Json(answer)).into_response())
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
