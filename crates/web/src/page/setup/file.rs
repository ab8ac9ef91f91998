//! The app's file as the steps made it, to be looked at, changed, and put into force.

use askama::Template;
use axum::extract::{Extension, Form, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{Ground, Shell, Step, StepView, html, shell, to};
use crate::apply::Variables;
use crate::auth::Caller;
use crate::error::{Error, Mistake, Result};
use crate::save::{self, Base, Outcome};
use crate::setup::door::Holder;
use crate::state::State;

#[derive(Template)]
#[template(path = "setup_file.html")]
struct FilePage {
    shell: Shell,
    steps: Vec<StepView>,
    /// Each with its line.
    problems: Vec<String>,
    file: String,
    lines: usize,
}

fn page(caller: &Caller, ground: &Ground, file: &str, problems: Vec<String>) -> Result<Response> {
    let status =
        if problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = html(&FilePage {
        shell: shell(Step::Rules, caller),
        steps: ground.steps(Step::Rules),
        problems,
        file: file.to_owned(),
        lines: file.lines().count().clamp(12, 60) + 1,
    })?;
    Ok((status, page).into_response())
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(holder): Extension<Holder>,
) -> Result<Response> {
    let ground = Ground::load(&state, &holder).await?;
    match &ground.draft.file {
        Some(file) => page(&caller, &ground, file, Vec::new()),
        None => Ok(to(Step::Rules).into_response()),
    }
}

#[derive(Deserialize)]
pub(super) struct Written {
    #[serde(default)]
    file: String,
}

pub(super) async fn apply(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(holder): Extension<Holder>,
    Form(written): Form<Written>,
) -> Result<Response> {
    // a browser sends a text with the line ends of DOS
    let text = written.file.replace("\r\n", "\n");
    let mut ground = Ground::load(&state, &holder).await?;
    ground.draft.file = Some(text.clone());
    ground.save(&state, &holder).await?;
    let file = match model::app::parse_yaml(&text) {
        Ok(file) => file,
        Err(problems) => {
            let problems = problems.iter().map(ToString::to_string).collect();
            return page(&caller, &ground, &text, problems);
        }
    };
    let name = file.settings.app.clone();
    // sent twice, or changed on the way back from the build: it is this wizard's own app
    let base = if ground.draft.app.as_ref() == Some(&name) { Base::Any } else { Base::New };
    match save::save(&state, &caller, &file, (base, Variables::Read)).await {
        Ok(Outcome::Done(_)) => {}
        Ok(Outcome::Moved(_)) => {
            return Err(Error::Conflict(
                "the app was changed meanwhile: go on with its settings page".into(),
            ));
        }
        Err(Error::Invalid(mistakes)) => {
            let words = |mistake: &Mistake| format!("{}: {}", mistake.key, mistake.message);
            let problems = mistakes.iter().map(words).collect();
            return page(&caller, &ground, &text, problems);
        }
        Err(error) => return Err(error),
    }
    ground.draft.app = Some(name);
    ground.save(&state, &holder).await?;
    Ok(to(Step::Build).into_response())
}
