//! The forms of a stage's page that ask nothing first: build and deploy, deploy again with changed
//! parameters, keep a preview longer, look for drift.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{Extension, Form, Path, State as Extract};
use axum::response::Redirect;
use model::{ServiceName, StageName};
use serde::Deserialize;

use super::super::build::to;
use crate::api;
use crate::api::start::Wanted;
use crate::auth::Caller;
use crate::error::Result;
use crate::extract::{segment, value};
use crate::state::State;

/// The fields as people fill them in: an empty one says nothing.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(in crate::page) struct Filled {
    branch: String,
    tag: String,
    commit: String,
    /// Names with spaces or commas between them.
    services: String,
    force: bool,
}

pub(in crate::page) async fn build(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
    Form(filled): Form<Filled>,
) -> Result<Redirect> {
    let stage: StageName = segment("stage", &stage)?;
    let services = filled
        .services
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|name| !name.is_empty())
        .map(|name| value("services", name))
        .collect::<Result<BTreeSet<ServiceName>>>()?;
    let wanted = Wanted {
        branch: given("branch", &filled.branch)?,
        tag: given("tag", &filled.tag)?,
        commit: given("commit", &filled.commit)?,
        stage: Some(stage),
        force: filled.force,
        services: Some(services).filter(|services| !services.is_empty()),
    };
    Ok(to(&api::start::start(&state, &caller, &name, wanted).await?))
}

fn given<T: FromStr<Err: Display>>(key: &str, text: &str) -> Result<Option<T>> {
    let text = text.trim();
    (!text.is_empty()).then(|| value(key, text)).transpose()
}

pub(in crate::page) async fn redeploy(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
) -> Result<Redirect> {
    Ok(to(&api::redeploy::redeploy_stage(&state, &caller, &name, &stage).await?))
}

pub(in crate::page) async fn drift(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
) -> Result<Redirect> {
    Ok(to(&api::drift::look_at_stage(&state, &caller, &name, &stage).await?))
}

#[derive(Deserialize)]
pub(in crate::page) struct Extended {
    /// The page that asks.
    #[serde(default)]
    back: String,
}

pub(in crate::page) async fn extend(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
    Form(filled): Form<Extended>,
) -> Result<Redirect> {
    let stage = api::extend::extend_stage(&state, &caller, &name, &stage).await?;
    Ok(match filled.back.as_str() {
        "previews" => Redirect::to("/previews"),
        _ => Redirect::to(&format!("/apps/{name}/stages/{}", stage.name)),
    })
}
