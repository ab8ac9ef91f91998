//! The REST API, `/api/v1`: what scripts of users rely on. Things are added here, never renamed.
//!
//! What always holds: every call shows a bearer token whose role allows it; errors are problems of
//! RFC 9457; lists are objects with one array, newest first, and `next` when there is more.

mod all_builds;
pub(crate) mod approvals;
mod apps;
mod audit;
pub(crate) mod badges;
pub(crate) mod builds;
pub(crate) mod deliveries;
mod document;
pub(crate) mod drift;
pub(crate) mod extend;
mod follow;
pub(crate) mod freeze;
pub(crate) mod jobs;
mod me;
pub(crate) mod members;
pub(crate) mod notifications;
pub(crate) mod orphans;
pub(crate) mod outbox;
pub(crate) mod personal;
mod profiles;
pub(crate) mod programs;
pub(crate) mod promote;
pub(crate) mod recover;
pub(crate) mod redeploy;
mod revisions;
pub(crate) mod rollback;
pub(crate) mod sessions;
pub(crate) mod stages;
pub(crate) mod start;
mod system;
pub(crate) mod tokens;
mod view;

use axum::extract::{ConnectInfo, Request, State as Extract};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use model::AppName;
use model::permission::Action;
use store::PgConnection;
use store::app::App;

use crate::audit::READERS;
use crate::auth::{self, Caller};
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::openapi;
use crate::peer::Connection;
use crate::rights::{Needs, Routes};
use crate::state::State;

pub(crate) use self::document::Document;

/// Every call, with what it takes to make it.
pub(crate) fn routes() -> Routes {
    let (read, build) = (Needs::InApp(Action::Read), Needs::InApp(Action::Build));
    let (configure, decide) = (Needs::InApp(Action::Configure), Needs::InAppNow(Action::Read));
    Routes::new()
        .get("/openapi.json", Needs::Somebody, document)
        .get("/whoami", Needs::Somebody, me::show)
        .post("/logout", Needs::Somebody, me::log_out)
        .get("/account/sessions", Needs::Somebody, sessions::list)
        .delete("/account/sessions/{id}", Needs::Somebody, sessions::end)
        .get("/account/programs", Needs::Somebody, programs::list)
        .delete("/account/programs/{id}", Needs::Somebody, programs::revoke)
        .post("/account/check", Needs::Somebody, members::check_own)
        .get("/apps", Needs::Somebody, apps::list)
        .put("/apps/{app}", Needs::Somebody, apps::put)
        .get("/apps/{app}", read, apps::show)
        .get("/apps/{app}/badges", read, badges::show)
        .post("/apps/{app}/badges", configure, badges::publish)
        .delete("/apps/{app}/badges", configure, badges::hide)
        .post("/apps/{app}/profiles/{profile}/check", configure, profiles::check)
        .get("/apps/{app}/revisions", read, revisions::list)
        .get("/apps/{app}/revisions/{number}", read, revisions::show)
        .get("/builds", Needs::Somebody, all_builds::list)
        .get("/apps/{app}/builds", read, builds::list)
        .post("/apps/{app}/builds", build, start::create)
        .get("/apps/{app}/builds/{number}", read, builds::show)
        .post("/apps/{app}/builds/{number}/cancel", build, builds::cancel)
        .post("/apps/{app}/builds/{number}/rerun", build, builds::rerun)
        // who may answer, the stage says
        .post("/apps/{app}/builds/{number}/approve", decide, approvals::approve)
        .post("/apps/{app}/builds/{number}/reject", decide, approvals::reject)
        .get("/apps/{app}/stages", read, stages::list)
        .get("/apps/{app}/stages/{stage}", read, stages::show)
        .get("/apps/{app}/stages/{stage}/deployments", read, stages::deployments)
        .get("/apps/{app}/stages/{stage}/laptop", read, personal::list)
        .post("/apps/{app}/stages/{stage}/laptop", Needs::InAppNow(Action::Build), personal::begin)
        .post(
            "/apps/{app}/stages/{stage}/laptop/{id}/renew",
            Needs::InAppNow(Action::Build),
            personal::renew,
        )
        .post("/apps/{app}/stages/{stage}/laptop/{id}/end", build, personal::end)
        .post("/apps/{app}/stages/{stage}/redeploy", build, redeploy::redeploy)
        .post("/apps/{app}/stages/{stage}/remove", build, stages::remove)
        .post("/apps/{app}/stages/{stage}/freeze", build, freeze::freeze)
        .post(
            "/apps/{app}/stages/{stage}/unfreeze",
            Needs::InAppNow(Action::Build),
            freeze::unfreeze,
        )
        .post("/apps/{app}/stages/{stage}/extend", build, extend::extend)
        .post("/apps/{app}/stages/{stage}/rollback", build, rollback::rollback)
        .post("/apps/{app}/stages/{stage}/promote", build, promote::promote)
        .post("/apps/{app}/stages/{stage}/recover", build, recover::recover)
        .post("/apps/{app}/stages/{stage}/drift", build, drift::look)
        .post("/apps/{app}/sweep", build, orphans::sweep)
        .get("/orphans", Needs::Somebody, orphans::list)
        .post("/orphans/{id}/remove", Needs::OnServer(Action::Configure), orphans::remove)
        .get("/jobs/{id}/log", Needs::InAppOfJob(Action::Read), jobs::log)
        .get("/system", Needs::OnServer(Action::Read), system::show)
        .get("/system/deliveries", Needs::OnServer(Action::Read), deliveries::list)
        .get("/system/deliveries/{guid}", Needs::OnServer(Action::Read), deliveries::show)
        .post(
            "/system/deliveries/{guid}/replay",
            Needs::OnServer(Action::Configure),
            deliveries::replay,
        )
        .get("/system/outbox", Needs::OnServer(Action::Read), outbox::list)
        .post("/system/outbox/hurry", Needs::OnServer(Action::Configure), outbox::hurry)
        .get("/system/notifications", Needs::OnServer(Action::Read), notifications::list)
        .post(
            "/system/notifications/{id}/replay",
            Needs::OnServer(Action::Configure),
            notifications::replay,
        )
        .get("/members", Needs::Somewhere(Action::Configure), members::list)
        .post("/members/{id}/check", Needs::Somewhere(Action::Configure), members::check)
        .get("/audit", Needs::Somewhere(READERS), audit::list)
        .get("/tokens", Needs::Somewhere(Action::Configure), tokens::list)
        .post("/tokens", Needs::Somewhere(Action::Configure), tokens::create)
        .delete("/tokens/{id}", Needs::Somewhere(Action::Configure), tokens::revoke)
}

/// This document
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getDocument",
    tag = "server",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)),
)]
pub(crate) async fn document() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(CONTENT_TYPE, "application/json")], openapi::text())
}

pub(crate) async fn nothing() -> Error {
    Error::NotFound("there is nothing at this address of the API".into())
}

/// Who calls is known before anything else is said; what they may, each route says.
pub(crate) async fn known_only(
    Extract(state): Extract<State>,
    mut request: Request,
    next: Next,
) -> Result<Response> {
    let caller = auth::bearer(&state, request.headers()).await?;
    if !caller.rights.allows_somewhere(Action::Read) {
        return Err(Error::Forbidden(format!("{} may not read anything here", caller.name)));
    }
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
