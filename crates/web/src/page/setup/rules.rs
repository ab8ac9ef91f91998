//! The sixth step: what goes where. It ends in the app's file, written out.

use askama::Template;
use axum::extract::{Extension, Form, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Map, Value, json};

use super::{Ground, Shell, Step, StepView, html, shell, to};
use crate::auth::Caller;
use crate::error::{Mistake, Result};
use crate::setup::door::Holder;
use crate::setup::draft::{BranchRule, Draft, Rules};
use crate::state::State;

/// So many branches fit the form; the file takes any number.
const ROWS: usize = 4;

#[derive(Template)]
#[template(path = "setup_rules.html")]
struct RulesPage {
    shell: Shell,
    steps: Vec<StepView>,
    mistakes: Vec<Mistake>,
    profiles: Vec<String>,
    rules: Rules,
    rows: Vec<(usize, BranchRule)>,
    branch: String,
}

fn page(
    caller: &Caller,
    ground: &Ground,
    rules: Rules,
    mistakes: Vec<Mistake>,
) -> Result<Response> {
    let branch = ground.draft.repository.as_ref().map(|chosen| chosen.branch.to_string());
    let mut branches = rules.branches.clone();
    branches.resize_with(branches.len().max(ROWS), BranchRule::default);
    let status =
        if mistakes.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = html(&RulesPage {
        shell: shell(Step::Rules, caller),
        steps: ground.steps(Step::Rules),
        mistakes,
        profiles: ground.draft.used_profiles().map(|profile| profile.name.clone()).collect(),
        rows: branches.into_iter().enumerate().collect(),
        rules,
        branch: branch.unwrap_or_default(),
    })?;
    Ok((status, page).into_response())
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(holder): Extension<Holder>,
) -> Result<Response> {
    let ground = Ground::load(&state, &holder).await?;
    if ground.draft.repository.is_none() {
        return Ok(to(Step::Repository).into_response());
    }
    if ground.draft.used_profiles().next().is_none() {
        return Ok(to(Step::Profiles).into_response());
    }
    let rules = ground.draft.rules.clone().unwrap_or_else(|| ground.draft.usual_rules());
    page(&caller, &ground, rules, Vec::new())
}

pub(super) async fn enter(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(holder): Extension<Holder>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let mut ground = Ground::load(&state, &holder).await?;
    let rules = entered(&fields);
    ground.draft.rules = Some(rules.clone());
    let written = model::app::parse_json(&file(&ground.draft, &rules));
    let problems = match written {
        Ok(written) => {
            ground.draft.file = Some(model::app::write(&written.settings));
            ground.save(&state, &holder).await?;
            return Ok(Redirect::to("/setup/file").into_response());
        }
        Err(problems) => problems,
    };
    ground.save(&state, &holder).await?;
    page(&caller, &ground, rules, problems.into_iter().map(Mistake::from).collect())
}

fn entered(fields: &[(String, String)]) -> Rules {
    let field = |wanted: &str| {
        let found = fields.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let row = |number: usize| BranchRule {
        branch: field(&format!("branch_{number}")),
        stage: field(&format!("stage_{number}")),
        profile: field(&format!("profile_{number}")),
    };
    let rows = (0..ROWS * 4).map(row);
    Rules {
        app: field("app"),
        default_profile: field("default_profile"),
        branches: rows.filter(|row| !row.branch.is_empty() || !row.stage.is_empty()).collect(),
        previews: !field("previews").is_empty(),
    }
}

/// The app's file, before anybody has checked it.
fn file(draft: &Draft, rules: &Rules) -> Value {
    let repository = draft.repository.as_ref();
    let profiles: Map<String, Value> = draft
        .used_profiles()
        .map(|profile| {
            let mut written = json!({ "role_arn": profile.role_arn, "region": profile.region });
            if !profile.external_id.is_empty() {
                written["external_id"] = json!(profile.external_id);
            }
            (profile.name.clone(), written)
        })
        .collect();
    let mut stages = Map::new();
    let mut written = Vec::new();
    for rule in &rules.branches {
        written.push(json!({ "branch": rule.branch, "stage": rule.stage }));
        stages.insert(rule.stage.clone(), json!({ "profile": rule.profile }));
    }
    if let Some(chosen) = repository.filter(|_| rules.previews) {
        written.push(json!({ "preview": { "base": [chosen.branch.to_string()] } }));
    }
    json!({
        "app": rules.app,
        "repository": repository.map(|chosen| chosen.name.to_string()).unwrap_or_default(),
        "default_profile": rules.default_profile,
        "profiles": profiles,
        "stages": stages,
        "rules": written,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::draft::{Chosen, Found};

    #[test]
    fn the_usual_answers_make_a_file_that_is_taken() {
        let mut draft = Draft {
            repository: Some(Chosen {
                name: "acme/workshop".parse().unwrap(),
                branch: "master".parse().unwrap(),
                commit: None,
                found: Found::default(),
            }),
            profiles: Draft::usual_profiles(),
            ..Draft::default()
        };
        for profile in &mut draft.profiles {
            profile.role_arn = "arn:aws:iam::111111111111:role/greenroom-deploy".into();
        }
        let rules = draft.usual_rules();
        let parsed = model::app::parse_json(&file(&draft, &rules)).expect("no mistake");
        let text = model::app::write(&parsed.settings);
        let again = model::app::parse_yaml(&text).expect("what was written is read");
        assert_eq!(again.settings, parsed.settings);
        assert!(text.contains("branch: prod"), "{text}");
    }

    #[test]
    fn rows_that_nobody_filled_in_are_no_rules() {
        let fields = [("app", "shop"), ("branch_0", "main"), ("stage_0", "dev"), ("branch_1", "")];
        let fields: Vec<(String, String)> =
            fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let rules = entered(&fields);
        assert_eq!((rules.branches.len(), rules.previews), (1, false));
    }
}
