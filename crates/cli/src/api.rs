//! The server, as commands call it.
//!
//! What always holds: the token is in the header and in no message; an answer that is none of
//! Greenroom's is said to be so, with where it came from.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A promotion asks GitHub several things meanwhile.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// What a foreign answer may say before it is cut.
const DETAIL_CHARS: usize = 300;

/// Where the token came from, for what is said when it is refused.
#[derive(Debug, Clone)]
pub(crate) enum Token {
    None,
    /// `GREENROOM_TOKEN`.
    Given(SecretString),
    Stored(SecretString),
}

impl Token {
    fn text(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Given(text) | Self::Stored(text) => Some(text.expose_secret()),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    token: Token,
}

/// The address of a server as it is kept and shown: with its scheme, without a slash at the end.
pub(crate) fn address(text: &str) -> Result<String> {
    let text = text.trim();
    let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let wrong = || Error::Url(format!("{text:?}"));
    let url = Url::parse(&whole).map_err(|_| wrong())?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    let has_more = url.query().is_some() || url.fragment().is_some() || !url.username().is_empty();
    if !is_web || has_more || url.password().is_some() {
        return Err(wrong());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Whether what is sent there can be read on the way.
pub(crate) fn is_open_to_all(url: &str) -> bool {
    url.starts_with("http://") && !Url::parse(url).is_ok_and(|url| is_loopback(&url))
}

fn is_loopback(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

impl Client {
    pub(crate) fn new(url: &str, token: Token) -> Result<Self> {
        let url = address(url)?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("greenroom/", env!("CARGO_PKG_VERSION")));
        // a proxy of the environment cannot reach this machine's own loopback
        if Url::parse(&url).is_ok_and(|url| is_loopback(&url)) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| Error::Local(error.to_string()))?;
        Ok(Self { http, url, token })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.value(self.call(Method::GET, path)).await
    }

    pub(crate) async fn get_with(&self, path: &str, query: &[(&str, String)]) -> Result<Value> {
        self.value(self.call(Method::GET, path).query(query)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.value(self.call(Method::POST, path).json(body)).await
    }

    /// An answer without anything in it.
    pub(crate) async fn done(&self, path: &str) -> Result<()> {
        self.send(self.call(Method::POST, path)).await.map(drop)
    }

    /// A log, as it comes.
    pub(crate) async fn stream(&self, path: &str, seen: Option<&str>) -> Result<Response> {
        let request = self.request(Method::GET, &format!("/api/v1{path}"));
        self.send(match seen {
            Some(id) => request.header("last-event-id", id),
            None => request,
        })
        .await
    }

    /// A form of OAuth: what it answers, be it yes or no.
    pub(crate) async fn form(&self, path: &str, form: &impl Serialize) -> Result<(bool, Value)> {
        let request = self.request(Method::POST, path).timeout(CALL_TIMEOUT).form(form);
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        if status.is_success() || status == StatusCode::BAD_REQUEST {
            return Ok((status.is_success(), self.read(answer).await?));
        }
        Err(self.refused(answer).await)
    }

    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, &format!("/api/v1{path}")).timeout(CALL_TIMEOUT)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match self.token.text() {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn value(&self, request: RequestBuilder) -> Result<Value> {
        let answer = self.send(request).await?;
        self.read(answer).await
    }

    async fn read(&self, answer: Response) -> Result<Value> {
        let text = answer.text().await.map_err(|error| self.unreachable(&error))?;
        serde_json::from_str(&text).map_err(|error| self.strange(&error))
    }

    /// A part of what was answered, as this program understands it.
    pub(crate) fn part<T: DeserializeOwned>(&self, value: &Value) -> Result<T> {
        T::deserialize(value).map_err(|error| self.strange(&error))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(self.refused(answer).await)
    }

    async fn refused(&self, answer: Response) -> Error {
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        let detail = detail(&text, status);
        let url = self.url.clone();
        match status {
            StatusCode::UNAUTHORIZED => match &self.token {
                Token::None => Error::NoToken { url },
                Token::Given(_) => Error::GivenToken { url },
                Token::Stored(_) => Error::StoredToken { url },
            },
            StatusCode::FORBIDDEN => Error::Forbidden { detail },
            StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::CONFLICT
            | StatusCode::UNPROCESSABLE_ENTITY => Error::Refused { detail },
            other => Error::Server { url, status: other.as_u16(), detail },
        }
    }

    pub(crate) fn unreachable(&self, error: &reqwest::Error) -> Error {
        Error::Unreachable { url: self.url.clone(), why: innermost(error) }
    }

    fn strange(&self, error: &dyn std::error::Error) -> Error {
        Error::Strange { url: self.url.clone(), why: error.to_string() }
    }
}

/// What a problem (RFC 9457) says.
fn detail(text: &str, status: StatusCode) -> String {
    let problem: Option<Value> = serde_json::from_str(text).ok();
    let said = problem.as_ref().and_then(|problem| problem.get("detail")?.as_str());
    match said {
        Some(said) => said.to_owned(),
        None if text.trim_start().starts_with('<') || text.trim().is_empty() => {
            status.canonical_reason().unwrap_or("an answer without words").to_owned()
        }
        None => crate::table::plain(text.trim()).chars().take(DETAIL_CHARS).collect(),
    }
}

/// The last of the causes is the one that tells.
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".into();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_in_one_way() {
        for (text, address_of) in [
            ("ci.example.com", "https://ci.example.com"),
            ("https://CI.example.com/", "https://ci.example.com"),
            ("http://127.0.0.1:8080//", "http://127.0.0.1:8080"),
            ("https://example.com/ci/", "https://example.com/ci"),
        ] {
            assert_eq!(address(text).unwrap(), address_of, "{text}");
        }
        for text in ["", "ftp://a", "https://", "https://a?b", "https://ada:secret@a", "a b"] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_sent_without_tls_is_open_unless_it_stays_here() {
        assert!(is_open_to_all("http://ci.example.com"));
        for url in ["https://ci.example.com", "http://127.0.0.1:8080", "http://[::1]:1"] {
            assert!(!is_open_to_all(url), "{url}");
        }
    }

    #[test]
    fn a_problem_says_its_detail_and_a_foreign_page_its_status() {
        let problem = "{\"detail\": \"there is no app\", \"status\": 404}";
        assert_eq!(detail(problem, StatusCode::NOT_FOUND), "there is no app");
        assert_eq!(detail("<html>", StatusCode::BAD_GATEWAY), "Bad Gateway");
        assert_eq!(detail("no\u{1b}[2Jthing", StatusCode::BAD_GATEWAY), "no [2Jthing");
    }
}
