//! Badges: small pictures that say how an app or a stage stands, for a README or a wall.
//!
//! What always holds: a badge of the app's own address is for who may read the app. The one behind
//! a key is for everybody, since those who show it (GitHub's proxy of pictures) cannot sign in; an
//! app has such a key only when somebody who administers it made one, it is not to be guessed, and
//! a wrong one is answered like one that never was. A badge says no more than app, stage and one
//! word; nothing of a commit.

mod draw;
mod words;

use axum::Router;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use axum::routing::get;
use model::permission::Action;
use model::{AppId, AppName, StageName};
use store::PgConnection;

use self::words::Words;
use crate::api;
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::fresh;
use crate::rights::{Needs, Routes};
use crate::state::State;

const SVG: &str = "image/svg+xml; charset=utf-8";
/// A proxy may hold the public ones for a minute; GitHub's does as it is told.
const PUBLIC: &str = "public, max-age=60";
const OWN: &str = "private, no-cache";

pub(crate) fn routes() -> Routes {
    let read = Needs::InApp(Action::Read);
    Routes::new().get("/apps/{app}/badge.svg", read, of_app).get(
        "/apps/{app}/stages/{stage}/badge.svg",
        read,
        of_stage,
    )
}

/// For whoever has the key.
pub(crate) fn open() -> Router<State> {
    Router::new()
        .route("/badges/{key}/badge.svg", get(public_of_app))
        .route("/badges/{key}/stages/{stage}/badge.svg", get(public_of_stage))
}

/// The addresses of [`open`], for who goes through all there are.
pub(crate) const OPEN: [(Method, &str); 2] = [
    (Method::GET, "/badges/{key}/badge.svg"),
    (Method::GET, "/badges/{key}/stages/{stage}/badge.svg"),
];

async fn of_app(
    Extract(state): Extract<State>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let mut conn = state.db.acquire().await?;
    let app = api::app(&mut conn, &name).await?;
    let words = whole(&mut conn, app.id, &app.name).await?;
    fresh::answer(&headers, SVG, OWN, draw::svg(&words)?)
}

async fn of_stage(
    Extract(state): Extract<State>,
    Path((name, stage)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response> {
    let mut conn = state.db.acquire().await?;
    let app = api::app(&mut conn, &name).await?;
    let stage: StageName = segment("stage", &stage)?;
    let words = part(&mut conn, app.id, &app.name, &stage).await?.ok_or_else(|| {
        Error::NotFound(format!(
            "{} has no long-lived stage {stage}, which badges are of",
            app.name
        ))
    })?;
    fresh::answer(&headers, SVG, OWN, draw::svg(&words)?)
}

async fn public_of_app(
    Extract(state): Extract<State>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let mut conn = state.db.acquire().await?;
    let (id, app) = store::badge::app(&mut conn, &key).await?.ok_or_else(nothing)?;
    let words = whole(&mut conn, id, &app).await?;
    fresh::answer(&headers, SVG, PUBLIC, draw::svg(&words)?)
}

async fn public_of_stage(
    Extract(state): Extract<State>,
    Path((key, stage)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response> {
    let stage: StageName = stage.parse().map_err(|_| nothing())?;
    let mut conn = state.db.acquire().await?;
    let (id, app) = store::badge::app(&mut conn, &key).await?.ok_or_else(nothing)?;
    let words = part(&mut conn, id, &app, &stage).await?.ok_or_else(nothing)?;
    fresh::answer(&headers, SVG, PUBLIC, draw::svg(&words)?)
}

/// The same for a wrong key, for an app without one, and for a stage that is not there.
fn nothing() -> Error {
    Error::NotFound("there is no badge at this address".into())
}

async fn whole(conn: &mut PgConnection, id: AppId, app: &AppName) -> Result<Words> {
    Ok(Words::of_app(app, &store::monitor::standings(conn, Some(id)).await?))
}

async fn part(
    conn: &mut PgConnection,
    id: AppId,
    app: &AppName,
    stage: &StageName,
) -> Result<Option<Words>> {
    let standings = store::monitor::standings(conn, Some(id)).await?;
    let found = standings.iter().find(|standing| standing.stage == *stage);
    Ok(found.map(|standing| Words::of_stage(app, standing)))
}
