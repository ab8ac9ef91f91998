//! The ways in and out: GitHub's web flow, a pasted token, signing out.
//!
//! What always holds: who comes back from GitHub is only taken in the browser that was sent there,
//! once, within ten minutes, and with a code that GitHub gave for our verifier (PKCE). A sign-in
//! begins a new session and ends the one that the browser had. It leads to a page of this server
//! and nowhere else. After a crash on the way a person signs in again.

use axum::extract::{ConnectInfo, Extension, Form, Query, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use github::SignInError;
use model::PersonId;
use model::permission::Action;
use serde::Deserialize;
use serde_json::{Value, json};
use store::PgConnection;
use store::audit::{Deed, Via};
use store::session::{Attempt, Owner};

use super::{CALLBACK, client, roles};
use crate::audit::{self, Did};
use crate::auth::{self, By, Caller, Who};
use crate::error::{Error, Result};
use crate::page::sign_in::{Tried, page};
use crate::peer::Connection;
use crate::session::{self, Kind};
use crate::state::State;

type From = Option<Extension<ConnectInfo<Connection>>>;

#[derive(Deserialize)]
pub(crate) struct Back {
    #[serde(default)]
    back: String,
}

pub(crate) async fn show(Extract(state): Extract<State>, Query(wanted): Query<Back>) -> Response {
    page(&state, StatusCode::OK, own_path(&wanted.back), None)
}

/// Sends the browser to GitHub.
pub(crate) async fn to_github(
    Extract(state): Extract<State>,
    headers: HeaderMap,
    Form(wanted): Form<Back>,
) -> Result<Response> {
    let github = client(&state)?;
    // two attempts of one browser, in two tabs, do not end each other
    let known = session::read(&state, &headers, Kind::Attempt).filter(|text| is_ours(text));
    let browser = known.map_or_else(store::token::random, str::to_owned);
    let nonce = store::token::random();
    let attempt =
        Attempt { verifier: store::token::random(), back: own_path(&wanted.back).to_owned() };
    let to = github.authorize_url(&callback(&state), &nonce, &attempt.verifier);
    let (nonce, hash) = (store::token::hash(&nonce), store::token::hash(&browser));
    let mut tx = state.db.begin().await?;
    store::session::attempt(&mut tx, &nonce, &hash, &attempt, state.now()).await?;
    tx.commit().await.map_err(Error::internal)?;
    let mut response = Redirect::to(&to).into_response();
    session::set(&state, &mut response, Kind::Attempt, Some(&browser));
    Ok(response)
}

fn is_ours(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn callback(state: &State) -> String {
    format!("{}{CALLBACK}", state.settings.public_url)
}

/// What GitHub sends the browser back with.
#[derive(Deserialize)]
pub(crate) struct Returned {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

pub(crate) async fn returned(
    Extract(state): Extract<State>,
    from: From,
    headers: HeaderMap,
    Query(returned): Query<Returned>,
) -> Result<Response> {
    let Some(attempt) = take(&state, &headers, &returned.state).await? else {
        return refused(
            &state,
            StatusCode::BAD_REQUEST,
            "This sign-in was not begun in this browser, is over, or was used already. Begin it \
             again here.",
        );
    };
    if let Some(error) = &returned.error {
        let why = match (error.as_str(), &returned.error_description) {
            ("access_denied", _) => "You did not let GitHub say who you are.".to_owned(),
            (_, Some(why)) => format!("GitHub refused: {why}"),
            (code, None) => format!("GitHub refused: {code}"),
        };
        return refused(&state, StatusCode::FORBIDDEN, &why);
    }
    let Some(code) = &returned.code else {
        return refused(&state, StatusCode::BAD_REQUEST, "GitHub sent no code. Begin again here.");
    };
    let github = client(&state)?;
    let account = match github.account(code, &callback(&state), &attempt.verifier).await {
        Ok(account) => account,
        Err(error) => {
            tracing::warn!(%error, "a sign-in failed");
            return refused(&state, status_of(&error), &error.to_string());
        }
    };
    let (id, now) = (PersonId(state.id()), state.now());
    let number = i64::try_from(account.id).map_err(Error::internal)?;
    let mut tx = state.db.begin().await?;
    let name = account.name.as_deref();
    let person = store::person::signed_in(&mut tx, id, number, &account.login, name, now).await?;
    tx.commit().await.map_err(Error::internal)?;
    roles::look(&state, &person).await?;
    let mut tx = state.db.begin().await?;
    let (rights, known) = store::person::standing(&mut tx, &person, now).await?;
    let owner = Owner::Person(person.id);
    let (session, cookie) =
        session::begin(&state, &mut tx, &headers, owner, address(&from)).await?;
    let caller = Caller {
        name: person.login.to_string(),
        rights,
        who: Who::Person { person: Box::new(person), known, by: By::Session(session) },
        via: Via::Page,
        from: address(&from),
        once: None,
    };
    entered(&state, &mut tx, &caller, json!({ "with": "GitHub" })).await?;
    tx.commit().await.map_err(Error::internal)?;
    let mut response = Redirect::to(own_path(&attempt.back)).into_response();
    session::set(&state, &mut response, Kind::Attempt, None);
    session::set(&state, &mut response, Kind::Session, Some(&cookie));
    Ok(response)
}

fn refused(state: &State, status: StatusCode, why: &str) -> Result<Response> {
    Ok(page(state, status, "/", Some(Tried::Refused(why))))
}

async fn take(state: &State, headers: &HeaderMap, nonce: &str) -> Result<Option<Attempt>> {
    let Some(browser) = session::read(state, headers, Kind::Attempt) else { return Ok(None) };
    let (nonce, browser) = (store::token::hash(nonce), store::token::hash(browser));
    let mut conn = state.db.acquire().await?;
    Ok(store::session::take_attempt(&mut conn, &nonce, &browser, state.now()).await?)
}

fn status_of(error: &SignInError) -> StatusCode {
    match error {
        SignInError::Code => StatusCode::BAD_REQUEST,
        SignInError::Unverified | SignInError::Refused { .. } => StatusCode::FORBIDDEN,
        SignInError::Client | SignInError::Callback(_) | SignInError::GitHub(_) => {
            StatusCode::BAD_GATEWAY
        }
    }
}

fn address(from: &From) -> Option<std::net::IpAddr> {
    from.as_ref().map(|Extension(ConnectInfo(connection))| connection.peer.ip())
}

async fn entered(
    state: &State,
    conn: &mut PgConnection,
    caller: &Caller,
    detail: Value,
) -> Result<()> {
    audit::record(state, conn, caller, Did::of_server(Deed::SignIn).detail(detail)).await
}

#[derive(Deserialize)]
pub(crate) struct Given {
    token: String,
    #[serde(default)]
    back: String,
}

/// A token is shown once: from then on the browser has a session, which ends with the token.
pub(crate) async fn with_token(
    Extract(state): Extract<State>,
    from: From,
    headers: HeaderMap,
    Form(given): Form<Given>,
) -> Result<Response> {
    let back = own_path(&given.back);
    let found = auth::by_token(&state, given.token.trim()).await?;
    if let Some(Caller { who: Who::Person { .. }, .. }) = &found {
        let why = "This is the token of a command line. Sign in as whoever let it in.";
        return Ok(page(&state, StatusCode::UNAUTHORIZED, back, Some(Tried::Token(why))));
    }
    let reader = found.filter(|caller| caller.rights.allows_somewhere(Action::Read));
    let Some(Caller { who: Who::Token { token, .. }, .. }) = reader else {
        let why = "This token is not known here, was revoked, is over, or may not read.";
        return Ok(page(&state, StatusCode::UNAUTHORIZED, back, Some(Tried::Token(why))));
    };
    let owner = Owner::Token(token.id);
    let mut tx = state.db.begin().await?;
    let (session, cookie) =
        session::begin(&state, &mut tx, &headers, owner, address(&from)).await?;
    let caller = auth::of_token(*token, Some(session));
    let caller = Caller { via: Via::Page, from: address(&from), ..caller };
    entered(&state, &mut tx, &caller, json!({ "with": "a token" })).await?;
    tx.commit().await.map_err(Error::internal)?;
    let mut response = Redirect::to(back).into_response();
    session::set(&state, &mut response, Kind::Session, Some(&cookie));
    Ok(response)
}

/// Signs this browser out.
pub(crate) async fn sign_out(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Response> {
    if let Some((id, owner)) = caller.session() {
        let mut tx = state.db.begin().await?;
        if store::session::end(&mut tx, id, owner).await? {
            audit::record(&state, &mut tx, &caller, Did::of_server(Deed::SignOut)).await?;
        }
        tx.commit().await.map_err(Error::internal)?;
    }
    Ok(signed_out(&state))
}

/// Signs every browser of the caller out, this one too.
pub(crate) async fn sign_out_everywhere(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Response> {
    if let Some((_, owner)) = caller.session() {
        let mut tx = state.db.begin().await?;
        let ended = store::session::end_all(&mut tx, owner).await?;
        let did = Did::of_server(Deed::SignOut).detail(json!({ "sessions": ended }));
        audit::record(&state, &mut tx, &caller, did).await?;
        tx.commit().await.map_err(Error::internal)?;
    }
    Ok(signed_out(&state))
}

fn signed_out(state: &State) -> Response {
    let mut response = Redirect::to("/login").into_response();
    session::set(state, &mut response, Kind::Session, None);
    response
}

/// Where to go on: only on this server.
pub(crate) fn own_path(path: &str) -> &str {
    let own = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && !path.contains(char::is_control);
    // back to the sign-in, a person would go in circles
    if own && !path.starts_with("/login") && !path.starts_with("/logout") { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn signing_in_leads_nowhere_else() {
        assert_eq!(own_path("/apps/workshop/builds/1?job=2"), "/apps/workshop/builds/1?job=2");
        for elsewhere in
            ["//evil.example", "https://evil.example", "/\\evil.example", "", "/\t/evil.example"]
        {
            assert_eq!(own_path(elsewhere), "/");
        }
        assert_eq!(own_path("/login?back=/"), "/");
    }
}
