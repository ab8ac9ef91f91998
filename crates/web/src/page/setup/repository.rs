//! The third step: the repository, and what was found in it.

use askama::Template;
use axum::extract::{Extension, Form, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::RepositoryName;
use serde::Deserialize;

use super::{Ground, Shell, Step, StepView, html, shell, to};
use crate::auth::Caller;
use crate::error::{Error, Mistake, Result};
use crate::setup::door::Holder;
use crate::setup::draft::Found;
use crate::setup::survey;
use crate::state::State;

#[derive(Template)]
#[template(path = "setup_repository.html")]
struct RepositoryPage {
    shell: Shell,
    steps: Vec<StepView>,
    mistakes: Vec<Mistake>,
    repositories: Vec<String>,
    /// There are more than are listed.
    cut: bool,
    chosen: String,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "setup_services.html")]
struct ServicesPage {
    shell: Shell,
    steps: Vec<StepView>,
    repository: String,
    branch: String,
    commit: String,
    found: Found,
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(holder): Extension<Holder>,
) -> Result<Response> {
    let ground = Ground::load(&state, &holder).await?;
    let chosen = ground.draft.repository.as_ref().map(|chosen| chosen.name.to_string());
    page(&state, &caller, &ground, &chosen.unwrap_or_default(), Vec::new()).await
}

async fn page(
    state: &State,
    caller: &Caller,
    ground: &Ground,
    chosen: &str,
    mistakes: Vec<Mistake>,
) -> Result<Response> {
    let Some(identity) = &ground.identity else { return Ok(to(Step::Github).into_response()) };
    let (visible, problem) = match identity.github.visible_repositories().await {
        Ok(visible) => (visible, None),
        Err(error) => (::github::Visible::default(), Some(error.to_string())),
    };
    let taken = {
        let mut conn = state.db.acquire().await?;
        store::app::list(&mut conn).await?
    };
    let free = |name: &RepositoryName| !taken.iter().any(|app| app.repository.key() == name.key());
    let names = visible.repositories.into_iter().map(|repository| repository.name);
    let repositories: Vec<String> = names.filter(free).map(|name| name.to_string()).collect();
    let status =
        if mistakes.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = html(&RepositoryPage {
        shell: shell(Step::Repository, caller),
        steps: ground.steps(Step::Repository),
        mistakes,
        // with one there is nothing to choose
        chosen: match (chosen, repositories.as_slice()) {
            ("", [only]) => only.clone(),
            (chosen, _) => chosen.to_owned(),
        },
        repositories,
        cut: visible.cut,
        problem,
    })?;
    Ok((status, page).into_response())
}

#[derive(Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    repository: String,
}

pub(super) async fn choose(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(holder): Extension<Holder>,
    Form(choice): Form<Choice>,
) -> Result<Response> {
    let mut ground = Ground::load(&state, &holder).await?;
    let Some(identity) = ground.identity.clone() else {
        return Ok(to(Step::Github).into_response());
    };
    let looked = looked(&state, &identity.github, choice.repository.trim()).await;
    let chosen = match looked {
        Ok(chosen) => chosen,
        Err(Error::Invalid(mistakes)) => {
            return page(&state, &caller, &ground, &choice.repository, mistakes).await;
        }
        Err(error) => return Err(error),
    };
    let draft = &mut ground.draft;
    let other = draft.repository.as_ref().is_none_or(|known| known.name != chosen.name);
    if other {
        // what was made for another repository
        (draft.rules, draft.file, draft.app, draft.build) = (None, None, None, None);
    }
    draft.repository = Some(chosen);
    ground.save(&state, &holder).await?;
    Ok(to(Step::Services).into_response())
}

async fn looked(
    state: &State,
    github: &::github::GitHub,
    text: &str,
) -> Result<crate::setup::draft::Chosen> {
    let name: RepositoryName = text
        .parse()
        .map_err(|_| Error::invalid("repository", "write it as owner/name, like acme/workshop"))?;
    let app = {
        let mut conn = state.db.acquire().await?;
        store::app::find_by_repository(&mut conn, &name).await?
    };
    if let Some(app) = app {
        let message = format!("{name} belongs to the app {} already", app.name);
        return Err(Error::invalid("repository", message));
    }
    survey::look(github, &name).await
}

pub(super) async fn services(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(holder): Extension<Holder>,
) -> Result<Response> {
    let ground = Ground::load(&state, &holder).await?;
    let Some(chosen) = ground.draft.repository.clone() else {
        return Ok(to(Step::Repository).into_response());
    };
    let page = html(&ServicesPage {
        shell: shell(Step::Services, &caller),
        steps: ground.steps(Step::Services),
        repository: chosen.name.to_string(),
        branch: chosen.branch.to_string(),
        commit: chosen.commit.map(|commit| commit.short().to_owned()).unwrap_or_default(),
        found: chosen.found,
    })?;
    Ok(page.into_response())
}
