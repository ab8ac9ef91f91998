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
mod me;
pub(crate) mod notifications;
pub(crate) mod orphans;
pub(crate) mod promote;
pub(crate) mod recover;
pub(crate) mod redeploy;
mod revisions;
pub(crate) mod rollback;
pub(crate) mod stages;
pub(crate) mod start;
mod system;
pub(crate) mod tokens;
mod view;

use axum::extract::{ConnectInfo, Request, State as Extract};
use axum::http::StatusCode;
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
use crate::peer::Connection;
use crate::rights::{Needs, Routes};
use crate::state::State;

/// Every call, with what it takes to make it.
pub(crate) fn routes() -> Routes {
    let (read, build) = (Needs::InApp(Action::Read), Needs::InApp(Action::Build));
    let decide = Needs::InAppNow(Action::Read);
    Routes::new()
        .get("/whoami", Needs::Somebody, me::show)
        .post("/logout", Needs::Somebody, me::log_out)
        .get("/apps", Needs::Somebody, apps::list)
        .put("/apps/{app}", Needs::Somebody, apps::put)
        .get("/apps/{app}", read, apps::show)
        .get("/apps/{app}/revisions", read, revisions::list)
        .get("/apps/{app}/revisions/{number}", read, revisions::show)
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
        .get("/system/notifications", Needs::OnServer(Action::Read), notifications::list)
        .post(
            "/system/notifications/{id}/replay",
            Needs::OnServer(Action::Configure),
            notifications::replay,
        )
        .get("/audit", Needs::Somewhere(READERS), audit::list)
        .get("/tokens", Needs::Somewhere(Action::Configure), tokens::list)
        .post("/tokens", Needs::Somewhere(Action::Configure), tokens::create)
        .delete("/tokens/{id}", Needs::Somewhere(Action::Configure), tokens::revoke)
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
