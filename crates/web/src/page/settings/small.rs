//! What the small forms share: one change made of the settings in force, shown like any other.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::app::{Edit, SecretPlace, edit};
use model::{ProfileName, StageName};
use store::app::App;

use super::super::html;
use super::changes::ProblemRow;
use super::draft::Draft;
use super::review::{self, Subject};
use crate::api;
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::state::State;

/// The app, and the number of its settings.
pub(super) async fn in_force(state: &State, name: &str) -> Result<(App, i64)> {
    let mut conn = state.db.acquire().await?;
    let app = api::app(&mut conn, name).await?;
    let base = store::revision::current(&mut conn, app.id).await?;
    Ok((app, base))
}

/// The difference that a change makes, or the form again with what is wrong in it.
pub(super) async fn propose<F: askama::Template>(
    state: &State,
    caller: &Caller,
    (app, base): (App, i64),
    change: &Edit,
    form: impl FnOnce(&App, Vec<ProblemRow>) -> F,
) -> Result<Response> {
    match edit(&app.settings, change) {
        Ok(file) => {
            let draft = Draft::of(file, base);
            review::review(state, caller, &Subject::known(app), draft).await
        }
        Err(problems) => {
            let problems = problems.into_iter().map(ProblemRow::from).collect();
            let page = html(&form(&app, problems))?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

/// `profiles.NAME` or `stages.NAME`, as an address writes it; one that the settings have.
pub(super) fn place(app: &App, text: &str) -> Result<SecretPlace> {
    let gone = || Error::NotFound(format!("the settings have no part {text:?}"));
    let (kind, name) = text.split_once('.').ok_or_else(gone)?;
    match kind {
        "profiles" => {
            let name: ProfileName = segment("profile", name)?;
            let known = app.settings.profiles.contains_key(&name);
            known.then_some(SecretPlace::Profile(name)).ok_or_else(gone)
        }
        "stages" => Ok(SecretPlace::Stage(stage(app, name)?)),
        _other => Err(gone()),
    }
}

/// A stage that the settings name.
pub(super) fn stage(app: &App, name: &str) -> Result<StageName> {
    let name: StageName = segment("stage", name)?;
    let known = app.settings.stages.contains_key(&name);
    known
        .then(|| name.clone())
        .ok_or_else(|| Error::NotFound(format!("the settings have no stage {name}")))
}

/// Names with commas, spaces or line ends between them.
pub(super) fn names(text: &str) -> Vec<String> {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}
