//! One request to GitHub's REST API and its answer, over octocrab's client.
//!
//! What always holds: every request has an end in time, none is repeated here, and the
//! credential goes only to the API's own host (it is a header marked sensitive, which the
//! redirect layer drops when the host changes).

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, LINK};
use http::{HeaderMap, HeaderValue, Method, Uri, request};
use octocrab::Octocrab;
use octocrab::service::middleware::retry::RetryConfig;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::auth::{Clock, ConfigError};
use crate::count;
use crate::error::Error;

const CONNECT: Duration = Duration::from_secs(10);
const READ: Duration = Duration::from_secs(30);
/// For an answer that comes, but drop by drop.
const WHOLE: Duration = Duration::from_secs(60);

pub(crate) struct Api {
    octocrab: Octocrab,
    clock: Clock,
    accept: &'static str,
}

/// A success of GitHub's.
pub(crate) struct Answer {
    call: String,
    headers: HeaderMap,
    body: String,
}

impl Api {
    /// Must be called inside a tokio runtime: octocrab's client has a task of its own.
    pub(crate) fn new(api_url: &str, clock: Clock) -> Result<Self, ConfigError> {
        let base = base_uri(api_url)?;
        let tls = |error: octocrab::Error| ConfigError::Tls(causes(&error));
        let octocrab = Octocrab::builder()
            .base_uri(base)
            .map_err(tls)?
            .add_retry_config(RetryConfig::None)
            .set_connect_timeout(Some(CONNECT))
            .set_read_timeout(Some(READ))
            .set_write_timeout(Some(READ))
            .build()
            .map_err(tls)?;
        Ok(Self { octocrab, clock, accept: "application/vnd.github+json" })
    }

    /// Of the pages for people, which answer programs too where they are asked for JSON.
    pub(crate) fn of_pages(web_url: &str, clock: Clock) -> Result<Self, ConfigError> {
        Ok(Self { accept: "application/json", ..Self::new(web_url, clock)? })
    }

    pub(crate) async fn send<B: Serialize + ?Sized>(
        &self,
        method: Method,
        path: &str,
        credential: &SecretString,
        body: Option<&B>,
    ) -> Result<Answer, Error> {
        self.send_as(method, path, Some(credential), body).await
    }

    /// As nobody: what GitHub tells everyone, or whoever knows the address.
    pub(crate) async fn send_openly<B: Serialize + ?Sized>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<Answer, Error> {
        self.send_as(method, path, None, body).await
    }

    async fn send_as<B: Serialize + ?Sized>(
        &self,
        method: Method,
        path: &str,
        credential: Option<&SecretString>,
        body: Option<&B>,
    ) -> Result<Answer, Error> {
        let class = count::class(&method);
        let call = format!("{method} {}", path.split('?').next().unwrap_or(path));
        let outcome = tokio::time::timeout(WHOLE, self.exchange(method, path, credential, body))
            .await
            .unwrap_or_else(|_| {
                Err(Error::transport(format!("no whole answer within {} s", WHOLE.as_secs())))
            });
        count::call(class, path, &outcome);
        match outcome {
            Ok((headers, body)) => {
                tracing::debug!(call, "GitHub answered");
                Ok(Answer { call, headers, body })
            }
            Err(error) => {
                tracing::debug!(call, %error, "GitHub did not do what it was asked");
                Err(error)
            }
        }
    }

    async fn exchange<B: Serialize + ?Sized>(
        &self,
        method: Method,
        path: &str,
        credential: Option<&SecretString>,
        body: Option<&B>,
    ) -> Result<(HeaderMap, String), Error> {
        let mut builder =
            request::Builder::new().method(method).uri(path).header(ACCEPT, self.accept);
        if let Some(credential) = credential {
            builder = builder.header(AUTHORIZATION, bearer(credential)?);
        }
        let failed = |error: octocrab::Error| Error::transport(causes(&error));
        let request = self.octocrab.build_request(builder, body).map_err(failed)?;
        let answer = self.octocrab.send(request).await.map_err(failed)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        count::budget(path, &headers);
        let body = self.octocrab.body_to_string(answer).await.map_err(failed)?;
        if status.is_success() {
            Ok((headers, body))
        } else {
            let now = (self.clock)();
            Err(Error::from_answer(status, &headers, body.as_bytes(), now))
        }
    }
}

impl Answer {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let mut json = serde_json::Deserializer::from_str(&self.body);
        serde_path_to_error::deserialize(&mut json)
            .map_err(|error| Error::Garbled { call: self.call.clone(), problem: error.to_string() })
    }

    /// The address of the next page, if GitHub says that there is one.
    pub(crate) fn next_page(&self) -> Option<&str> {
        let links = self.headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
        links.flat_map(|links| links.split(',')).find_map(|link| {
            let (address, what) = link.split_once(';')?;
            what.contains(r#"rel="next""#)
                .then(|| address.trim().trim_start_matches('<').trim_end_matches('>'))
        })
    }
}

fn base_uri(api_url: &str) -> Result<Uri, ConfigError> {
    let bad = |problem: &dyn ToString| ConfigError::ApiUrl {
        url: api_url.to_owned(),
        problem: problem.to_string(),
    };
    let uri: Uri = api_url
        .trim_end_matches('/')
        .parse()
        .map_err(|error: http::uri::InvalidUri| bad(&error))?;
    match (uri.scheme_str(), uri.authority(), uri.query()) {
        (Some("https" | "http"), Some(authority), None) if !authority.as_str().contains('@') => {
            Ok(uri)
        }
        (Some("https" | "http"), Some(_), _) => Err(bad(&"without user, password and query")),
        (Some(_) | None, _, _) => Err(bad(&"it begins with https:// or http://")),
    }
}

fn bearer(credential: &SecretString) -> Result<HeaderValue, Error> {
    let mut value: HeaderValue =
        format!("Bearer {}", credential.expose_secret()).parse().map_err(|_| {
            Error::Unauthorized {
                message: "the token holds characters that no token has".to_owned(),
            }
        })?;
    value.set_sensitive(true);
    Ok(value)
}

/// An error with its causes in one line: "client error (Connect)" alone helps nobody.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// A branch name and the like inside a path: `/` stays, all else that is not plain is escaped.
pub(crate) fn escape(name: &str) -> String {
    escaped(name, |byte| byte == b'/')
}

/// A value inside a query: all that is not plain is escaped.
pub(crate) fn escape_all(value: &str) -> String {
    escaped(value, |_| false)
}

fn escaped(text: &str, stays: impl Fn(u8) -> bool) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            other if stays(other) => out.push(char::from(other)),
            other => out.push_str(&format!("%{other:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_url_may_have_a_path_and_needs_a_scheme_and_a_host() {
        for good in
            ["https://api.github.com", "https://ghe.acme.io/api/v3/", "http://127.0.0.1:8081"]
        {
            assert!(base_uri(good).is_ok(), "{good}");
        }
        for bad in
            ["", "api.github.com", "ftp://x", "https://", "https://user:pass@x", "https://x/?a=b"]
        {
            assert!(matches!(base_uri(bad), Err(ConfigError::ApiUrl { .. })), "{bad}");
        }
    }

    #[test]
    fn a_branch_name_is_escaped_but_keeps_its_slashes() {
        assert_eq!(escape("feature/a-b.c"), "feature/a-b.c");
        assert_eq!(escape("50%?#ü"), "50%25%3F%23%C3%BC");
        assert_eq!(escape_all("preview/a&b"), "preview%2Fa%26b");
    }
}
