//! The dialog that promotes what is deployed in one stage to another, by git.
//!
//! What always holds: its form names the commit that was shown, so that nothing else is promoted by
//! it.

use askama::Template;
use axum::extract::{Extension, Form, Path, Query, State as Extract};
use axum::response::{IntoResponse, Redirect, Response};
use model::app::Trigger;
use model::promotion::{NoWay, Way, way};
use serde::Deserialize;

use super::super::build::commit_url;
use super::super::view::short;
use super::super::{Shell, html, stage};
use super::{Reach, given};
use crate::api;
use crate::api::promote::Wanted;
use crate::api::promote::look::{Movement, Outlook, look};
use crate::auth::Caller;
use crate::error::Result;
use crate::extract::value;
use crate::state::State;

#[derive(Template)]
#[template(path = "dialog_promote.html")]
struct PromotePage {
    shell: Shell,
    reach: Reach,
    from: String,
    from_url: String,
    commit: String,
    commit_full: String,
    commit_url: String,
    title: String,
    /// GitHub's page of the commits between, and how many they are.
    between: Option<(String, String)>,
    tag: Option<String>,
    /// What happens, sentence by sentence.
    will: Vec<String>,
}

/// Asks what the new tag is called, where tags are deployed.
#[derive(Template)]
#[template(path = "promote_tag.html")]
struct TagPage {
    shell: Shell,
    app: String,
    stage: String,
    url: String,
    from: String,
    patterns: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::page) struct Filled {
    from: String,
    tag: String,
    commit: String,
}

impl Filled {
    fn wanted(&self) -> Result<Wanted> {
        Ok(Wanted {
            from: given(&self.from).map(|from| value("from", from)).transpose()?,
            tag: given(&self.tag).map(|tag| value("tag", tag)).transpose()?,
            commit: given(&self.commit).map(|commit| value("commit", commit)).transpose()?,
        })
    }
}

pub(in crate::page) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
    Query(filled): Query<Filled>,
) -> Result<Response> {
    let mut conn = state.db.acquire().await?;
    let app = api::app(&mut conn, &name).await?;
    let to = stage::find(&mut conn, &app, &stage).await?;
    let instances = store::instance::list(&mut conn, to.id).await?;
    drop(conn);
    let wanted = filled.wanted()?;
    let title = format!("Promote to {}", to.name);
    if wanted.tag.is_none()
        && let Err(NoWay::TagNeeded { patterns, .. }) = way(&app.settings, &to.name, None)
    {
        let page = TagPage {
            shell: Shell::new(title, "board").of(&caller),
            url: format!("/apps/{}/stages/{}", app.name, to.name),
            app: app.name.to_string(),
            stage: to.name.to_string(),
            from: filled.from,
            patterns,
        };
        return Ok(html(&page)?.into_response());
    }
    let outlook = look(&state, &name, &stage, wanted).await?;
    let page = PromotePage {
        shell: Shell::new(title, "board").of(&caller),
        reach: Reach::of(&app, &to, &instances),
        from_url: format!("/apps/{}/stages/{}", app.name, outlook.from),
        commit: short(&outlook.commit),
        commit_full: outlook.commit.to_string(),
        commit_url: commit_url(&state, &app, &outlook.commit),
        between: between(&state, &outlook),
        tag: match &outlook.way {
            Way::Branch { .. } => None,
            Way::Tag { tag, .. } => Some(tag.to_string()),
        },
        will: will(&outlook),
        from: outlook.from.to_string(),
        title: outlook.title,
    };
    Ok(html(&page)?.into_response())
}

fn between(state: &State, outlook: &Outlook) -> Option<(String, String)> {
    match &outlook.movement {
        Movement::None | Movement::Create => None,
        Movement::Forward { head, by } => {
            let git = state.settings.git_url.trim_end_matches('/');
            let (repository, commit) = (&outlook.app.repository, &outlook.commit);
            let url = format!("{git}/{repository}/compare/{head}...{commit}");
            let commits = if *by == 1 { "commit" } else { "commits" };
            Some((url, format!("{by} {commits}, from {} to {}", head.short(), commit.short())))
        }
    }
}

fn will(outlook: &Outlook) -> Vec<String> {
    let (repository, to) = (&outlook.app.repository, &outlook.to);
    let commit = outlook.commit.short();
    let (what, trigger) = match &outlook.way {
        Way::Branch { branch, trigger } => (format!("branch {branch}"), *trigger),
        Way::Tag { tag, trigger } => (format!("tag {tag}"), *trigger),
    };
    let git = match &outlook.movement {
        Movement::None => format!("The {what} of {repository} is at {commit} already: it stays."),
        Movement::Create => format!("The {what} is made in {repository}, at {commit}."),
        Movement::Forward { head, .. } => format!(
            "The {what} of {repository} is moved forward from {} to {commit}. GitHub refuses it if \
             somebody has pushed to it meanwhile; nothing is ever forced.",
            head.short()
        ),
    };
    let build = match (trigger, &outlook.movement) {
        (Trigger::Manual, _) => format!("A build of {commit} for {to} is started at once."),
        (Trigger::Auto, Movement::None) => {
            "No push comes of it, so nothing is built by it anew.".to_owned()
        }
        (Trigger::Auto, Movement::Create | Movement::Forward { .. }) => {
            format!("GitHub tells of that as of any push, and {commit} is built for {to}.")
        }
    };
    let package = format!(
        "What changed is tested and packaged for {to} anew, with its own parameters, and deployed \
         to the stacks below: no artifact of {} is deployed there.",
        outlook.from
    );
    let approvers = outlook.app.settings.stage(to).map(|(_, own)| own.approvers.as_slice());
    let approval = approvers.filter(|approvers| !approvers.is_empty()).map(|approvers| {
        format!("Before the deploy it waits for an approval, by {}.", approvers.join(", "))
    });
    [git, build, package].into_iter().chain(approval).collect()
}

pub(in crate::page) async fn act(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
    Form(filled): Form<Filled>,
) -> Result<Redirect> {
    let done =
        api::promote::promote_stage(&state, &caller, &name, &stage, filled.wanted()?).await?;
    Ok(Redirect::to(&match done.build {
        Some(number) => format!("/apps/{name}/builds/{number}"),
        None => format!("/apps/{name}/stages/{stage}"),
    }))
}
