//! The dialog in which a deploy is approved or rejected, or let through a freeze.
//!
//! What always holds: it shows the question that is open, and its form names the digest of what was
//! shown, so that nothing else is approved by it.

use askama::Template;
use axum::extract::{Extension, Form, Path, State as Extract};
use axum::response::{Html, Redirect};
use chrono::{DateTime, Utc};
use model::approval::{Approval, ApprovalState};
use model::freeze::Freeze;
use serde::Deserialize;
use store::app::App;
use store::build::Build;
use store::drift::Drift;
use store::gate::Gates;
use store::instance::Instance;

use super::super::build::{commit_url, to};
use super::super::change::Changes;
use super::super::finding::{FindingView, of_ask};
use super::super::view::{Time, placed, short};
use super::super::{Shell, html};
use super::{Reach, given};
use crate::api;
use crate::api::approvals::{Approve, allowed, question};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::value;
use crate::state::State;

#[derive(Template)]
#[template(path = "dialog_approve.html")]
struct ApprovalPage {
    shell: Shell,
    reach: Reach,
    build_url: String,
    number: i64,
    title: String,
    author: String,
    commit: String,
    commit_full: String,
    commit_url: String,
    ask: AskView,
    changes: Changes,
    findings: Vec<FindingView>,
    /// What is worth knowing beside the change.
    warnings: Vec<String>,
    decision: Decision,
}

/// What there is to decide.
enum Decision {
    /// Approve or reject; `frozen`: it waits for the end of this all the same.
    Approve { frozen: Option<String> },
    /// Nobody has to approve it, or somebody did: only this is in the way.
    Override { frozen: String },
}

struct AskView {
    asked: Time,
    expires: Option<Time>,
    approvers: String,
    artifacts: Vec<ArtifactView>,
    bound_to: String,
}

struct ArtifactView {
    service: String,
    region: String,
    digest: String,
}

pub(in crate::page) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, number)): Path<(String, String)>,
) -> Result<Html<String>> {
    let now = state.now();
    let mut conn = state.db.acquire().await?;
    let app = api::app(&mut conn, &name).await?;
    let build = api::builds::find(&mut conn, &app, &number).await?;
    let jobs = store::job::list(&mut conn, build.id).await?;
    let gates = Gates::load(&mut conn, &app, &build, now).await?;
    let (Some(gates), Some(stage)) = (gates, build.stage_id) else {
        return Err(Error::Conflict(format!(
            "build {} deploys to no long-lived stage: it waits for nobody",
            build.number
        )));
    };
    allowed(&caller, &build, &gates)?;
    let frozen = gates.freezes().first().map(Freeze::sentence);
    let kept = question(&state, &build, &gates, &jobs, frozen.is_some())?;
    let decision = decision(&gates, &kept.approval, frozen)?;
    let stage = store::stage::get(&mut conn, stage).await?;
    let instances = store::instance::list(&mut conn, stage.id).await?;
    let looks = store::drift::of_stage(&mut conn, stage.id).await?;
    drop(conn);
    let asked = |one: &&Instance| kept.approval.ask.of(&one.service, &one.region).is_some();
    let concerned: Vec<Instance> = instances.iter().filter(asked).cloned().collect();
    let approval = &kept.approval;
    let mut changes = Changes::default();
    for asked in &approval.ask.services {
        changes.add("change", &placed(asked.service.as_str(), Some(&asked.region)), &asked.change);
    }
    html(&ApprovalPage {
        shell: Shell::new(format!("Approve {} #{}", app.name, build.number), "builds").of(&caller),
        reach: reach(&app, &stage, &concerned, approval),
        build_url: format!("/apps/{}/builds/{}", app.name, build.number),
        number: build.number,
        commit: short(&approval.ask.commit),
        commit_full: approval.ask.commit.to_string(),
        commit_url: commit_url(&state, &app, &approval.ask.commit),
        ask: AskView::of(approval, &gates, now),
        findings: of_ask(&approval.ask),
        warnings: warnings(&build, &concerned, &looks),
        title: build.source.title,
        author: build.source.author,
        changes,
        decision,
    })
}

fn decision(gates: &Gates, approval: &Approval, frozen: Option<String>) -> Result<Decision> {
    let is_asked = !gates.approvers().is_empty() && approval.state == ApprovalState::Waiting;
    match (is_asked, frozen) {
        (true, frozen) => Ok(Decision::Approve { frozen }),
        (false, Some(frozen)) => Ok(Decision::Override { frozen }),
        (false, None) => Err(Error::Conflict("nothing waits to be approved any more".into())),
    }
}

/// The stacks that are there, and those that the deploy makes.
fn reach(app: &App, stage: &store::stage::Stage, there: &[Instance], asked: &Approval) -> Reach {
    let mut reach = Reach::of(app, stage, there);
    for one in &asked.ask.services {
        let names = one.change.iter().map(|stack| stack.stack.as_str());
        reach.name(&one.service, &one.region, names);
    }
    reach
}

impl AskView {
    fn of(approval: &Approval, gates: &Gates, now: DateTime<Utc>) -> Self {
        let artifacts = approval.ask.services.iter().map(|asked| ArtifactView {
            service: asked.service.to_string(),
            region: asked.region.to_string(),
            digest: asked.artifact.clone().unwrap_or_default(),
        });
        Self {
            asked: Time::new(approval.asked_at, now),
            expires: approval.expires_at.map(|at| Time::new(at, now)),
            approvers: api::freeze::who_may_approve(gates.approvers()),
            artifacts: artifacts.collect(),
            bound_to: approval.bound_to.clone(),
        }
    }
}

/// What was done to the stacks by hand: a deploy goes over it.
fn warnings(build: &Build, instances: &[Instance], looks: &[Drift]) -> Vec<String> {
    let mut warnings = Vec::new();
    for one in instances {
        if let Some(outside) = &one.changed_outside {
            warnings.push(format!(
                "{} was changed outside Greenroom: {}. Build {} replaces what was done by hand.",
                one.service, outside.reason, build.number
            ));
        }
        let look = looks.iter().find(|look| look.instance_id == one.id);
        let drifted = look.into_iter().flat_map(|look| &look.stacks).filter(|one| one.is_drifted());
        let stacks: Vec<&str> = drifted.map(|stack| stack.stack.as_str()).collect();
        if !stacks.is_empty() {
            warnings.push(format!(
                "{} has drifted: {} is not as its template says. The stage's page has the \
                 differences.",
                one.service,
                stacks.join(", ")
            ));
        }
    }
    warnings
}

#[derive(Deserialize)]
pub(in crate::page) struct Consent {
    commit: String,
    #[serde(default)]
    bound_to: String,
    #[serde(default)]
    override_freeze: bool,
}

pub(in crate::page) async fn approve(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, number)): Path<(String, String)>,
    Form(filled): Form<Consent>,
) -> Result<Redirect> {
    let wanted = Approve {
        commit: value("commit", filled.commit.trim())?,
        bound_to: given(&filled.bound_to).map(str::to_owned),
        override_freeze: filled.override_freeze,
    };
    Ok(to(&api::approvals::approve_build(&state, &caller, &name, &number, wanted).await?))
}

#[derive(Deserialize)]
pub(in crate::page) struct Rejection {
    #[serde(default)]
    reason: String,
}

pub(in crate::page) async fn reject(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, number)): Path<(String, String)>,
    Form(filled): Form<Rejection>,
) -> Result<Redirect> {
    let reason = given(&filled.reason).map(str::to_owned);
    Ok(to(&api::approvals::reject_build(&state, &caller, &name, &number, reason).await?))
}
