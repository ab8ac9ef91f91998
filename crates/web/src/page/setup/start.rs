//! The printed link: what it shows, and what it begins.
//!
//! What always holds: whoever has no good link learns nothing but how to get one; a link that is
//! used, too old or never was gets one answer.

use askama::Template;
use axum::extract::{ConnectInfo, Extension, Form, State as Extract};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Redirect, Response};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use store::audit::Deed;
use store::setup::{Opened, Progress, SESSION_LIFE};

use crate::audit::{self, Did};
use crate::error::{Error, Result};
use crate::page::Shell;
use crate::peer::Connection;
use crate::setup::door;
use crate::state::State;

#[derive(Template)]
#[template(path = "setup_start.html")]
struct StartPage {
    shell: Shell,
    door: Door,
}

enum Door {
    /// The key of a link that may be good.
    Offered(String),
    /// It is not.
    Refused,
    /// Somebody came without one.
    Closed,
}

fn page(door: Door, status: StatusCode) -> Response {
    let page = StartPage { shell: Shell::plain("Setup"), door };
    let mut response = match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => Error::from(error).into_response(),
    };
    // the address holds the key
    let headers = response.headers_mut();
    headers.insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    response
}

/// The key of the address that was printed.
pub(crate) fn key_of(method: &Method, uri: &Uri) -> Option<String> {
    if method != Method::GET || uri.path() != "/setup" {
        return None;
    }
    let mut pairs = uri.query()?.split('&');
    let key = pairs.find_map(|pair| pair.strip_prefix("key="))?;
    Some(key.chars().take(200).collect())
}

/// Shows the button that begins. Whether the key is good is told when it is pressed.
pub(crate) fn offer(key: String) -> Response {
    page(Door::Offered(key), StatusCode::OK)
}

/// For who comes to a server that waits for its setup, without a link and without any other right.
pub(crate) fn closed() -> Response {
    page(Door::Closed, StatusCode::UNAUTHORIZED)
}

/// Whether the server is not set up yet.
pub(crate) async fn is_waited_for(state: &State) -> Result<bool> {
    let mut conn = state.db.acquire().await?;
    let configured = state.github.origin() == ::github::Origin::Configuration;
    Ok(match store::setup::progress(&mut conn, configured).await? {
        Progress::New | Progress::Begun => true,
        Progress::Done => false,
    })
}

#[derive(Deserialize)]
pub(super) struct Begin {
    #[serde(default)]
    key: String,
}

pub(super) async fn begin(
    Extract(state): Extract<State>,
    connection: Option<Extension<ConnectInfo<Connection>>>,
    Form(given): Form<Begin>,
) -> Result<Response> {
    let session = store::setup::key();
    let from = connection.map(|Extension(info)| info.0.peer.ip());
    let now = state.now();
    let mut tx = state.db.begin().await?;
    let opened =
        store::setup::open_link(&mut tx, given.key.trim(), session.expose_secret(), now).await?;
    match opened {
        Opened::Refused => return Ok(page(Door::Refused, StatusCode::FORBIDDEN)),
        Opened::Session => {}
    }
    let did = Did::of_server(Deed::BeginSetup).detail(json!({}));
    audit::record(&state, &mut tx, &door::caller(from), did).await?;
    tx.commit().await.map_err(Error::internal)?;
    tracing::info!("setup was begun with the printed link");
    Ok(with_cookie(&state, session.expose_secret(), SESSION_LIFE.num_seconds(), "/setup"))
}

/// A redirect that sets the session's cookie, or ends it with a life of zero seconds.
pub(super) fn with_cookie(state: &State, key: &str, seconds: i64, to: &str) -> Response {
    let name = door::cookie_name(state);
    let secure = if door::is_secure(state) { "; Secure" } else { "" };
    let cookie = format!("{name}={key}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let mut response = Redirect::to(to).into_response();
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_printed_address_has_a_key() {
        let of = |method: &Method, uri: &'static str| key_of(method, &Uri::from_static(uri));
        assert_eq!(of(&Method::GET, "/setup?key=abc"), Some("abc".to_owned()));
        assert_eq!(of(&Method::GET, "/setup"), None);
        assert_eq!(of(&Method::GET, "/setup/github?key=abc"), None);
        assert_eq!(of(&Method::POST, "/setup?key=abc"), None);
    }
}
