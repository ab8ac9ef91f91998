//! The form of who approves deploys to a stage.

use askama::Template;
use axum::extract::{Extension, Form, Path, Query, State as Extract};
use axum::response::{Html, Response};
use model::StageName;
use model::app::Edit;
use serde::Deserialize;
use store::app::App;

use super::super::{Shell, html};
use super::changes::ProblemRow;
use super::small::{in_force, propose, stage};
use crate::auth::Caller;
use crate::error::Result;
use crate::state::State;

#[derive(Template)]
#[template(path = "settings_approvers.html")]
struct ApproversPage {
    shell: Shell,
    app: String,
    stage: String,
    /// One a line.
    names: String,
    expires_after: String,
    problems: Vec<ProblemRow>,
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    stage: String,
}

#[derive(Deserialize)]
pub(super) struct Filled {
    stage: String,
    #[serde(default)]
    names: String,
    #[serde(default)]
    expires_after: String,
}

fn page(
    caller: &Caller,
    app: &App,
    stage: &StageName,
    (names, expires_after): (String, String),
    problems: Vec<ProblemRow>,
) -> ApproversPage {
    ApproversPage {
        shell: Shell::new(format!("Approvers of {stage}"), "settings").of(caller),
        app: app.name.to_string(),
        stage: stage.to_string(),
        names,
        expires_after,
        problems,
    }
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>> {
    let (app, _) = in_force(&state, &name).await?;
    let stage = stage(&app, &wanted.stage)?;
    let own = app.settings.stages.get(&stage);
    let names = own.map(|own| own.approvers.join("\n")).unwrap_or_default();
    let expires = own.and_then(|own| own.approval_expires_after);
    let expires = expires.map(|lifetime| lifetime.to_string()).unwrap_or_default();
    html(&page(&caller, &app, &stage, (names, expires), Vec::new()))
}

pub(super) async fn act(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Form(filled): Form<Filled>,
) -> Result<Response> {
    let (app, base) = in_force(&state, &name).await?;
    let stage = stage(&app, &filled.stage)?;
    // a name may have a space in it, so each has a line
    let names = filled.names.lines().map(str::trim).filter(|name| !name.is_empty());
    let expires_after = filled.expires_after.trim().to_owned();
    let change = Edit::Approvers {
        stage: stage.clone(),
        names: names.map(str::to_owned).collect(),
        expires_after: expires_after.clone(),
    };
    propose(&state, &caller, (app, base), &change, |app, problems| {
        page(&caller, app, &stage, (filled.names.clone(), expires_after), problems)
    })
    .await
}
