//! Who stands at the door: a session, a token, somebody on this machine, or anybody.
//!
//! What always holds: without having signed in only a person on this machine gets in, and only when
//! the server is set so and nobody can sign in with GitHub; or everybody, to read, where that is
//! switched on. A request that came through a proxy, or under a host name that is not this
//! machine's (DNS rebinding), is not local; nor is one that a step made out of its sandbox
//! ([`crate::peer`]). A session ends with the token or the person that it stands for.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State as Extract};
use axum::http::header::{HOST, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use model::permission::{Action, Rights, Role};
use store::audit::Via;
use store::session::{Owner, Session};

use crate::auth::{self, By, Caller, Who};
use crate::error::{Error, Result};
use crate::extract::escape;
use crate::login::device::program;
use crate::login::{self, flow, roles};
use crate::page;
use crate::peer::Connection;
use crate::rights::{Needs, Routes};
use crate::session::{self, Kind};
use crate::state::{Access, State};

/// Whoever needs not sign in is called so.
pub(crate) const LOCAL: &str = "someone on this machine";
/// Whoever reads where everybody may.
pub(crate) const ANYONE: &str = "anyone";
/// Headers that a proxy adds: behind one every peer is local.
const PROXY_HEADERS: [&str; 5] =
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];

/// Before the door: open to everybody.
pub(crate) fn open() -> Router<State> {
    Router::new()
        .route("/login", get(flow::show))
        .route("/login/github", post(flow::to_github))
        .route("/login/token", post(flow::with_token))
        .route(login::CALLBACK, get(flow::returned))
        .route("/login/device/code", post(program::codes))
        .route("/login/device/token", post(program::token))
}

/// The addresses of [`open`], for who goes through all there are.
pub(crate) const OPEN: [(Method, &str); 6] = [
    (Method::GET, "/login"),
    (Method::POST, "/login/github"),
    (Method::POST, "/login/token"),
    (Method::GET, login::CALLBACK),
    (Method::POST, "/login/device/code"),
    (Method::POST, "/login/device/token"),
];

/// For whoever signed in, whatever they may.
pub(crate) fn own() -> Routes {
    let own = Needs::SignedIn;
    Routes::new()
        .get("/account", own, page::account::show)
        .post("/account/check", own, page::account::check)
        .post("/account/sessions/{id}/end", own, page::account::end)
        .post("/account/tokens/{id}/revoke", own, page::account::revoke)
        .post("/logout", own, flow::sign_out)
        .post("/logout/everywhere", own, flow::sign_out_everywhere)
}

/// Lets through who signed in, and who may read without it; says who it is ([`Caller`]) to the
/// handlers. What they may, each route says.
pub(crate) async fn people_only(
    Extract(state): Extract<State>,
    request: Request,
    next: Next,
) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    let Some(caller) = caller(&state, &parts).await? else { return nobody(&parts) };
    if !caller.rights.allows_somewhere(Action::Read) && !is_own(parts.uri.path()) {
        return no_rights(&state, &caller, &parts).await;
    }
    let is_page = wants_page(&parts.headers) && parts.method == Method::GET;
    let is_anyone = caller.who == Who::Anyone;
    let back = path_of(&parts.uri).to_owned();
    parts.extensions.insert(caller);
    let response = next.run(Request::from_parts(parts, body)).await;
    // there may be more to see for who signs in
    if is_anyone && is_page && response.status() == StatusCode::UNAUTHORIZED {
        return Ok(to_login(&back));
    }
    Ok(response)
}

/// The pages about oneself.
fn is_own(path: &str) -> bool {
    ["/account", "/logout"].iter().any(|own| {
        path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// What programs read that know no other way to show a token than as a password: readers of feeds,
/// monitors of builds. A browser keeps such a password and sends it by itself, so it counts for
/// nothing that changes anything, nor for a page.
fn takes_a_password(parts: &Parts) -> bool {
    let path = parts.uri.path();
    let known = ["/cc.xml", "/metrics"].contains(&path)
        || ["/feed.atom", "/badge.svg"].iter().any(|end| path.ends_with(end));
    known && [Method::GET, Method::HEAD].contains(&parts.method)
}

/// Such programs send it only when they are asked to (RFC 7617).
fn asks_for_a_password() -> Response {
    let error = Error::Unauthorized(
        "send a token: `Authorization: Bearer …`, or as the password of basic authentication, with \
         any name"
            .into(),
    );
    let mut response = error.into_response();
    let challenge = HeaderValue::from_static("Basic realm=\"Greenroom\", charset=\"UTF-8\"");
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

fn nobody(parts: &Parts) -> Result<Response> {
    if takes_a_password(parts) {
        return Ok(asks_for_a_password());
    }
    if parts.method == Method::GET && wants_page(&parts.headers) {
        return Ok(to_login(path_of(&parts.uri)));
    }
    Err(Error::Unauthorized(
        "sign in at /login, or send a token: `Authorization: Bearer …` (made by `greenroom token \
         create`)"
            .into(),
    ))
}

fn path_of(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |there| there.as_str())
}

fn to_login(back: &str) -> Response {
    Redirect::to(&format!("/login?back={}", escape(back))).into_response()
}

/// Somebody is there, and may nothing.
async fn no_rights(state: &State, caller: &Caller, parts: &Parts) -> Result<Response> {
    match &caller.who {
        Who::Person { .. } if wants_page(&parts.headers) => {
            page::account::no_rights(state, caller).await
        }
        Who::Person { .. }
        | Who::Token { .. }
        | Who::Embedded
        | Who::Local
        | Who::Anyone
        | Who::Setup => {
            Err(Error::Forbidden(format!("{} may not read anything here", caller.name)))
        }
    }
}

/// A browser that opens a page, not a script or a program.
fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get("accept")
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

async fn caller(state: &State, request: &Parts) -> Result<Option<Caller>> {
    let headers = &request.headers;
    let connection = request.extensions.get::<ConnectInfo<Connection>>().map(|info| &info.0);
    let (via, from) = (Via::Page, connection.map(|connection| connection.peer.ip()));
    let password = || auth::password(headers).filter(|_| takes_a_password(request));
    let shown = auth::bearer_token(headers).map(str::to_owned).or_else(password);
    let known = match shown {
        Some(token) => auth::by_token(state, &token).await?,
        None => None,
    };
    let known = match (known, session::read(state, headers, Kind::Session)) {
        (None, Some(cookie)) => by_session(state, cookie).await?,
        (known, _) => known,
    };
    if let Some(caller) = known {
        return Ok(Some(Caller { via, from, ..caller }));
    }
    let is_open = state.settings.access == Access::Loopback && !login::is_possible(state);
    if let Some(connection) = connection.filter(|_| is_open)
        && is_local(connection.peer, &request.uri, headers, &state.settings.public_url)
        && connection.is_outside_sandboxes().await
    {
        let rights = Rights::everywhere(Role::Admin);
        let name = LOCAL.into();
        return Ok(Some(Caller { name, rights, who: Who::Local, via, from, once: None }));
    }
    let anyone = || {
        let rights = Rights::everywhere(Role::Viewer);
        Caller { name: ANYONE.into(), rights, who: Who::Anyone, via, from, once: None }
    };
    Ok(state.settings.login.anonymous_read.then(anyone))
}

async fn by_session(state: &State, cookie: &str) -> Result<Option<Caller>> {
    let (now, hash) = (state.now(), store::token::hash(cookie));
    let mut conn = state.db.acquire().await?;
    let Some(Session { id, owner, .. }) = store::session::find(&mut conn, &hash, now).await? else {
        return Ok(None);
    };
    match owner {
        Owner::Token(token) => {
            let token = store::token::find(&mut conn, token).await?;
            // a person's own token begins no session: see `flow::with_token`
            let token = token.filter(|token| token.is_valid(now) && token.person.is_none());
            let Some(token) = token else { return Ok(None) };
            store::token::used(&mut conn, &token, now).await?;
            Ok(Some(auth::of_token(token, Some(id))))
        }
        Owner::Person(person) => {
            let person = store::person::find(&mut conn, person).await?;
            drop(conn);
            let Some(person) = person else { return Ok(None) };
            let standing = roles::standing(state, person).await?;
            Ok(Some(auth::of_person(standing, By::Session(id))))
        }
    }
}

/// The same caller as GitHub sees them at this moment: before what cannot be taken back.
pub(crate) async fn looked_at_now(state: &State, caller: Caller) -> Result<Caller> {
    match caller.who {
        Who::Person { person, by, .. } => {
            roles::look(state, &person).await?;
            let (via, from, once) = (caller.via, caller.from, caller.once);
            let caller = auth::of_person(roles::standing(state, *person).await?, by);
            Ok(Caller { via, from, once, ..caller })
        }
        Who::Anyone | Who::Local | Who::Embedded | Who::Setup | Who::Token { .. } => Ok(caller),
    }
}

fn is_local(peer: SocketAddr, uri: &Uri, headers: &HeaderMap, public_url: &str) -> bool {
    let from_here = peer.ip().to_canonical().is_loopback();
    let direct = PROXY_HEADERS.iter().all(|name| !headers.contains_key(*name));
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).or(uri.host());
    from_here && direct && host.is_some_and(|host| is_own_host(host, public_url))
}

fn is_own_host(host: &str, public_url: &str) -> bool {
    let name = without_port(host);
    let public = public_url.parse::<Uri>().ok();
    let own = public.as_ref().and_then(Uri::host).is_some_and(|own| own.eq_ignore_ascii_case(name));
    let loopback = name
        .trim_matches(['[', ']'])
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    own || loopback || name.eq_ignore_ascii_case("localhost")
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => {
            name
        }
        Some(_) | None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| ((*name).try_into().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn local(peer: &str, pairs: &[(&'static str, &str)]) -> bool {
        is_local(
            peer.parse().unwrap(),
            &Uri::from_static("/"),
            &headers(pairs),
            "https://ci.example.com",
        )
    }

    #[test]
    fn someone_on_this_machine_is_local() {
        assert!(local("127.0.0.1:5000", &[("host", "127.0.0.1:8080")]));
        assert!(local("[::1]:5000", &[("host", "[::1]:8080")]));
        assert!(local("[::ffff:127.0.0.1]:5000", &[("host", "localhost")]));
        assert!(local("127.0.0.1:5000", &[("host", "ci.example.com")]));
    }

    #[test]
    fn a_stranger_a_proxy_and_a_rebound_name_are_not() {
        assert!(!local("10.0.0.7:5000", &[("host", "localhost")]));
        assert!(!local("127.0.0.1:1", &[("host", "localhost"), ("x-forwarded-for", "10.0.0.7")]));
        assert!(!local("127.0.0.1:1", &[("host", "evil.example")]));
        assert!(!local("127.0.0.1:1", &[]));
    }

    #[test]
    fn the_pages_about_oneself_are_these_and_not_what_begins_alike() {
        assert!(is_own("/account") && is_own("/account/sessions/1/end") && is_own("/logout"));
        assert!(!is_own("/accounts") && !is_own("/") && !is_own("/apps/account"));
    }
}
