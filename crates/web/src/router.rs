//! Every address the server answers at.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::middleware;
use axum::routing::{get, post};
use model::permission::Action;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::rights::{Needs, Routes};
use crate::setup::door;
use crate::state::{Parts, State};
use crate::{
    access, api, asset, badge, cc, fresh, nul, once, page, request, shield, telemetry, webhook,
    worker_api,
};

/// Serve it with `into_make_service_with_connect_info::<Connection>()`: without the peer's address
/// nobody counts as local.
pub fn router(parts: Parts) -> Router {
    // before the first request, so that nothing is measured into the void
    telemetry::begin();
    let state = State::new(parts);
    let setup_pages = page::setup::routes()
        .into_router(&state)
        .route_layer(middleware::from_fn(door::held))
        .route_layer(middleware::from_fn_with_state(state.clone(), door::setup_only));
    let for_people = pages()
        .into_router(&state)
        .route_layer(middleware::from_fn_with_state(state.clone(), access::people_only))
        .merge(access::open())
        .merge(badge::open())
        .merge(setup_pages)
        .merge(page::setup::open())
        .layer(middleware::from_fn(nul::refused))
        .layer(shield::csrf(&state.settings.public_url));
    let calls = api::routes()
        .into_router(&state)
        .fallback(api::nothing)
        .layer(middleware::from_fn(fresh::polled))
        .layer(middleware::from_fn_with_state(state.clone(), once::once))
        .layer(middleware::from_fn_with_state(state.clone(), api::known_only));
    // event streams are left as they are: packing would hold them back
    let packed = CompressionLayer::new().gzip(true);
    Router::new()
        .merge(for_people)
        .merge(asset::routes())
        .layer(packed)
        .nest("/api/v1", calls)
        .nest("/worker/v1", worker_api::routes(&state))
        .route("/webhooks/github", post(webhook::receive).layer(DefaultBodyLimit::disable()))
        .route("/healthz", get(telemetry::healthz))
        .route("/readyz", get(telemetry::readyz))
        .layer(CatchPanicLayer::new())
        .layer(middleware::from_fn_with_state(state.clone(), request::around))
        .layer(middleware::from_fn_with_state(state.clone(), shield::headers))
        .with_state(state)
}

fn pages() -> Routes {
    let metrics = Needs::OnServer(Action::Read);
    page::routes()
        .get("/metrics", metrics, telemetry::metrics)
        .merge(cc::routes())
        .merge(badge::routes())
        .merge(access::own())
}

/// The addresses that are open to whoever has not signed in yet.
pub fn open_routes() -> Vec<(Method, String)> {
    let open = access::OPEN.into_iter().chain(page::setup::OPEN).chain(badge::OPEN);
    open.map(|(method, path)| (method, path.to_owned())).collect()
}

/// Every address behind a right, as it is served: what the tests go through, route by route.
pub fn routes() -> Vec<(Method, String)> {
    let pages = pages().merge(page::setup::routes());
    let calls = api::routes();
    let pages = pages.list().map(|route| (route.method.clone(), route.path.to_owned()));
    let calls = calls.list().map(|route| (route.method.clone(), format!("/api/v1{}", route.path)));
    pages.chain(calls).collect()
}
