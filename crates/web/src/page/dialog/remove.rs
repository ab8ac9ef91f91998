//! The dialog that removes a stage.

use askama::Template;
use axum::extract::{Extension, Form, Path, State as Extract};
use axum::response::{Html, Redirect};
use model::stage::StageKind;
use model::worker_api::RemoveHow;
use serde::Deserialize;

use super::super::build::to;
use super::super::{Shell, html};
use super::{Reach, typed};
use crate::api;
use crate::auth::Caller;
use crate::error::Result;
use crate::order;
use crate::state::State;

#[derive(Template)]
#[template(path = "dialog_remove.html")]
struct RemovePage {
    shell: Shell,
    reach: Reach,
    ways: Vec<Way>,
    /// What builds the stage again afterwards.
    again: Option<String>,
    /// Why the removal before this one did not end.
    left_over: Option<String>,
}

struct Way {
    value: &'static str,
    name: &'static str,
    about: &'static str,
}

impl Way {
    fn of(how: RemoveHow) -> Self {
        let (name, about) = match how {
            RemoveHow::Careful => (
                "Careful",
                "It stays, with its reason on the stage's page; the removal is tried again by \
                 itself, ever more seldom. Usually a bucket filled up again, or another stack still \
                 uses an export.",
            ),
            RemoveHow::Retaining => (
                "Leave resources behind",
                "The resources that cannot be deleted are left in the account and named on the \
                 build's page; the rest of the stack goes. What is left has to be deleted by hand, \
                 and may cost money until then.",
            ),
            RemoveHow::Forced => (
                "By force",
                "CloudFormation is told to give the stack up whatever happens to its resources. \
                 What it could not delete stays in the account with nothing that lists it. The \
                 last resort.",
            ),
        };
        Self { value: how.as_str(), name, about }
    }
}

pub(in crate::page) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
) -> Result<Html<String>> {
    let mut conn = state.db.acquire().await?;
    let app = api::app(&mut conn, &name).await?;
    let stage = api::stages::find(&mut conn, &app, &stage).await?;
    order::removable(&stage)?;
    let instances = store::instance::list(&mut conn, stage.id).await?;
    drop(conn);
    let again = match (&stage.kind, &stage.branch) {
        (StageKind::Preview, Some(branch)) => Some(format!(
            "The branch {branch} and its pull request stay as they are; the next push to it makes \
             the preview anew."
        )),
        (StageKind::Preview, None) | (StageKind::LongLived | StageKind::Personal, _) => None,
    };
    html(&RemovePage {
        shell: Shell::new(format!("Remove {}", stage.name), "board").of(&caller),
        reach: Reach::of(&app, &stage, &instances),
        ways: [RemoveHow::Careful, RemoveHow::Retaining, RemoveHow::Forced].map(Way::of).into(),
        again,
        left_over: stage.left_over,
    })
}

#[derive(Deserialize)]
pub(in crate::page) struct Filled {
    #[serde(default)]
    how: RemoveHow,
    #[serde(default)]
    confirm: String,
}

pub(in crate::page) async fn act(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
    Form(filled): Form<Filled>,
) -> Result<Redirect> {
    let known = {
        let mut conn = state.db.acquire().await?;
        let app = api::app(&mut conn, &name).await?;
        api::stages::find(&mut conn, &app, &stage).await?.name
    };
    typed(known.as_str(), &filled.confirm)?;
    Ok(to(&api::stages::remove_stage(&state, &caller, &name, &stage, filled.how).await?))
}
