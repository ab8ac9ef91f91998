//! Who may use the setup pages: whoever began with the printed link, and every admin.
//!
//! What always holds: a link is used up by a form's POST, never by looking at it, for programs that
//! preview links look too. The session's cookie counts below `/setup` alone, and only while its hash
//! is in the table.

use axum::extract::{ConnectInfo, Request, State as Extract};
use axum::http::HeaderMap;
use axum::http::header::{COOKIE, LOCATION};
use axum::middleware::Next;
use axum::response::Response;
use model::permission::{Rights, Role};
use store::audit::Via;

use crate::access;
use crate::auth::{Caller, Who};
use crate::error::Result;
use crate::page;
use crate::peer::Connection;
use crate::state::State;

/// What the one who began with the link is called.
pub(crate) const WHO: &str = "whoever sets this server up";

/// Whose draft it is that a request works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holder {
    /// The session that the printed link began.
    Session,
    /// An admin of this name.
    Admin(String),
}

impl Holder {
    /// As the table of drafts has it.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Session => "session".to_owned(),
            Self::Admin(name) => format!("admin {name}"),
        }
    }
}

/// Lets through who may set up, and says who it is.
pub(crate) async fn setup_only(
    Extract(state): Extract<State>,
    mut request: Request,
    next: Next,
) -> Result<Response> {
    if let Some(key) = page::setup::start::key_of(request.method(), request.uri()) {
        return Ok(page::setup::start::offer(key));
    }
    if let Some(key) = cookie(request.headers(), &state)
        && is_session(&state, key).await?
    {
        let peer = request.extensions().get::<ConnectInfo<Connection>>();
        let from = peer.map(|info| info.0.peer.ip());
        request.extensions_mut().insert(caller(from));
        request.extensions_mut().insert(Holder::Session);
        return Ok(next.run(request).await);
    }
    let response = access::people_only(Extract(state.clone()), request, next).await?;
    // nobody has an account yet to sign in with
    if is_to_sign_in(&response) && page::setup::start::is_waited_for(&state).await? {
        return Ok(page::setup::start::closed());
    }
    Ok(response)
}

/// Says whose draft it is, where the outer door let an admin in.
pub(crate) async fn held(mut request: Request, next: Next) -> Response {
    if request.extensions().get::<Holder>().is_none()
        && let Some(caller) = request.extensions().get::<Caller>()
    {
        let holder = Holder::Admin(caller.name.clone());
        request.extensions_mut().insert(holder);
    }
    next.run(request).await
}

pub(crate) fn caller(from: Option<std::net::IpAddr>) -> Caller {
    let rights = Rights::everywhere(Role::Admin);
    Caller { name: WHO.into(), rights, who: Who::Setup, via: Via::Page, from, once: None }
}

fn is_to_sign_in(response: &Response) -> bool {
    let to = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    response.status().is_redirection() && to.is_some_and(|to| to.starts_with("/login"))
}

async fn is_session(state: &State, key: &str) -> Result<bool> {
    let mut conn = state.db.acquire().await?;
    Ok(store::setup::is_session(&mut conn, key, state.now()).await?)
}

/// The prefix makes browsers take it from this very host alone, and only over https.
pub(crate) fn cookie_name(state: &State) -> &'static str {
    if is_secure(state) { "__Host-greenroom_setup" } else { "greenroom_setup" }
}

pub(crate) fn is_secure(state: &State) -> bool {
    state.settings.public_url.starts_with("https://")
}

fn cookie<'a>(headers: &'a HeaderMap, state: &State) -> Option<&'a str> {
    let name = cookie_name(state);
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
        .filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_admin_who_calls_himself_like_the_session_has_another_draft() {
        assert_ne!(Holder::Session.key(), Holder::Admin("session".into()).key());
    }
}
