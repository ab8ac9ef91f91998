//! Faults that tests plant: the next matching requests, or all until cleared, go wrong in one of
//! GitHub's ways. They apply to REST and to git over http alike, never to `/_fakes`.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::state::State;

/// Which requests a fault strikes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Matcher {
    /// Any method when absent.
    #[serde(default)]
    pub method: Option<String>,
    /// Paths that begin so, as `/repos/acme/workshop/statuses` or `/acme/workshop.git`.
    #[serde(default)]
    pub path_prefix: String,
}

impl Matcher {
    pub fn new(method: &str, path_prefix: &str) -> Self {
        Self { method: Some(method.to_owned()), path_prefix: path_prefix.to_owned() }
    }

    /// Every request under a path.
    pub fn path(path_prefix: &str) -> Self {
        Self { method: None, path_prefix: path_prefix.to_owned() }
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        let wanted = self.method.as_deref();
        wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && path.starts_with(&self.path_prefix)
    }
}

/// How a request goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// Answers this status without doing anything.
    Status { status: u16 },
    /// The secondary rate limit: 403 with `retry-after`.
    RetryAfter { seconds: u64 },
    /// The primary rate limit: 429, nothing remaining, reset in so many seconds.
    RateLimited { reset_seconds: u64 },
    /// Closes the connection without doing anything and without an answer.
    Drop,
    /// Does what was asked and then closes the connection without an answer.
    LoseAnswer,
    /// Waits, then does what was asked.
    Delay { milliseconds: u64 },
}

/// A fault and how often it still strikes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlantedFault {
    #[serde(flatten)]
    pub matcher: Matcher,
    /// Until cleared when absent.
    #[serde(default)]
    pub count: Option<u32>,
    pub fault: Fault,
}

impl State {
    /// The fault that strikes this request, if any; counts it.
    pub(crate) fn strike(&mut self, method: &str, path: &str) -> Option<Fault> {
        let planted = self
            .faults
            .iter_mut()
            .find(|planted| planted.count != Some(0) && planted.matcher.matches(method, path))?;
        if let Some(count) = &mut planted.count {
            *count -= 1;
        }
        let fault = planted.fault;
        self.faults.retain(|planted| planted.count != Some(0));
        Some(fault)
    }
}

/// What is left to do after a fault has struck.
pub(crate) enum Struck {
    Answer(Response),
    GoOn,
    GoOnAndDrop,
}

pub(crate) async fn apply(fault: Fault, now_seconds: i64) -> Struck {
    match fault {
        Fault::Status { status } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            let message = status.canonical_reason().unwrap_or("Unknown");
            Struck::Answer((status, axum::Json(json!({ "message": message }))).into_response())
        }
        Fault::RetryAfter { seconds } => {
            let message = "You have exceeded a secondary rate limit. Please wait a few minutes \
                           before you try again.";
            let mut answer =
                (StatusCode::FORBIDDEN, axum::Json(json!({ "message": message }))).into_response();
            answer.headers_mut().insert("retry-after", HeaderValue::from(seconds));
            Struck::Answer(answer)
        }
        Fault::RateLimited { reset_seconds } => {
            let message = "API rate limit exceeded for installation ID 815.";
            let body = axum::Json(json!({ "message": message }));
            let mut answer = (StatusCode::TOO_MANY_REQUESTS, body).into_response();
            let headers = answer.headers_mut();
            let reset = now_seconds.saturating_add_unsigned(reset_seconds);
            headers.insert("retry-after", HeaderValue::from(reset_seconds));
            headers.insert("x-ratelimit-remaining", HeaderValue::from(0));
            headers.insert("x-ratelimit-reset", HeaderValue::from(reset));
            Struck::Answer(answer)
        }
        Fault::Drop => Struck::Answer(dropped()),
        Fault::LoseAnswer => Struck::GoOnAndDrop,
        Fault::Delay { milliseconds } => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            Struck::GoOn
        }
    }
}

/// Marks an answer that never reaches the caller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dropped;

/// An answer whose body fails at once: the server closes the connection before it has written a
/// byte of it.
pub(crate) fn dropped() -> Response {
    let failure = futures_util::stream::once(async {
        Err::<Bytes, _>(std::io::Error::other("dropped by a planted fault"))
    });
    let mut answer = Body::from_stream(failure).into_response();
    answer.extensions_mut().insert(Dropped);
    answer
}
