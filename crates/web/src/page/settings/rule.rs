//! The form of one rule: add it, or remove one that is there.

use askama::Template;
use axum::extract::{Extension, Form, Path, State as Extract};
use axum::response::{Html, Response};
use model::app::Edit;
use serde::Deserialize;
use serde_json::{Value, json};
use store::app::App;

use super::super::{Shell, html};
use super::changes::ProblemRow;
use super::small::{in_force, names, propose};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::state::State;

#[derive(Template)]
#[template(path = "settings_rule.html")]
struct RulePage {
    shell: Shell,
    app: String,
    stages: Vec<String>,
    filled: Filled,
    problems: Vec<ProblemRow>,
}

/// The fields as people fill them in: an empty one says nothing.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Filled {
    /// `branch`, `tag` or `preview`; `remove` with `at` and `seen`.
    what: String,
    pattern: String,
    stage: String,
    manual: bool,
    services: String,
    deploy: String,
    destroy: String,
    expires_after: String,
    shared: String,
    foresee: String,
    ignore_drafts: bool,
    at: usize,
    seen: String,
}

impl Filled {
    fn change(&self) -> Result<Edit> {
        let services = names(&self.services);
        let services = (!services.is_empty()).then_some(services);
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let target = |kind: &str| {
            let mut rule = json!({ kind: self.pattern.trim(), "stage": self.stage.trim() });
            set(&mut rule, "trigger", self.manual.then(|| json!("manual")));
            set(&mut rule, "services", services.as_ref().map(|names| json!(names)));
            rule
        };
        match self.what.as_str() {
            "branch" | "tag" => Ok(Edit::AddRule(target(&self.what))),
            "preview" => {
                let mut rule = json!({ "base": names(&self.pattern) });
                let shared = given(&self.shared).map(|name| json!({ "fixed": name }));
                set(&mut rule, "stage_name", shared);
                set(&mut rule, "services", services.map(|names| json!(names)));
                set(&mut rule, "deploy", given(&self.deploy).map(Value::from));
                set(&mut rule, "destroy", given(&self.destroy).map(Value::from));
                set(&mut rule, "expires_after", given(&self.expires_after).map(Value::from));
                set(&mut rule, "drafts", self.ignore_drafts.then(|| json!("ignore")));
                set(&mut rule, "foresee", given(&self.foresee).map(Value::from));
                Ok(Edit::AddRule(json!({ "preview": rule })))
            }
            "remove" => {
                let seen = serde_json::from_str(&self.seen)
                    .map_err(|_| Error::invalid("seen", "open the settings again"))?;
                Ok(Edit::RemoveRule { at: self.at, seen })
            }
            other => Err(Error::invalid("what", format!("there is no kind of rule {other:?}"))),
        }
    }
}

fn set(rule: &mut Value, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        rule[key] = value;
    }
}

fn page(caller: &Caller, app: &App, filled: Filled, problems: Vec<ProblemRow>) -> RulePage {
    RulePage {
        shell: Shell::new(format!("Add a rule to {}", app.name), "settings").of(caller),
        app: app.name.to_string(),
        stages: app.settings.stages.keys().map(ToString::to_string).collect(),
        filled,
        problems,
    }
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Html<String>> {
    let (app, _) = in_force(&state, &name).await?;
    let filled = Filled { what: "branch".into(), ..Filled::default() };
    html(&page(&caller, &app, filled, Vec::new()))
}

pub(super) async fn act(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Form(filled): Form<Filled>,
) -> Result<Response> {
    let held = in_force(&state, &name).await?;
    let change = filled.change()?;
    propose(&state, &caller, held, &change, |app, problems| page(&caller, app, filled, problems))
        .await
}
