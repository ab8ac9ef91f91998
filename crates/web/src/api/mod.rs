//! The REST API, `/api/v1`: what scripts of users rely on. Things are added here, never renamed.
//!
//! What always holds: every call shows a bearer token whose role allows it; errors are problems of
//! RFC 9457; lists are objects with one array, newest first, and `next` when there is more.

pub(crate) mod approvals;
mod apps;
mod audit;
pub(crate) mod builds;
pub(crate) mod drift;
pub(crate) mod extend;
mod follow;
pub(crate) mod freeze;
pub(crate) mod jobs;
pub(crate) mod orphans;
pub(crate) mod promote;
pub(crate) mod recover;
pub(crate) mod redeploy;
pub(crate) mod rollback;
pub(crate) mod stages;
pub(crate) mod start;
mod view;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State as Extract};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post, put};
use model::AppName;
use model::permission::Action;
use store::PgConnection;
use store::app::App;

use crate::auth::{self, Caller};
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::peer::Connection;
use crate::state::State;

pub(crate) fn routes(state: &State) -> Router<State> {
    Router::new()
        .route("/apps", get(apps::list))
        .route("/apps/{app}", put(apps::put).get(apps::show))
        .route("/apps/{app}/builds", get(builds::list).post(start::create))
        .route("/apps/{app}/builds/{number}", get(builds::show))
        .route("/apps/{app}/builds/{number}/cancel", post(builds::cancel))
        .route("/apps/{app}/builds/{number}/rerun", post(builds::rerun))
        .route("/apps/{app}/builds/{number}/approve", post(approvals::approve))
        .route("/apps/{app}/builds/{number}/reject", post(approvals::reject))
        .route("/apps/{app}/stages", get(stages::list))
        .route("/apps/{app}/stages/{stage}", get(stages::show))
        .route("/apps/{app}/stages/{stage}/deployments", get(stages::deployments))
        .route("/apps/{app}/stages/{stage}/redeploy", post(redeploy::redeploy))
        .route("/apps/{app}/stages/{stage}/remove", post(stages::remove))
        .route("/apps/{app}/stages/{stage}/freeze", post(freeze::freeze))
        .route("/apps/{app}/stages/{stage}/unfreeze", post(freeze::unfreeze))
        .route("/apps/{app}/stages/{stage}/extend", post(extend::extend))
        .route("/apps/{app}/stages/{stage}/rollback", post(rollback::rollback))
        .route("/apps/{app}/stages/{stage}/promote", post(promote::promote))
        .route("/apps/{app}/stages/{stage}/recover", post(recover::recover))
        .route("/apps/{app}/stages/{stage}/drift", post(drift::look))
        .route("/apps/{app}/sweep", post(orphans::sweep))
        .route("/orphans", get(orphans::list))
        .route("/orphans/{id}/remove", post(orphans::remove))
        .route("/jobs/{id}/log", get(jobs::log))
        .route("/audit", get(audit::list))
        .fallback(nothing)
        .layer(middleware::from_fn_with_state(state.clone(), known_only))
}

async fn nothing() -> Error {
    Error::NotFound("there is nothing at this address of the API".into())
}

/// Who calls is known before anything else is said; what they may is each call's matter.
async fn known_only(
    Extract(state): Extract<State>,
    mut request: Request,
    next: Next,
) -> Result<Response> {
    let caller = auth::bearer(&state, request.headers(), Action::Read).await?;
    let connection = request.extensions().get::<ConnectInfo<Connection>>();
    let from = connection.map(|info| info.0.peer.ip());
    request.extensions_mut().insert(Caller { from, ..caller });
    Ok(next.run(request).await)
}

pub(crate) async fn app(conn: &mut PgConnection, name: &str) -> Result<App> {
    let name: AppName = segment("app", name)?;
    store::app::find(conn, &name)
        .await?
        .ok_or_else(|| Error::NotFound(format!("there is no app {name:?}", name = name.as_str())))
}

fn status(created: bool) -> StatusCode {
    if created { StatusCode::CREATED } else { StatusCode::OK }
}
