//! Freezing a stage by hand, and ending that.
//!
//! What always holds: only long-lived stages are frozen. Whoever may build may freeze; ending a
//! freeze needs more, since it lets deploys through: an admin, an approver of the stage, or whoever
//! froze it.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State as Extract};
use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use model::StageName;
use model::freeze::{Freeze, Frozen};
use model::permission::Action;
use model::stage::StageKind;
use serde::Deserialize;
use serde_json::json;
use store::PgConnection;
use store::app::App;
use store::audit::Deed;
use store::signals::Topic;
use store::stage::Stage;
use utoipa::ToSchema;

use super::app;
use super::stages;
use super::view::StageView;
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract;
use crate::order;
use crate::state::State;

/// Long enough for a sentence and a link.
const REASON_CHARS: usize = 500;

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = FreezeWish)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// For whoever waits.
    #[schema(min_length = 1, max_length = 500)]
    pub(crate) reason: String,
    /// `null`: until somebody ends it.
    #[serde(default, deserialize_with = "extract::some_moment")]
    pub(crate) until: Option<DateTime<Utc>>,
}

/// Freeze a long-lived stage
///
/// It takes no deploys until then, or until somebody ends it.
#[utoipa::path(
    post,
    path = "/apps/{app}/stages/{stage}/freeze",
    operation_id = "freezeStage",
    tag = "stages",
    request_body = Wish,
    responses(
        (status = 200, description = "The stage", body = StageView),
    ),
)]
pub(super) async fn freeze(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<StageView>> {
    let wish: Wish = extract::json(&headers, &body)?;
    let (app, stage) = freeze_stage(&state, &caller, &name, &stage, wish).await?;
    let mut conn = state.db.acquire().await?;
    Ok(Json(stages::shown(&state, &mut conn, &app, stage).await?))
}

/// End a freeze by hand
///
/// An admin may, an approver of the stage, and whoever froze it.
#[utoipa::path(
    post,
    path = "/apps/{app}/stages/{stage}/unfreeze",
    operation_id = "unfreezeStage",
    tag = "stages",
    responses(
        (status = 200, description = "The stage", body = StageView),
        (status = 502, description = "GitHub does not answer as it should"),
    ),
)]
pub(super) async fn unfreeze(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
) -> Result<Json<StageView>> {
    let (app, stage) = unfreeze_stage(&state, &caller, &name, &stage).await?;
    let mut conn = state.db.acquire().await?;
    Ok(Json(stages::shown(&state, &mut conn, &app, stage).await?))
}

pub(crate) async fn freeze_stage(
    state: &State,
    caller: &Caller,
    name: &str,
    stage: &str,
    wish: Wish,
) -> Result<(App, Stage)> {
    let mut tx = state.db.begin().await?;
    let app = app(&mut tx, name).await?;
    let stage = long_lived(state, &mut tx, &app, stage).await?;
    freeze_in(state, &mut tx, caller, &app, &stage, wish).await?;
    tx.commit().await.map_err(Error::internal)?;
    changed(state);
    Ok((app, stage))
}

async fn freeze_in(
    state: &State,
    conn: &mut PgConnection,
    caller: &Caller,
    app: &App,
    stage: &Stage,
    wish: Wish,
) -> Result<()> {
    let now = state.now();
    let frozen = Frozen {
        reason: reason(&wish.reason)?,
        by: caller.name.clone(),
        since: now,
        until: wish.until,
    };
    match stage.kind {
        StageKind::LongLived => {}
        StageKind::Preview | StageKind::Personal => return Err(only_long_lived(stage)),
    }
    if !frozen.holds(now) {
        return Err(Error::invalid("until", "this moment is over; name one to come, or none"));
    }
    if let Some(held) = held_by_another(state, conn, caller, app, stage).await? {
        return Err(frozen_already(stage, &held));
    }
    put(state, conn, caller, app, stage, &frozen).await
}

/// Freezes the stage as a part of something else, in the caller's transaction: who commits it wakes
/// the engine. A freeze of somebody else's that holds for at least as long is all that is wanted.
pub(crate) async fn freeze_along(
    state: &State,
    conn: &mut PgConnection,
    caller: &Caller,
    app: &App,
    stage: &Stage,
    frozen: &Frozen,
) -> Result<()> {
    let Some(held) = held_by_another(state, conn, caller, app, stage).await? else {
        return put(state, conn, caller, app, stage, frozen).await;
    };
    match (held.until, frozen.until) {
        (None, _) => Ok(()),
        (Some(held), Some(wanted)) if wanted <= held => Ok(()),
        (Some(_), _) => Err(frozen_already(stage, &held)),
    }
}

/// The freeze that the caller may not end: nor may another take its place, which the caller could
/// end then.
async fn held_by_another(
    state: &State,
    conn: &mut PgConnection,
    caller: &Caller,
    app: &App,
    stage: &Stage,
) -> Result<Option<Frozen>> {
    let held = store::freeze::of(conn, stage.id).await?;
    Ok(held.filter(|held| held.holds(state.now()) && !may_end(caller, app, &stage.name, held)))
}

fn frozen_already(stage: &Stage, held: &Frozen) -> Error {
    let freeze = Freeze::ByHand(held.clone());
    Error::Conflict(format!("{} is already {}", stage.name, freeze.sentence()))
}

async fn put(
    state: &State,
    conn: &mut PgConnection,
    caller: &Caller,
    app: &App,
    stage: &Stage,
    frozen: &Frozen,
) -> Result<()> {
    store::freeze::put(conn, stage.id, frozen).await?;
    let did = Did::new(Deed::Freeze, &app.name)
        .stage(&stage.name)
        .detail(json!({ "reason": frozen.reason, "until": frozen.until }));
    audit::record(state, conn, caller, did).await
}

pub(crate) async fn unfreeze_stage(
    state: &State,
    caller: &Caller,
    name: &str,
    stage: &str,
) -> Result<(App, Stage)> {
    let mut tx = state.db.begin().await?;
    let app = app(&mut tx, name).await?;
    let stage = stages::find(&mut tx, &app, stage).await?;
    let frozen = store::freeze::of(&mut tx, stage.id).await?;
    let Some(frozen) = frozen.filter(|frozen| frozen.holds(state.now())) else {
        return Err(Error::Conflict(format!("nobody has frozen {}", stage.name)));
    };
    allowed_to_end(caller, &app, &stage.name, &frozen)?;
    store::freeze::end(&mut tx, stage.id).await?;
    let did = Did::new(Deed::Unfreeze, &app.name)
        .stage(&stage.name)
        .detail(json!({ "reason": frozen.reason, "frozen_by": frozen.by }));
    audit::record(state, &mut tx, caller, did).await?;
    tx.commit().await.map_err(Error::internal)?;
    changed(state);
    Ok((app, stage))
}

pub(crate) fn allowed_to_end(
    caller: &Caller,
    app: &App,
    stage: &StageName,
    frozen: &Frozen,
) -> Result<()> {
    if may_end(caller, app, stage, frozen) {
        return Ok(());
    }
    Err(Error::Forbidden(format!(
        "{} has frozen {stage}: {} may end that, or {}",
        frozen.by,
        frozen.by,
        who_may_approve(approvers(app, stage))
    )))
}

/// Whether the caller may end the freeze of a stage.
pub(crate) fn may_end(caller: &Caller, app: &App, stage: &StageName, frozen: &Frozen) -> bool {
    caller.may_approve(&app.name, approvers(app, stage))
        || (caller.allows(Action::Build, &app.name) && caller.name == frozen.by)
}

/// Who may approve deploys to a stage, beside admins.
pub(crate) fn approvers<'a>(app: &'a App, stage: &StageName) -> &'a [String] {
    app.settings.stage(stage).map_or(&[], |(_, settings)| &settings.approvers)
}

/// In words.
pub(crate) fn who_may_approve(approvers: &[String]) -> String {
    model::approval::who_may(approvers)
}

fn changed(state: &State) {
    state.signals.wake_engine();
    state.signals.wake_workers();
    state.signals.touched(Topic::Board);
}

fn reason(text: &str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::invalid("reason", "say why: whoever waits will read it"));
    }
    if text.chars().count() > REASON_CHARS {
        let message = format!("it is longer than {REASON_CHARS} characters: say it shorter");
        return Err(Error::invalid("reason", message));
    }
    Ok(text.to_owned())
}

/// A stage may be frozen before its first build.
async fn long_lived(
    state: &State,
    conn: &mut PgConnection,
    app: &App,
    name: &str,
) -> Result<Stage> {
    let wanted: StageName = extract::segment("stage", name)?;
    match app.settings.stage(&wanted) {
        Some((own, _)) => {
            let id = order::long_lived(state, conn, app, own).await?;
            Ok(store::stage::get(conn, id).await?)
        }
        None => {
            let stage = stages::find(conn, app, name).await?;
            Err(only_long_lived(&stage))
        }
    }
}

fn only_long_lived(stage: &Stage) -> Error {
    Error::Conflict(format!(
        "{} is no long-lived stage of the settings: only those are frozen",
        stage.name
    ))
}
