//! Work on a stage from somebody's own machine: a command is given credentials, and told of when it
//! ends.
//!
//! What always holds: whoever gets credentials has the right to build in the app at that moment, and
//! the stage is theirs, or one whose profile lets their role in. Credentials stand in one answer, which
//! nobody may keep, and in no row; AWS is asked outside any transaction. A command is written down
//! before its credentials are handed out.

mod begin;
mod end;
mod look;
mod prepare;
mod view;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State as Extract};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use model::permission::{Role, Scope};
use model::personal::{Asker, Begin, Begun, End, Owner};
use model::worker_api::AwsCredentials;
use model::{LaptopSessionId, StageId};
use serde::Serialize;
use store::PgConnection;
use store::app::App;
use store::personal::{Personal, Session};
use store::stage::Stage;
use utoipa::ToSchema;

use self::view::LaptopView;
pub(crate) use self::view::state_of;
use super::app;
use super::stages::find;
use crate::auth::{Caller, Who};
use crate::error::{Error, Result};
use crate::extract::{self, segment};
use crate::openapi::wire;
use crate::state::State;

/// The newest that a list has.
pub(crate) const LISTED: i64 = 50;

/// An answer that holds credentials is for whoever asked, and for nobody in between.
fn unkept<T: Serialize>(status: StatusCode, answer: T) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

/// Work on a stage from your own machine
///
/// A free name becomes a personal stage of yours on the default profile; one that is yours is used
/// again. Answers the environment of a command with credentials of one hour. Long-lived stages take
/// the roles that `laptop` of their profile names.
#[utoipa::path(
    post,
    path = "/apps/{app}/stages/{stage}/laptop",
    operation_id = "beginLaptopSession",
    tag = "stages",
    request_body = wire::LaptopWish,
    responses(
        (status = 201, description = "What the command gets; not to be kept", body = wire::LaptopSession),
        (status = 502, description = "AWS or GitHub does not answer as it should"),
    ),
)]
pub(super) async fn begin(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response> {
    let wish: Begin = extract::json(&headers, &body)?;
    let stage = extract::value("stage", &stage)?;
    let begun: Begun = begin::begin(&state, &caller, &name, &stage, wish).await?;
    Ok(unkept(StatusCode::CREATED, begun))
}

/// Get credentials for another hour
#[utoipa::path(
    post,
    path = "/apps/{app}/stages/{stage}/laptop/{id}/renew",
    operation_id = "renewLaptopSession",
    tag = "stages",
    responses(
        (status = 200, description = "The credentials; not to be kept", body = wire::AwsCredentials),
        (status = 502, description = "AWS or GitHub does not answer as it should"),
    ),
)]
pub(super) async fn renew(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage, id)): Path<(String, String, String)>,
) -> Result<Response> {
    let credentials: AwsCredentials = begin::renew(&state, &caller, &name, &stage, &id).await?;
    Ok(unkept(StatusCode::OK, credentials))
}

/// Tell that a command has ended
///
/// The account is looked at, and what is deployed of the service in a personal stage is written down.
#[utoipa::path(
    post,
    path = "/apps/{app}/stages/{stage}/laptop/{id}/end",
    operation_id = "endLaptopSession",
    tag = "stages",
    request_body = wire::LaptopEnd,
    responses((status = 200, description = "The command", body = LaptopView)),
)]
pub(super) async fn end(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage, id)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<LaptopView>> {
    let told: End = extract::json(&headers, &body)?;
    let session = end::end(&state, &caller, &name, &stage, &id, told).await?;
    Ok(Json(LaptopView::of(session, state.now())))
}

#[derive(Serialize, ToSchema)]
#[schema(as = LaptopSessions)]
pub(super) struct Sessions {
    sessions: Vec<LaptopView>,
}

/// List the commands that people ran on a stage from their own machines
///
/// The newest fifty.
#[utoipa::path(
    get,
    path = "/apps/{app}/stages/{stage}/laptop",
    operation_id = "listLaptopSessions",
    tag = "stages",
    responses((status = 200, description = "The commands, newest first", body = Sessions)),
)]
pub(super) async fn list(
    Extract(state): Extract<State>,
    Path((name, stage)): Path<(String, String)>,
) -> Result<Json<Sessions>> {
    let mut conn = state.db.acquire().await?;
    let app = app(&mut conn, &name).await?;
    let stage = find(&mut conn, &app, &stage).await?;
    let found = store::personal::list(&mut conn, stage.id, LISTED).await?;
    let now = state.now();
    Ok(Json(Sessions {
        sessions: found.into_iter().map(|session| LaptopView::of(session, now)).collect(),
    }))
}

/// As whom the caller owns stages.
pub(crate) fn owner(caller: &Caller) -> Option<Owner> {
    match &caller.who {
        Who::Anyone | Who::Local | Who::Embedded | Who::Setup => None,
        Who::Token { token, .. } => Some(Owner { person: None, name: token.name.clone() }),
        Who::Person { person, .. } => {
            Some(Owner { person: Some(person.id), name: person.login.to_string() })
        }
    }
}

fn asker(caller: &Caller, app: &App) -> Result<Asker> {
    let nobody = || {
        Error::Forbidden(
            "a stage of one's own belongs to somebody: sign in, or show a token".to_owned(),
        )
    };
    Ok(Asker {
        owner: owner(caller).ok_or_else(nobody)?,
        role: caller.rights.role(Scope::App(&app.name)).unwrap_or(Role::Viewer),
    })
}

/// A session that the caller began, with its stage.
async fn own(
    conn: &mut PgConnection,
    caller: &Caller,
    (name, stage, id): (&str, &str, &str),
) -> Result<(App, Stage, Session)> {
    let id: LaptopSessionId = segment("session", id)?;
    let app = app(conn, name).await?;
    let stage = find(conn, &app, stage).await?;
    let session = store::personal::get(conn, id).await?;
    if session.stage_id != stage.id {
        return Err(Error::NotFound(format!("{} has no session {id}", stage.name)));
    }
    let owner = asker(caller, &app)?.owner;
    if !owner.is(&session.owner()) {
        return Err(Error::Conflict(format!(
            "{} began this, and nobody else goes on with it",
            session.who
        )));
    }
    Ok((app, stage, session))
}

/// Refuses to remove a personal stage that is another's, or in which a command runs.
pub(crate) async fn removable(
    conn: &mut PgConnection,
    caller: &Caller,
    app: &App,
    stage: StageId,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(personal) = store::personal::of(conn, stage).await? else { return Ok(()) };
    let may = caller.rights.role(Scope::App(&app.name)) == Some(Role::Admin)
        || owner(caller).is_some_and(|owner| owner.is(&personal.owner()));
    if !may {
        return Err(Error::Conflict(format!(
            "this is the personal stage of {}: its owner removes it, or an admin",
            personal.owner
        )));
    }
    match store::personal::running(conn, stage, now).await?.first() {
        None => Ok(()),
        Some(session) => Err(Error::Conflict(format!(
            "a command of {} works in it since {} ({}): wait for its end, or until its credentials \
             are over at {}",
            session.who,
            session.began_at.format("%Y-%m-%d %H:%M UTC"),
            session.command,
            session.expires_at.format("%H:%M UTC")
        ))),
    }
}

/// What the API says of whose a stage is.
#[derive(Serialize, ToSchema)]
#[schema(as = Personal)]
pub(super) struct PersonalView {
    /// The login, or the name of a token.
    owner: String,
    used_at: DateTime<Utc>,
    /// Since when its time is over; nobody had been told, so it stays. `null`: it is not.
    expired_at: Option<DateTime<Utc>>,
}

impl From<&Personal> for PersonalView {
    fn from(personal: &Personal) -> Self {
        Self {
            owner: personal.owner.clone(),
            used_at: personal.used_at,
            expired_at: personal.expired_at,
        }
    }
}
