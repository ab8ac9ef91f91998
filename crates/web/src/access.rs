//! Who may see and use the pages, until there is a login.
//!
//! What always holds: without a token only a person on this machine gets in, and only when the
//! server is set so. A request that came through a proxy, or under a host name that is not this
//! machine's (DNS rebinding), is not local; nor is one that a step made out of its sandbox
//! ([`crate::peer`]). A page's form is taken only from a page of ours
//! (`Sec-Fetch-Site`, or `Origin` where a browser does not send it).

use std::net::SocketAddr;

use askama::Template;
use axum::Router;
use axum::extract::{ConnectInfo, Form, Request, State as Extract};
use axum::http::header::{COOKIE, HOST, ORIGIN, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use model::permission::{Action, Role};
use serde::Deserialize;
use store::audit::Via;

use crate::auth::{self, Caller};
use crate::error::{Error, Result};
use crate::page::Shell;
use crate::peer::{self, Connection};
use crate::state::{Access, State};

const COOKIE_NAME: &str = "greenroom_token";
const COOKIE_SECONDS: u32 = 30 * 24 * 60 * 60;
/// Headers that a proxy adds: behind one every peer is local.
const PROXY_HEADERS: [&str; 5] =
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];

pub(crate) fn routes() -> Router<State> {
    Router::new().route("/sign-in", get(form).post(sign_in)).route("/sign-out", post(sign_out))
}

/// Lets through who may read, and says who it is ([`Caller`]) to the handlers.
pub(crate) async fn people_only(
    Extract(state): Extract<State>,
    request: Request,
    next: Next,
) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    let caller = match caller(&state, &parts).await? {
        Some(caller) => caller,
        None if parts.method == Method::GET && wants_page(&parts.headers) => {
            let back = parts.uri.path_and_query().map_or("/", |there| there.as_str());
            return Ok(sign_in_page(back, None).into_response());
        }
        None => {
            return Err(Error::Unauthorized(
                "sign in with a token, or send it: `Authorization: Bearer …` (made by \
                 `greenroom token create`)"
                    .into(),
            ));
        }
    };
    caller.may(Action::Read)?;
    if parts.method != Method::GET && parts.method != Method::HEAD {
        same_site(&parts.headers)?;
    }
    parts.extensions.insert(caller);
    Ok(next.run(Request::from_parts(parts, body)).await)
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get("accept")
        .and_then(|value| value.to_str().ok())
        .is_none_or(|accept| accept.contains("text/html") || accept.contains("*/*"))
}

async fn caller(state: &State, request: &Parts) -> Result<Option<Caller>> {
    let headers = &request.headers;
    let shown = auth::bearer_token(headers).or_else(|| cookie(headers));
    let connection = request.extensions.get::<ConnectInfo<Connection>>().map(|info| info.0);
    let (via, from) = (Via::Page, connection.map(|connection| connection.peer.ip()));
    if let Some(token) = shown
        && let Some(caller) = auth::by_token(state, token).await?
    {
        return Ok(Some(Caller { via, from, ..caller }));
    }
    let local = match (state.settings.access, connection) {
        (Access::Loopback, Some(connection)) => {
            is_local(connection.peer, &request.uri, headers, &state.settings.public_url)
                && tokio::task::spawn_blocking(move || peer::is_outside_sandboxes(connection))
                    .await
                    .map_err(Error::internal)?
        }
        (Access::Loopback, None) | (Access::Token, _) => false,
    };
    let name = "someone on this machine".into();
    Ok(local.then_some(Caller { name, role: Role::Admin, via, from }))
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))
        .filter(|token| !token.is_empty())
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

/// A form of another site must not act in the name of who looks at it.
fn same_site(headers: &HeaderMap) -> Result<()> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let same = match (text("sec-fetch-site"), text(ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => origin
            .split_once("://")
            .is_some_and(|(_, host)| text(HOST.as_str()).is_some_and(|own| own == host)),
        // no browser: nothing sends a stranger's cookies
        (None, None) => true,
    };
    if same {
        Ok(())
    } else {
        Err(Error::Forbidden("this form was sent by another site: use the page's own".into()))
    }
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    shell: Shell,
    back: &'a str,
    problem: Option<&'a str>,
}

fn sign_in_page(back: &str, problem: Option<&str>) -> Response {
    let page = SignIn { shell: Shell::plain("Sign in"), back: own_path(back), problem };
    match page.render() {
        Ok(html) => (axum::http::StatusCode::UNAUTHORIZED, Html(html)).into_response(),
        Err(error) => Error::from(error).into_response(),
    }
}

async fn form() -> Response {
    sign_in_page("/", None)
}

#[derive(Deserialize)]
struct Given {
    token: String,
    #[serde(default)]
    back: String,
}

async fn sign_in(
    Extract(state): Extract<State>,
    headers: HeaderMap,
    Form(given): Form<Given>,
) -> Result<Response> {
    same_site(&headers)?;
    let token = given.token.trim();
    let known = auth::by_token(&state, token).await?;
    if !known.is_some_and(|caller| caller.role.allows(Action::Read)) {
        let problem = "This token is not known here, was revoked, or may not read.";
        return Ok(sign_in_page(&given.back, Some(problem)));
    }
    Ok(with_cookie(&state, token, COOKIE_SECONDS, own_path(&given.back)))
}

async fn sign_out(Extract(state): Extract<State>, headers: HeaderMap) -> Result<Response> {
    same_site(&headers)?;
    Ok(with_cookie(&state, "", 0, "/"))
}

fn with_cookie(state: &State, token: &str, seconds: u32, to: &str) -> Response {
    let secure = if state.settings.public_url.starts_with("https://") { "; Secure" } else { "" };
    let cookie =
        format!("{COOKIE_NAME}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let mut response = Redirect::to(to).into_response();
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, value);
    }
    response
}

/// Where to go on: only on this server.
fn own_path(path: &str) -> &str {
    let own =
        path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\r', '\n']);
    if own { path } else { "/" }
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
    fn a_form_of_another_site_is_refused() {
        assert!(same_site(&headers(&[("sec-fetch-site", "same-origin")])).is_ok());
        assert!(same_site(&headers(&[("sec-fetch-site", "cross-site")])).is_err());
        assert!(same_site(&headers(&[("sec-fetch-site", "same-site")])).is_err());
        let host = ("host", "localhost:8080");
        assert!(same_site(&headers(&[host, ("origin", "http://localhost:8080")])).is_ok());
        assert!(same_site(&headers(&[host, ("origin", "http://evil.example")])).is_err());
        assert!(same_site(&headers(&[host, ("origin", "null")])).is_err());
    }

    #[test]
    fn signing_in_leads_nowhere_else() {
        assert_eq!(own_path("/apps/workshop/builds/1?job=2"), "/apps/workshop/builds/1?job=2");
        for elsewhere in ["//evil.example", "https://evil.example", "/\\evil.example", ""] {
            assert_eq!(own_path(elsewhere), "/");
        }
    }
}
