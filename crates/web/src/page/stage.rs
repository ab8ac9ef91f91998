//! Stage: what is deployed in it, with outputs and endpoints, what it is deployed with, its
//! history, and the forms that change it.
//!
//! What always holds: a stage that the settings name has a page before its first build, so that
//! the first build can be started there.

mod drift;
mod history;
mod instance;
mod laptop;
pub(super) mod order;
mod settings;

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Extension, Path, Query, State as Extract};
use axum::response::Html;
use chrono::{DateTime, Utc};
use model::freeze::Frozen;
use model::permission::Action;
use model::personal::Owner;
use model::stage::{StageKind, StageState};
use model::worker_api::RemoveHow;
use model::{DeploymentId, StageId, StageName};
use serde::Deserialize;
use store::PgConnection;
use store::app::App;
use store::instance::Instance;
use store::stage::Stage;
use uuid::Uuid;

use self::drift::Drift;
use self::history::{Entry, History};
use self::instance::{Elsewhere, InstanceView, Place};
use self::laptop::LaptopLine;
use self::settings::{ParameterView, SafeguardView, ValueView};
use super::frozen::FrozenView;
use super::view::{Badge, Time};
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
    role: String,
    /// The settings name it.
    configured: bool,
    branch: Option<String>,
    pull_request: Option<i64>,
    /// `None`: it was never built.
    active: Option<Time>,
    rules: Vec<String>,
    /// What the settings say of deploys to it.
    gate: Vec<(&'static str, String)>,
    /// Services with regions of their own.
    regions: Vec<(String, String)>,
    instances: Vec<InstanceView>,
    /// The services that run with other parameters than the stage has now.
    outdated: Vec<String>,
    elsewhere: Option<Elsewhere>,
    parameters: Vec<ParameterView>,
    safeguards: Vec<SafeguardView>,
    drift: Option<Drift>,
    history: Vec<Entry>,
    next: Option<String>,
    frozen: Vec<FrozenView>,
    /// The dialog about freezing it that the caller may use.
    freezing: Option<&'static str>,
    /// What a removal that failed has left.
    left_over: Option<LeftOver>,
    /// When it is removed if nobody needs it before.
    expires: Option<Time>,
    /// Of a personal stage: whose it is, and when they last used it.
    owner: Option<(String, Time)>,
    /// Since when its time is over, though nobody was told.
    expired: Option<Time>,
    /// What people ran on it from their own machines.
    laptop: Vec<LaptopLine>,
    /// The caller may put that off.
    extendable: bool,
    /// Something was deployed that it could go back to.
    rollbackable: bool,
    /// The stage whose commit may be promoted to this one.
    promote_from: Option<String>,
    /// The caller may have its stacks looked at.
    lookable: bool,
    /// The caller may remove it, and it can be removed.
    removable: bool,
    /// The caller may build it, and it takes builds.
    buildable: bool,
    /// The branch that is meant if nobody says otherwise.
    usual_branch: String,
}

struct LeftOver {
    reason: String,
    failures: i32,
    /// `None`: it is not tried again by itself.
    retry: Option<Time>,
}

impl LeftOver {
    fn of(stage: &Stage, now: DateTime<Utc>) -> Option<Self> {
        match stage.state {
            StageState::RemoveFailed => Some(Self {
                reason: stage.left_over.clone()?,
                failures: stage.remove_failures,
                retry: stage.retry_at.map(|retry| Time::new(retry, now)),
            }),
            StageState::Active | StageState::Removing | StageState::Closed => None,
        }
    }
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
    let seen = state.board.known(&state.db).await?;
    let mut conn = state.db.acquire().await?;
    let app = api::app(&mut conn, &name).await?;
    let stage = find(&mut conn, &app, &stage).await?;
    let instances = store::instance::list(&mut conn, stage.id).await?;
    let elsewhere = instance::elsewhere(&mut conn, &app, &stage, &instances).await?;
    let digest = api::stages::parameters_digest(&mut conn, &app, &stage).await?;
    let before: Option<DeploymentId> =
        page.before.as_deref().map(|before| value("before", before)).transpose()?;
    let history = store::deployment::list(&mut conn, stage.id, before, HISTORY + 1).await?;
    let by_hand = store::freeze::of(&mut conn, stage.id).await?;
    let looks = store::drift::of_stage(&mut conn, stage.id).await?;
    let personal = store::personal::of(&mut conn, stage.id).await?;
    let sessions = store::personal::list(&mut conn, stage.id, HISTORY).await?;
    drop(conn);
    let personal_owner = personal.as_ref().map(store::personal::Personal::owner);
    let shown = usize::try_from(HISTORY).unwrap_or(usize::MAX);
    let more = history.len() > shown;
    let url = format!("/apps/{}/stages/{}", app.name, stage.name);
    let next = history
        .get(shown.saturating_sub(1))
        .filter(|_| more)
        .map(|last| format!("{url}?before={}", last.id));
    let own = app.settings.stage(&stage.name).map(|(_, own)| own);
    let freezes = api::stages::freezes(&state, &app, &stage, by_hand.as_ref());
    let (profile, profile_settings) = stage.profile_in(&app.settings);
    let may_build = caller.allows(Action::Build, &app.name);
    // a personal one is deployed by its owner, from their own machine
    let deployable =
        may_build && stage.state == StageState::Active && stage.kind != StageKind::Personal;
    let history =
        History { app: &app.name, stage_url: &url, instances: &instances, deployable, now }
            .entries(history.into_iter().take(shown).collect());
    let drift = Drift::of(&app, &stage, &instances, &looks, now);
    let stands_in =
        |one: &Instance| elsewhere.as_ref().is_some_and(|there| there.stands_in_for(one));
    let place = Place {
        app: &app.name,
        stage: &stage.name,
        parameters_digest: &digest,
        partition: profile_settings.role_arn.as_str().split(':').nth(1).unwrap_or_default(),
        changeable: may_build,
    };
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
            ..Shell::new(format!("{} {}", app.name, stage.name), "board").of(&caller)
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
        role: profile_settings.role_arn.to_string(),
        configured: own.is_some(),
        branch: stage.branch.as_ref().map(ToString::to_string),
        pull_request: stage.pull_request,
        active: is_built(&stage).then(|| Time::new(stage.active_at, now)),
        rules: settings::rules(&app.settings, &stage),
        gate: settings::gate(&app.settings, &stage),
        regions: settings::regions(&app.settings, &stage),
        instances,
        outdated: outdated.into_iter().collect(),
        elsewhere: elsewhere.filter(|there| !there.services.is_empty()),
        parameters: settings::parameters(&app.settings, &stage),
        safeguards: settings::safeguards(&app.settings, &stage),
        next,
        drift,
        frozen: freezes.iter().map(|freeze| FrozenView::of(freeze, now)).collect(),
        freezing: freezing(&caller, &app, &stage, by_hand.filter(|frozen| frozen.holds(now))),
        left_over: LeftOver::of(&stage, now),
        expires: match &personal {
            Some(own) => own.expires_at.filter(|_| own.expired_at.is_none()),
            None => stage.expires_at,
        }
        .map(|at| Time::new(at, now)),
        owner: personal.as_ref().map(|own| (own.owner.clone(), Time::new(own.used_at, now))),
        expired: personal.and_then(|own| own.expired_at).map(|at| Time::new(at, now)),
        laptop: laptop::lines(
            sessions,
            state.settings.git_url.trim_end_matches('/'),
            app.repository.as_str(),
            now,
        ),
        extendable: deployable && stage.expires_at.is_some(),
        rollbackable: history.iter().any(|one| one.rollback.is_some()),
        history,
        promote_from: own.and_then(|own| own.promote_from.as_ref()).map(ToString::to_string),
        lookable: may_build && stage.state == StageState::Active,
        removable: may_build
            && may_end(&caller, &app, personal_owner.as_ref())
            && stage.kind != StageKind::LongLived
            && matches!(stage.state, StageState::Active | StageState::RemoveFailed),
        buildable: deployable,
        usual_branch: settings::branch(&app.settings, &stage).unwrap_or_default(),
    };
    html(&page)
}

/// A personal stage is removed by its owner, or by an admin.
fn may_end(caller: &Caller, app: &App, owner: Option<&Owner>) -> bool {
    let Some(owner) = owner else { return true };
    caller.allows(Action::Configure, &app.name)
        || api::personal::owner(caller).is_some_and(|own| own.is(owner))
}

/// A freeze by hand is ended by those who may; a stage that nobody froze is frozen by whoever may
/// build.
fn freezing(
    caller: &Caller,
    app: &App,
    stage: &Stage,
    by_hand: Option<Frozen>,
) -> Option<&'static str> {
    let freezable =
        caller.allows(Action::Build, &app.name) && app.settings.stage(&stage.name).is_some();
    match by_hand {
        Some(frozen) => {
            api::freeze::may_end(caller, app, &stage.name, &frozen).then_some("unfreeze")
        }
        None => freezable.then_some("freeze"),
    }
}

/// The stage's row; of one that the settings name and nobody built, what its row will be.
pub(super) async fn find(conn: &mut PgConnection, app: &App, name: &str) -> Result<Stage> {
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
            base: None,
            state: StageState::Active,
            created_at: app.updated_at,
            active_at: app.updated_at,
            warned_at: None,
            expires_at: None,
            kept_until: None,
            remove_how: RemoveHow::Careful,
            remove_failures: 0,
            left_over: None,
            retry_at: None,
            closed_at: None,
        });
    }
    api::stages::find(conn, app, name).await
}

fn is_built(stage: &Stage) -> bool {
    !stage.id.0.is_nil()
}
