//! Stage: what is deployed in it, with outputs and endpoints, what it is deployed with, its
//! history, and the forms that change it.
//!
//! What always holds: a stage that the settings name has a page before its first build, so that
//! the first build can be started there.

mod instance;
pub(super) mod order;
mod settings;

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Extension, Path, Query, State as Extract};
use axum::response::Html;
use chrono::{DateTime, Utc};
use model::permission::Action;
use model::stage::{StageKind, StageState};
use model::{DeploymentId, ServiceName, StageId, StageName};
use serde::Deserialize;
use store::PgConnection;
use store::app::App;
use store::deployment::Deployment;
use store::instance::Instance;
use store::stage::Stage;
use uuid::Uuid;

use self::instance::{Elsewhere, InstanceView, Place};
use self::settings::{ParameterView, SafeguardView, ValueView};
use super::live;
use super::view::{Badge, Time, duration, placed, short};
use super::{Shell, html};
use crate::api;
use crate::auth::Caller;
use crate::error::Result;
use crate::extract::{segment, value};
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
    /// `None`: it was never built.
    active: Option<Time>,
    rules: Vec<String>,
    /// Services with regions of their own.
    regions: Vec<(String, String)>,
    instances: Vec<InstanceView>,
    /// The services that run with other parameters than the stage has now.
    outdated: Vec<String>,
    elsewhere: Option<Elsewhere>,
    parameters: Vec<ParameterView>,
    safeguards: Vec<SafeguardView>,
    history: Vec<Entry>,
    next: Option<String>,
    /// The caller may remove it, and it can be removed.
    removable: bool,
    /// The caller may build it, and it takes builds.
    buildable: bool,
    /// The branch that is meant if nobody says otherwise.
    usual_branch: String,
}

struct Entry {
    what: String,
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
    let stage = find(&mut conn, &app, &stage).await?;
    let instances = store::instance::list(&mut conn, stage.id).await?;
    let elsewhere = instance::elsewhere(&mut conn, &app, &stage, &instances).await?;
    let digest = api::stages::parameters_digest(&mut conn, &app, &stage).await?;
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
    let (profile, profile_settings) = stage.profile_in(&app.settings);
    let may_build = caller.role.allows(Action::Build);
    let several = in_several_regions(&instances);
    let history = history.into_iter().take(shown).map(|one| entry(&app.name, one, &several, now));
    let history = history.collect();
    let stands_in =
        |one: &Instance| elsewhere.as_ref().is_some_and(|there| there.stands_in_for(one));
    let place = Place { app: &app.name, stage: &stage.name, parameters_digest: &digest };
    let instances: Vec<InstanceView> = instances
        .into_iter()
        .filter(|one| !stands_in(one))
        .map(|one| place.view(one, now))
        .collect();
    let outdated: BTreeSet<String> =
        instances.iter().filter(|one| one.outdated).map(|one| one.service.clone()).collect();
    let page = StagePage {
        shell: Shell {
            events: before.is_none().then(|| format!("/live/board?seen={seen}")),
            ..Shell::new(format!("{} {}", app.name, stage.name), "board")
        },
        app: app.name.to_string(),
        name: stage.name.to_string(),
        url,
        kind: stage.kind.as_str(),
        badge: if is_built(&stage) {
            Badge::of_stage(stage.state)
        } else {
            Badge::new("off", "never built")
        },
        profile: profile.to_string(),
        region: profile_settings.region.to_string(),
        account: profile_settings.role_arn.account().to_owned(),
        branch: stage.branch.as_ref().map(ToString::to_string),
        pull_request: stage.pull_request,
        active: is_built(&stage).then(|| Time::new(stage.active_at, now)),
        rules: settings::rules(&app.settings, &stage),
        regions: settings::regions(&app.settings, &stage),
        instances,
        outdated: outdated.into_iter().collect(),
        elsewhere: elsewhere.filter(|there| !there.services.is_empty()),
        parameters: settings::parameters(&app.settings, &stage),
        safeguards: settings::safeguards(&app.settings, &stage),
        history,
        next,
        removable: may_build
            && stage.kind != StageKind::LongLived
            && matches!(stage.state, StageState::Active | StageState::RemoveFailed),
        buildable: may_build && stage.state == StageState::Active,
        usual_branch: settings::branch(&app.settings, &stage).unwrap_or_default(),
    };
    html(&page)
}

/// The stage's row; of one that the settings name and nobody built, what its row will be.
async fn find(conn: &mut PgConnection, app: &App, name: &str) -> Result<Stage> {
    let wanted: StageName = segment("stage", name)?;
    if store::stage::find_latest(conn, app.id, &wanted).await?.is_none()
        && let Some((name, stage)) = app.settings.stage(&wanted)
    {
        return Ok(Stage {
            id: StageId(Uuid::nil()),
            app_id: app.id,
            name: name.clone(),
            kind: StageKind::LongLived,
            profile: stage.profile.clone(),
            branch: None,
            pull_request: None,
            state: StageState::Active,
            created_at: app.updated_at,
            active_at: app.updated_at,
            closed_at: None,
        });
    }
    api::stages::find(conn, app, name).await
}

fn is_built(stage: &Stage) -> bool {
    !stage.id.0.is_nil()
}

fn in_several_regions(instances: &[Instance]) -> BTreeSet<ServiceName> {
    // they stand in the order of their services
    let same = instances.chunk_by(|one, other| one.service == other.service);
    same.filter(|same| same.len() > 1)
        .filter_map(|same| same.first())
        .map(|one| one.service.clone())
        .collect()
}

fn entry(
    app: &model::AppName,
    deployment: Deployment,
    several: &BTreeSet<ServiceName>,
    now: DateTime<Utc>,
) -> Entry {
    let number = deployment.build_number;
    let service = &deployment.service;
    let region = Some(&deployment.region).filter(|_| several.contains(service));
    Entry {
        what: placed(service.as_str(), region),
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
