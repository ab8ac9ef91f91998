//! Approving and rejecting what a build would deploy.
//!
//! What always holds: an answer is bound to the commit that the caller names, and to the artifacts
//! and the change that were shown: if anything of it is something else by now, the answer is
//! refused and nothing happens. The build's row is held meanwhile, so no pass asks anew.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State as Extract};
use axum::http::HeaderMap;
use model::CommitSha;
use model::approval::ApprovalState;
use model::job::JobState;
use model::permission::Scope;
use serde::Deserialize;
use serde_json::json;
use store::PgConnection;
use store::app::App;
use store::approval::{Answer, Kept};
use store::audit::Deed;
use store::build::Build;
use store::gate::Gates;
use store::job::Job;
use store::signals::Topic;
use utoipa::ToSchema;

use super::app;
use super::builds::{find, whole};
use super::freeze::who_may_approve;
use super::view::BuildView;
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract;
use crate::openapi::wire;
use crate::state::State;

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approve {
    /// What the caller means to approve.
    #[schema(value_type = wire::CommitSha)]
    pub(crate) commit: CommitSha,
    /// The digest of what was shown; whoever names it is sure to approve nothing else.
    #[serde(default)]
    pub(crate) bound_to: Option<String>,
    /// It is deployed although the stage is frozen.
    #[serde(default)]
    pub(crate) override_freeze: bool,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reject {
    #[serde(default)]
    reason: Option<String>,
}

/// Approve what a build would deploy
///
/// Who may, the stage says. The answer is for this commit, and for `bound_to` if it is named.
#[utoipa::path(
    post,
    path = "/apps/{app}/builds/{number}/approve",
    operation_id = "approveBuild",
    tag = "builds",
    request_body = Approve,
    responses(
        (status = 200, description = "The build", body = BuildView),
        (status = 502, description = "GitHub does not answer as it should"),
    ),
)]
pub(super) async fn approve(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, number)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<BuildView>> {
    let wanted: Approve = extract::json(&headers, &body)?;
    let build = approve_build(&state, &caller, &name, &number, wanted).await?;
    let mut conn = state.db.acquire().await?;
    whole(&state, &mut conn, build).await
}

/// Reject what a build would deploy
///
/// The build ends.
#[utoipa::path(
    post,
    path = "/apps/{app}/builds/{number}/reject",
    operation_id = "rejectBuild",
    tag = "builds",
    request_body = Reject,
    responses(
        (status = 200, description = "The build", body = BuildView),
        (status = 502, description = "GitHub does not answer as it should"),
    ),
)]
pub(super) async fn reject(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, number)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<BuildView>> {
    let wanted: Reject = extract::json(&headers, &body)?;
    let build = reject_build(&state, &caller, &name, &number, wanted.reason).await?;
    let mut conn = state.db.acquire().await?;
    whole(&state, &mut conn, build).await
}

pub(crate) async fn approve_build(
    state: &State,
    caller: &Caller,
    name: &str,
    number: &str,
    wanted: Approve,
) -> Result<Build> {
    let mut tx = state.db.begin().await?;
    let Scene { app, build, gates, jobs } = scene(state, &mut tx, name, number).await?;
    let overrides = wanted.override_freeze && !gates.freezes().is_empty();
    // without approvers nobody is asked, and what a freeze keeps an admin may let through
    if gates.approvers().is_empty() && !overrides {
        return Err(Error::Conflict(nothing_to_approve(&build, &gates, &jobs)));
    }
    allowed(caller, &build, &gates)?;
    let kept = question(state, &build, &gates, &jobs, overrides)?;
    if wanted.commit != build.source.commit {
        return Err(Error::Conflict(format!(
            "build {} would deploy {}, not {}: look at it again",
            build.number,
            build.source.commit.short(),
            wanted.commit.short()
        )));
    }
    if wanted.bound_to.is_some_and(|shown| shown != kept.approval.bound_to) {
        return Err(Error::Conflict(format!(
            "what build {} would deploy is not what you were shown: look at it again",
            build.number
        )));
    }
    let now = state.now();
    let detail = json!({
        "commit": build.source.commit,
        "bound_to": kept.approval.bound_to,
        "services": kept.approval.ask.services.iter().map(|asked| {
            json!({ "service": asked.service, "region": asked.region, "artifact": asked.artifact })
        }).collect::<Vec<_>>(),
    });
    store::gate::approve(&mut tx, &gates, kept, &caller.name, now).await?;
    if !gates.approvers().is_empty() && kept.approval.state == ApprovalState::Waiting {
        let did = about(Deed::Approve, &app, &build).detail(detail.clone());
        audit::record(state, &mut tx, caller, did).await?;
    }
    if overrides {
        store::approval::override_freeze(&mut tx, kept.id, &caller.name, now).await?;
        let mut detail = detail;
        detail["frozen"] =
            gates.freezes().iter().map(model::freeze::Freeze::sentence).collect::<Vec<_>>().into();
        let did = about(Deed::OverrideFreeze, &app, &build).detail(detail);
        audit::record(state, &mut tx, caller, did).await?;
    }
    store::build::mark_dirty(&mut tx, build.id).await?;
    tx.commit().await.map_err(Error::internal)?;
    changed(state, &build);
    Ok(build)
}

pub(crate) async fn reject_build(
    state: &State,
    caller: &Caller,
    name: &str,
    number: &str,
    reason: Option<String>,
) -> Result<Build> {
    let mut tx = state.db.begin().await?;
    let Scene { app, build, gates, jobs } = scene(state, &mut tx, name, number).await?;
    if gates.approvers().is_empty() {
        return Err(Error::Conflict(nothing_to_approve(&build, &gates, &jobs)));
    }
    allowed(caller, &build, &gates)?;
    let kept = question(state, &build, &gates, &jobs, false)?;
    let reason = reason.map(|reason| reason.trim().to_owned()).filter(|text| !text.is_empty());
    let answer = Answer {
        state: ApprovalState::Rejected,
        by: Some(&caller.name),
        reason: reason.as_deref(),
    };
    let now = state.now();
    store::approval::answer(&mut tx, kept.id, answer, now).await?;
    let why = match &reason {
        Some(reason) => format!("rejected by {}: {reason}", caller.name),
        None => format!("rejected by {}", caller.name),
    };
    store::build::request_cancel(&mut tx, build.id, &why, now).await?;
    let detail = json!({
        "commit": build.source.commit, "bound_to": kept.approval.bound_to, "reason": reason,
    });
    let did = about(Deed::Reject, &app, &build).detail(detail);
    audit::record(state, &mut tx, caller, did).await?;
    let build = store::build::get(&mut tx, build.id).await?;
    tx.commit().await.map_err(Error::internal)?;
    changed(state, &build);
    Ok(build)
}

/// What an answer is given about; the build's row is held.
struct Scene {
    app: App,
    build: Build,
    gates: Gates,
    jobs: Vec<Job>,
}

async fn scene(state: &State, conn: &mut PgConnection, name: &str, number: &str) -> Result<Scene> {
    let app = app(conn, name).await?;
    let build = find(conn, &app, number).await?;
    store::build::lock(conn, build.id).await?;
    // as it is now that nobody else changes it
    let build = store::build::get(conn, build.id).await?;
    let jobs = store::job::list(conn, build.id).await?;
    let gates = Gates::load(conn, &app, &build, state.now()).await?;
    let gates = gates.ok_or_else(|| {
        Error::Conflict(format!(
            "build {} deploys to no long-lived stage: it waits for nobody",
            build.number
        ))
    })?;
    Ok(Scene { app, build, gates, jobs })
}

fn about<'a>(deed: Deed, app: &'a App, build: &'a Build) -> Did<'a> {
    Did::new(deed, &app.name).stage(build.stage.as_ref()).build(build.number)
}

fn changed(state: &State, build: &Build) {
    state.signals.wake_engine();
    state.signals.wake_workers();
    state.signals.touched(Topic::Build(build.id));
    state.signals.touched(Topic::Board);
}

pub(crate) fn allowed(caller: &Caller, build: &Build, gates: &Gates) -> Result<()> {
    if caller.may_approve(&build.app, gates.approvers()) {
        return Ok(());
    }
    let stage = build.stage.as_ref().map_or("the stage", model::StageName::as_str);
    Err(Error::Forbidden(format!(
        "{} ({}) may not decide about deploys to {stage}: ask {}",
        caller.name,
        caller.held(Scope::App(&build.app)),
        who_may_approve(gates.approvers())
    )))
}

fn nothing_to_approve(build: &Build, gates: &Gates, jobs: &[Job]) -> String {
    let waits = jobs.iter().any(|job| job.state == JobState::Waiting);
    match gates.freezes().first().filter(|_| waits) {
        Some(freeze) => format!(
            "build {} waits for nobody's approval: its stage is {}; an admin may let it through \
             with override_freeze",
            build.number,
            freeze.sentence()
        ),
        None => format!("build {} waits for nobody's approval", build.number),
    }
}

/// The question that the caller may answer now.
pub(crate) fn question<'a>(
    state: &State,
    build: &Build,
    gates: &'a Gates,
    jobs: &[Job],
    overrides: bool,
) -> Result<&'a Kept> {
    Ok(store::gate::question(build, gates, jobs, overrides, state.now())?)
}
