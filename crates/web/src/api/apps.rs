//! Apps: `PUT` puts an app file into force, `GET` shows it.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, Query, State as Extract};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use model::app::{AppFile, parse_json};
use model::permission::Action;
use model::{AppName, StageName};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::audit::Deed;
use store::signals::Topic;

use super::view::{AppView, ChangeView};
use super::{app, status};
use crate::apply::{ApplyError, apply, changed};
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Mistake, Result};
use crate::extract;
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
}

pub(super) async fn list(Extract(state): Extract<State>) -> Result<Json<Apps>> {
    let mut conn = state.db.acquire().await?;
    let apps = store::app::list(&mut conn).await?.into_iter().map(AppView::from).collect();
    Ok(Json(Apps { apps }))
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
}

pub(super) async fn put(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(options): Query<Options>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response> {
    caller.may(Action::Configure)?;
    let name: AppName = extract::value("app", &name)?;
    let value: serde_json::Value = extract::json(&headers, &body)?;
    let file = parse_json(&value)
        .map_err(|problems| Error::Invalid(problems.into_iter().map(Mistake::from).collect()))?;
    if file.settings.app != name {
        let message = format!("the address says {name}, the file {}", file.settings.app);
        return Err(Error::invalid("app", message));
    }
    // JSON has no lines: each is `key: message`
    let warnings: Vec<String> = file.warnings.iter().map(ToString::to_string).collect();
    let repository_id = repository_id(&state, &file).await?;
    let mut tx = state.db.begin().await?;
    let (now, ids) = (state.now(), &*state.ids);
    let applied = apply(&mut tx, &state.vault, &file, &*state.settings.secret_env, now, ids)
        .await
        .map_err(mistakes)?;
    if options.dry_run {
        tx.rollback().await.map_err(Error::internal)?;
        let changes: Vec<ChangeView> = applied.changes.into_iter().map(Into::into).collect();
        let answer = json!({
            "app": name,
            "changes": changes,
            "parameters_changed": applied.parameters_changed,
            "warnings": warnings,
        });
        return Ok(Json(answer).into_response());
    }
    if let Some(id) = repository_id {
        let repository = &file.settings.repository;
        store::app::set_repository(&mut tx, applied.app, repository, Some(id)).await?;
    }
    if !applied.changes.is_empty() {
        let did = Did::new(Deed::Apply, &name).detail(changed(&applied.changes));
        audit::record(&state, &mut tx, &caller, did).await?;
    }
    let app = AppView::from(store::app::get(&mut tx, applied.app).await?);
    tx.commit().await.map_err(Error::internal)?;
    if !applied.changes.is_empty() {
        tracing::info!(app = %name, by = caller.name, changes = applied.changes.len(), "settings changed");
    }
    state.signals.wake_engine();
    state.signals.touched(Topic::Board);
    let parameters_changed = applied.parameters_changed;
    let answer = Applied { app, warnings, parameters_changed };
    Ok((status(applied.created), Json(answer)).into_response())
}

fn mistakes(error: ApplyError) -> Error {
    match error {
        ApplyError::Mistakes(found) => Error::Invalid(
            found.into_iter().map(|(key, message)| Mistake { key, message }).collect(),
        ),
        ApplyError::Store(error) => error.into(),
    }
}

/// GitHub's number of the repository. A repository that our identity cannot see is a mistake of
/// the file; a GitHub that does not answer is not.
async fn repository_id(state: &State, file: &AppFile) -> Result<Option<i64>> {
    let Some(github) = &state.github else { return Ok(None) };
    match github.repository(&file.settings.repository).await {
        Ok(repository) => Ok(i64::try_from(repository.id).ok()),
        Err(error) if error.is_transient() => {
            tracing::warn!(%error, "the repository was not looked up");
            Ok(None)
        }
        Err(error) => Err(Error::invalid("repository", error.to_string())),
    }
}
