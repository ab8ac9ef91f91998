//! The form of one freeze window of a stage: add it, or remove one that is there.

use askama::Template;
use axum::extract::{Extension, Form, Path, Query, State as Extract};
use axum::response::{Html, Response};
use model::StageName;
use model::app::Edit;
use serde::Deserialize;
use serde_json::json;
use store::app::App;

use super::super::{Shell, html};
use super::changes::ProblemRow;
use super::small::{in_force, propose, stage};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::state::State;

#[derive(Template)]
#[template(path = "settings_freeze.html")]
struct WindowPage {
    shell: Shell,
    app: String,
    filled: Filled,
    problems: Vec<ProblemRow>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Filled {
    stage: String,
    /// `add`, or `remove` with `at` and `seen`.
    what: String,
    time: String,
    duration: String,
    interval: String,
    reason: String,
    at: usize,
    seen: String,
}

impl Filled {
    fn change(&self, stage: StageName) -> Result<Edit> {
        if self.what == "remove" {
            let seen = serde_json::from_str(&self.seen)
                .map_err(|_| Error::invalid("seen", "open the settings again"))?;
            return Ok(Edit::RemoveFreeze { stage, at: self.at, seen });
        }
        let mut window = json!({
            "time": self.time.trim(), "duration": self.duration.trim(), "reason": self.reason.trim(),
        });
        if !self.interval.trim().is_empty() {
            window["interval"] = json!(self.interval.trim());
        }
        Ok(Edit::AddFreeze { stage, window })
    }
}

fn page(caller: &Caller, app: &App, filled: Filled, problems: Vec<ProblemRow>) -> WindowPage {
    WindowPage {
        shell: Shell::new(format!("Freeze {} at times", filled.stage), "settings").of(caller),
        app: app.name.to_string(),
        filled,
        problems,
    }
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    stage: String,
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>> {
    let (app, _) = in_force(&state, &name).await?;
    let stage = stage(&app, &wanted.stage)?.to_string();
    html(&page(&caller, &app, Filled { stage, ..Filled::default() }, Vec::new()))
}

pub(super) async fn act(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Form(filled): Form<Filled>,
) -> Result<Response> {
    let (app, base) = in_force(&state, &name).await?;
    let change = filled.change(stage(&app, &filled.stage)?)?;
    propose(&state, &caller, (app, base), &change, |app, problems| {
        page(&caller, app, filled, problems)
    })
    .await
}
