//! Every address the server answers at.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;

use crate::state::{Parts, State};
use crate::{access, api, asset, page, request, telemetry, webhook, worker_api};

/// Serve it with `into_make_service_with_connect_info::<Connection>()`: without the peer's address
/// nobody counts as local.
pub fn router(parts: Parts) -> Router {
    // before the first request, so that nothing is measured into the void
    telemetry::recorder();
    let state = State::new(parts);
    let for_people = Router::new()
        .merge(page::routes())
        .route("/metrics", get(telemetry::metrics))
        .route_layer(middleware::from_fn_with_state(state.clone(), access::people_only))
        .merge(access::routes());
    Router::new()
        .merge(for_people)
        .merge(asset::routes())
        .nest("/api/v1", api::routes(&state))
        .nest("/worker/v1", worker_api::routes(&state))
        .route("/webhooks/github", post(webhook::receive).layer(DefaultBodyLimit::disable()))
        .route("/healthz", get(telemetry::healthz))
        .route("/readyz", get(telemetry::readyz))
        .layer(CatchPanicLayer::new())
        .layer(middleware::from_fn_with_state(state.clone(), request::around))
        .with_state(state)
}
