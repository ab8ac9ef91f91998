//! The cookies of a browser: its session, and its way to GitHub and back.
//!
//! What always holds: a cookie is a random text that means something in the database alone, where
//! its hash lies. Over https it is bound to this host (`__Host-`: secure, for `/`, of no domain), so
//! a neighbour in the same domain cannot set one. No script reads it, and no other site's form
//! sends it along.

use std::net::IpAddr;

use axum::http::header::{COOKIE, SET_COOKIE, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use model::SessionId;
use store::PgConnection;
use store::session::{ATTEMPT_LIFETIME, LIFETIME, NewSession, Owner};

use crate::error::Result;
use crate::state::State;

/// As much of a browser's name as tells it from another.
const AGENT_CHARS: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Session,
    /// What binds a sign-in to the browser that began it.
    Attempt,
}

impl Kind {
    fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-greenroom",
            (Self::Session, false) => "greenroom",
            (Self::Attempt, true) => "__Host-greenroom-login",
            (Self::Attempt, false) => "greenroom-login",
        }
    }

    fn seconds(self) -> i64 {
        match self {
            Self::Session => LIFETIME.num_seconds(),
            Self::Attempt => ATTEMPT_LIFETIME.num_seconds(),
        }
    }
}

fn is_secure(state: &State) -> bool {
    state.settings.public_url.starts_with("https://")
}

pub(crate) fn read<'a>(state: &State, headers: &'a HeaderMap, kind: Kind) -> Option<&'a str> {
    named(headers, kind.name(is_secure(state)))
}

fn named<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
        .filter(|text| !text.is_empty())
}

/// Gives the browser this cookie, or takes it away.
pub(crate) fn set(state: &State, response: &mut Response, kind: Kind, text: Option<&str>) {
    let cookie = written(kind, is_secure(state), text);
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

fn written(kind: Kind, secure: bool, text: Option<&str>) -> String {
    let (text, seconds) = text.map_or(("", 0), |text| (text, kind.seconds()));
    let name = kind.name(secure);
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={text}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

/// Begins a session in this browser and ends the one that it had: what somebody planted there before
/// the sign-in is worth nothing after it. The text is the cookie's.
pub(crate) async fn begin(
    state: &State,
    conn: &mut PgConnection,
    headers: &HeaderMap,
    owner: Owner,
    from: Option<IpAddr>,
) -> Result<(SessionId, String)> {
    if let Some(old) = read(state, headers, Kind::Session) {
        store::session::end_by_hash(conn, &store::token::hash(old)).await?;
    }
    let (id, text) = (SessionId(state.id()), store::token::random());
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let agent: String = agent.chars().take(AGENT_CHARS).collect();
    let new = NewSession {
        id,
        hash: &store::token::hash(&text),
        owner,
        agent: &agent,
        from_ip: from.map(|address| address.to_string()),
        created_at: state.now(),
    };
    store::session::begin(conn, &new).await?;
    Ok((id, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_https_a_cookie_is_this_host_s_alone_and_no_script_s() {
        let cookie = written(Kind::Session, true, Some("text"));
        assert!(cookie.starts_with("__Host-greenroom=text; Path=/; Max-Age=2592000;"), "{cookie}");
        for part in ["HttpOnly", "SameSite=Lax", "Secure"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Domain"));
        assert_eq!(
            written(Kind::Attempt, false, None),
            "greenroom-login=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn a_cookie_is_read_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        let text = "greenroom-login=a; greenroom=b; other=c";
        headers.insert(COOKIE, HeaderValue::from_static(text));
        assert_eq!(named(&headers, "greenroom"), Some("b"));
        assert_eq!(named(&headers, "greenroom-login"), Some("a"));
        assert_eq!(named(&headers, "__Host-greenroom"), None);
    }
}
