//! The second step: the GitHub App is installed where its repositories are.

use ::github::Installation;
use askama::Template;
use axum::extract::{Extension, State as Extract};
use axum::response::{Html, IntoResponse, Redirect, Response};

use super::identity::who;
use super::{Ground, Shell, Step, StepView, html, shell, to};
use crate::auth::Caller;
use crate::error::Result;
use crate::setup::door::Holder;
use crate::state::State;

#[derive(Template)]
#[template(path = "setup_install.html")]
struct InstallPage {
    shell: Shell,
    steps: Vec<StepView>,
    remarks: Vec<String>,
    who: String,
    /// GitHub's page where an App is installed; a token needs none.
    install: Option<String>,
    installations: Vec<Installation>,
    repositories: usize,
    /// GitHub could not be asked.
    problem: Option<String>,
    /// A token has no webhook of its own: each repository gets one.
    webhook_url: String,
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(holder): Extension<Holder>,
) -> Result<Response> {
    let ground = Ground::load(&state, &holder).await?;
    let Some(identity) = &ground.identity else { return Ok(to(Step::Github).into_response()) };
    let looked = look(&identity.github).await;
    let (installations, repositories, problem) = match looked {
        Ok((installations, repositories)) => (installations, repositories, None),
        Err(error) => (Vec::new(), 0, Some(error.to_string())),
    };
    let git_url = &state.settings.git_url;
    let install =
        identity.app.as_ref().map(|app| format!("{git_url}/apps/{}/installations/new", app.slug));
    let page: Html<String> = html(&InstallPage {
        shell: shell(Step::Install, &caller),
        steps: ground.steps(Step::Install),
        remarks: ground.draft.remarks.clone(),
        who: who(identity),
        install,
        installations,
        repositories,
        problem,
        webhook_url: format!("{}/webhooks/github", state.settings.public_url),
    })?;
    Ok(page.into_response())
}

async fn look(
    github: &::github::GitHub,
) -> std::result::Result<(Vec<Installation>, usize), ::github::Error> {
    let installations = github.installations().await?;
    let visible = github.visible_repositories().await?;
    Ok((installations, visible.repositories.len()))
}

/// GitHub comes back here when the App was installed. What it says is looked up, not believed.
pub(super) async fn back() -> Redirect {
    to(Step::Install)
}
