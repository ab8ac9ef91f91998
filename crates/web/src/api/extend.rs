//! A preview that expires is given its whole time anew.

use axum::Json;
use axum::extract::{Extension, Path, State as Extract};
use model::comment::command::Span;
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

/// Give a preview that expires its whole time anew
#[utoipa::path(
    post,
    path = "/apps/{app}/stages/{stage}/extend",
    operation_id = "extendStage",
    tag = "stages",
    responses(
        (status = 200, description = "The stage", body = StageView),
    ),
)]
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
    let stage = store::order::extend(&mut tx, &app, &stage, Span::WholeTime, state.now()).await?;
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
