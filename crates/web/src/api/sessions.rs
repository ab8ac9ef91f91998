//! The browsers in which whoever calls is signed in: listed, signed out.
//!
//! What always holds: nobody sees or ends the sessions of somebody else. A person's command line is
//! that person; a token that is nobody's has the sessions that were begun with it.

use axum::Json;
use axum::extract::{Extension, Path, State as Extract};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use model::SessionId;
use serde::Serialize;
use serde_json::json;
use store::audit::Deed;
use store::session::{Owner, Session};
use utoipa::ToSchema;

use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::state::State;

#[derive(Serialize, ToSchema)]
pub(super) struct Sessions {
    sessions: Vec<SessionView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
struct SessionView {
    #[schema(value_type = uuid::Uuid)]
    id: SessionId,
    /// What the browser calls itself.
    agent: String,
    /// The address that the server saw.
    from: Option<String>,
    created_at: DateTime<Utc>,
    /// Within a minute.
    seen_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl From<Session> for SessionView {
    fn from(session: Session) -> Self {
        Self {
            id: session.id,
            agent: session.agent,
            from: session.from_ip,
            created_at: session.created_at,
            seen_at: session.seen_at,
            expires_at: session.expires_at,
        }
    }
}

/// The browsers in which the caller is signed in
#[utoipa::path(
    get,
    path = "/account/sessions",
    operation_id = "listSessions",
    tag = "people",
    responses((status = 200, description = "The sessions", body = Sessions)),
)]
pub(super) async fn list(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Sessions>> {
    let sessions = match caller.owner() {
        Some(owner) => {
            let mut conn = state.db.acquire().await?;
            store::session::list(&mut conn, owner, state.now()).await?
        }
        None => Vec::new(),
    };
    Ok(Json(Sessions { sessions: sessions.into_iter().map(SessionView::from).collect() }))
}

/// Sign a browser out
#[utoipa::path(
    delete,
    path = "/account/sessions/{id}",
    operation_id = "endSession",
    tag = "people",
    responses((status = 204, description = "It is signed out")),
)]
pub(super) async fn end(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    end_session(&state, &caller, caller.owner(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends one of the sessions of the caller, who is this one to the store.
pub(crate) async fn end_session(
    state: &State,
    caller: &Caller,
    owner: Option<Owner>,
    id: &str,
) -> Result<()> {
    let id: SessionId = segment("session", id)?;
    let gone = || Error::NotFound(format!("you have no session {id}"));
    let owner = owner.ok_or_else(gone)?;
    let mut tx = state.db.begin().await?;
    if !store::session::end(&mut tx, id, owner).await? {
        return Err(gone());
    }
    let did = Did::of_server(Deed::SignOut).detail(json!({ "session": id }));
    audit::record(state, &mut tx, caller, did).await?;
    tx.commit().await.map_err(Error::internal)
}
