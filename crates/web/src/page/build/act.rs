//! What a person can do about a build: cancel it, run it again. Each button tells what it will do.

use axum::extract::{Extension, Form, Path, State as Extract};
use axum::response::Redirect;
use model::build::{BuildOutcome, Purpose};
use serde::Deserialize;
use store::build::{Build, BuildState};

use crate::api;
use crate::auth::Caller;
use crate::error::Result;
use crate::page::view::short;
use crate::state::State;

/// A button and what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::page) struct Button {
    pub(in crate::page) text: &'static str,
    pub(in crate::page) class: &'static str,
    pub(in crate::page) url: String,
    /// Only what is not as it should be.
    pub(in crate::page) failed_only: bool,
    pub(in crate::page) tells: String,
}

/// The buttons for someone who may use them.
pub(super) fn buttons(build: &Build, url: &str) -> Vec<Button> {
    let repeatable = match build.purpose {
        Purpose::Deploy | Purpose::Test | Purpose::Remove => true,
        Purpose::Rollback | Purpose::Recover | Purpose::Inspect => false,
    };
    match build.state {
        BuildState::Running | BuildState::Waiting if build.cancel_requested_at.is_some() => {
            Vec::new()
        }
        BuildState::Running | BuildState::Waiting => vec![Button {
            text: "Cancel",
            class: "danger",
            url: format!("{url}/cancel"),
            failed_only: false,
            tells: "ends its tests, packages and commands now; a change of a stack that has begun \
                    goes on to its own end, and nothing else of the build begins"
                .to_owned(),
        }],
        BuildState::Finished if repeatable => {
            let again = Button {
                text: "Rerun all",
                class: "",
                url: format!("{url}/rerun"),
                failed_only: false,
                tells: all_again(build),
            };
            let only_failed = Button {
                text: "Rerun failed",
                class: "primary",
                failed_only: true,
                tells: format!("{}, and leaves alone what is as it should be", new_build(build)),
                ..again.clone()
            };
            let failed =
                build.outcome == Some(BuildOutcome::Failed) && build.purpose != Purpose::Remove;
            failed.then_some(only_failed).into_iter().chain([again]).collect()
        }
        BuildState::Finished => Vec::new(),
    }
}

fn new_build(build: &Build) -> String {
    let commit = short(&build.source.commit);
    match &build.stage {
        Some(stage) => format!("a new build of {commit} for {stage}"),
        None => format!("a new build of {commit}, tests only"),
    }
}

fn all_again(build: &Build) -> String {
    match (build.purpose, &build.stage) {
        (Purpose::Remove, Some(stage)) => format!("removes the stacks of {stage} once more"),
        (Purpose::Remove, None) => "removes the stack once more".to_owned(),
        (
            Purpose::Deploy
            | Purpose::Test
            | Purpose::Rollback
            | Purpose::Recover
            | Purpose::Inspect,
            _,
        ) => format!("{}: every service of it, changed or not", new_build(build)),
    }
}

pub(in crate::page) async fn cancel(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, number)): Path<(String, String)>,
) -> Result<Redirect> {
    let build = api::builds::cancel_build(&state, &caller, &name, &number).await?;
    Ok(to(&build))
}

#[derive(Deserialize)]
pub(in crate::page) struct Again {
    #[serde(default)]
    failed_only: bool,
}

pub(in crate::page) async fn rerun(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, number)): Path<(String, String)>,
    Form(again): Form<Again>,
) -> Result<Redirect> {
    let build =
        api::builds::rerun_build(&state, &caller, &name, &number, again.failed_only).await?;
    Ok(to(&build))
}

pub(in crate::page) fn to(build: &Build) -> Redirect {
    Redirect::to(&super::url(build))
}
