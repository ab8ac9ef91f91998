//! A preview that expires is given its whole time anew.

use axum::Json;
use axum::extract::{Extension, Path, State as Extract};
use model::stage::{StageKind, StageState};
use serde_json::json;
use store::audit::Deed;
use store::signals::Topic;
use store::stage::Stage;

use super::app;
use super::stages::{find, shown};
use super::view::StageView;
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::state::State;

pub(super) async fn extend(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
) -> Result<Json<StageView>> {
    let stage = extend_stage(&state, &caller, &name, &stage).await?;
    let mut conn = state.db.acquire().await?;
    let app = app(&mut conn, &name).await?;
    Ok(Json(shown(&state, &mut conn, &app, stage).await?))
}

/// As if somebody had pushed now, without a build.
pub(crate) async fn extend_stage(
    state: &State,
    caller: &Caller,
    name: &str,
    stage: &str,
) -> Result<Stage> {
    let mut tx = state.db.begin().await?;
    let app = app(&mut tx, name).await?;
    let stage = find(&mut tx, &app, stage).await?;
    expiring(&stage)?;
    store::order::use_stage(&mut tx, &app, stage.id, state.now()).await?;
    // what GitHub shows of it said when it would end
    if let Some(build) = store::build::latest_on(&mut tx, stage.id).await? {
        store::build::mark_dirty(&mut tx, build.id).await?;
    }
    let stage = store::stage::get(&mut tx, stage.id).await?;
    let did = Did::new(Deed::Extend, &app.name)
        .stage(&stage.name)
        .detail(json!({ "expires_at": stage.expires_at }));
    audit::record(state, &mut tx, caller, did).await?;
    tx.commit().await.map_err(Error::internal)?;
    tracing::info!(app = %app.name, stage = %stage.name, by = caller.name, "a preview is kept longer");
    state.signals.wake_engine();
    state.signals.touched(Topic::Board);
    Ok(stage)
}

/// Refuses a stage that has no end which could be put off.
fn expiring(stage: &Stage) -> Result<()> {
    let refusal = match (stage.kind, stage.state, stage.expires_at) {
        (StageKind::Preview, StageState::Active, Some(_)) => return Ok(()),
        (StageKind::Preview, StageState::Active, None) => {
            "does not expire: its preview rule has no `expires_after`"
        }
        (StageKind::Preview, StageState::Removing | StageState::RemoveFailed, _) => {
            "is being removed: push to its branch to have it again"
        }
        (StageKind::Preview, StageState::Closed, _) => {
            "is closed: push to its branch to have it again"
        }
        (StageKind::LongLived | StageKind::Personal, _, _) => "does not expire: it is no preview",
    };
    Err(Error::Conflict(format!("{} {refusal}", stage.name)))
}
