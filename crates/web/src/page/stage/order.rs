//! The forms of a stage's page: build and deploy, deploy again with changed parameters, remove.

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
    Ok(to(&api::stages::redeploy_stage(&state, &caller, &name, &stage).await?))
}

pub(in crate::page) async fn remove(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
) -> Result<Redirect> {
    Ok(to(&api::stages::remove_stage(&state, &caller, &name, &stage).await?))
}
