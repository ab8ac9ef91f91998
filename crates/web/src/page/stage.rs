//! Stage: what is deployed in it, with outputs and endpoints, and its history.

use askama::Template;
use axum::extract::{Extension, Path, Query, State as Extract};
use axum::response::{Html, Redirect};
use chrono::{DateTime, Utc};
use model::DeploymentId;
use model::permission::Action;
use model::stage::{StageKind, StageState};
use serde::Deserialize;
use store::deployment::Deployment;
use store::instance::Instance;

use super::board::is_link;
use super::build::to;
use super::live;
use super::view::{Badge, Time, duration, short};
use super::{Shell, html};
use crate::api;
use crate::auth::Caller;
use crate::error::Result;
use crate::extract::value;
use crate::state::State;

const HISTORY: i64 = 30;

#[derive(Template)]
#[template(path = "stage.html")]
struct StagePage {
    shell: Shell,
    app: String,
    name: String,
    url: String,
    kind: &'static str,
    badge: Badge,
    profile: String,
    region: String,
    account: String,
    branch: Option<String>,
    pull_request: Option<i64>,
    active: Time,
    instances: Vec<InstanceView>,
    history: Vec<Entry>,
    next: Option<String>,
    /// The caller may remove it, and it can be removed.
    removable: bool,
}

struct InstanceView {
    service: String,
    region: String,
    badge: Badge,
    reason: Option<String>,
    commit: Option<String>,
    build: Option<(String, i64)>,
    stack: Option<String>,
    endpoints: Vec<Text>,
    outputs: Vec<(String, Text)>,
    updated: Time,
}

/// A value of a stack; an address can be opened.
struct Text {
    text: String,
    link: bool,
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self { link: is_link(&text), text }
    }
}

struct Entry {
    service: String,
    kind: &'static str,
    badge: Badge,
    commit: String,
    build_url: String,
    build: i64,
    reason: Option<String>,
    started: Time,
    duration: String,
}

#[derive(Deserialize)]
pub(super) struct Page {
    before: Option<String>,
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
    Query(page): Query<Page>,
) -> Result<Html<String>> {
    let now = state.now();
    let mut conn = state.db.acquire().await?;
    let app = api::app(&mut conn, &name).await?;
    let stage = api::stages::find(&mut conn, &app, &stage).await?;
    let instances = store::instance::list(&mut conn, stage.id).await?;
    let before: Option<DeploymentId> =
        page.before.as_deref().map(|before| value("before", before)).transpose()?;
    let history = store::deployment::list(&mut conn, stage.id, before, HISTORY + 1).await?;
    let seen = live::board_version(&mut conn).await?;
    drop(conn);
    let shown = usize::try_from(HISTORY).unwrap_or(usize::MAX);
    let more = history.len() > shown;
    let url = format!("/apps/{}/stages/{}", app.name, stage.name);
    let next = history
        .get(shown.saturating_sub(1))
        .filter(|_| more)
        .map(|last| format!("{url}?before={}", last.id));
    let (profile, settings) = app
        .settings
        .profiles
        .get_key_value(&stage.profile)
        .unwrap_or_else(|| app.settings.profile_of(&stage.name));
    let removable = caller.role.allows(Action::Build)
        && stage.kind != StageKind::LongLived
        && matches!(stage.state, StageState::Active | StageState::RemoveFailed);
    let app_name = app.name.to_string();
    let page = StagePage {
        shell: Shell {
            events: before.is_none().then(|| format!("/live/board?seen={seen}")),
            ..Shell::new(format!("{} {}", app.name, stage.name), "board")
        },
        name: stage.name.to_string(),
        url,
        kind: stage.kind.as_str(),
        badge: Badge::of_stage(stage.state),
        profile: profile.to_string(),
        region: settings.region.to_string(),
        account: settings.role_arn.account().to_owned(),
        branch: stage.branch.map(Into::into),
        pull_request: stage.pull_request,
        active: Time::new(stage.active_at, now),
        instances: instances.into_iter().map(|one| instance(&app_name, one, now)).collect(),
        history: history.into_iter().take(shown).map(|one| entry(&app_name, one, now)).collect(),
        next,
        removable,
        app: app_name,
    };
    html(&page)
}

fn instance(app: &str, instance: Instance, now: DateTime<Utc>) -> InstanceView {
    InstanceView {
        service: instance.service.to_string(),
        region: instance.region.to_string(),
        badge: Badge::of_instance(instance.state),
        reason: instance.reason,
        commit: instance.commit.as_ref().map(short),
        build: instance.build_number.map(|number| (format!("/apps/{app}/builds/{number}"), number)),
        stack: instance.stack,
        endpoints: instance.endpoints.into_iter().map(Text::from).collect(),
        outputs: instance.outputs.into_iter().map(|(key, text)| (key, Text::from(text))).collect(),
        updated: Time::new(instance.updated_at, now),
    }
}

fn entry(app: &str, deployment: Deployment, now: DateTime<Utc>) -> Entry {
    let number = deployment.build_number;
    Entry {
        service: deployment.service.to_string(),
        kind: deployment.kind.as_str(),
        badge: Badge::of_deployment(deployment.state),
        commit: short(&deployment.commit),
        build_url: format!("/apps/{app}/builds/{number}?job={}#log", deployment.job_id),
        build: number,
        reason: deployment.reason,
        started: Time::new(deployment.started_at, now),
        duration: duration(Some(deployment.started_at), deployment.finished_at, now),
    }
}

pub(super) async fn remove(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
) -> Result<Redirect> {
    let build = api::stages::remove_stage(&state, &caller, &name, &stage).await?;
    Ok(to(&build))
}
