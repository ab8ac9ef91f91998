//! The one HTTP server: REST (at `/` and under `/api/v3`), git, and `/_fakes` to drive it. Every
//! request that a client of GitHub could have sent is recorded here, and struck by planted faults.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;

use crate::clock::{guid, now};
use crate::fault::{self, Dropped, Struck};
use crate::rest::ApiError;
use crate::state::{Shared, Stand};
use crate::{admin, git_http, oauth, record, rest};

const ENTERPRISE_PREFIX: &str = "/api/v3";
const REST_BODY_MAX_BYTES: usize = 16 * 1024 * 1024;
/// The log of requests forgets its oldest beyond this.
const REQUESTS_KEPT: usize = 20_000;
const RATE_LIMIT: u64 = 5_000;

/// Marks the answer to a call that the stand-in does not know.
#[derive(Clone, Copy, Debug)]
struct Unknown;

pub(crate) fn router(stand: &Stand) -> Router {
    let known = rest::routes().method_not_allowed_fallback(unknown);
    Router::new()
        .merge(known.clone())
        .nest(ENTERPRISE_PREFIX, known)
        .merge(oauth::routes())
        .fallback(git_or_unknown)
        .method_not_allowed_fallback(unknown)
        .layer(from_fn_with_state(Stand::clone(stand), observe))
        .merge(admin::routes())
        .with_state(Stand::clone(stand))
}

async fn unknown() -> Response {
    let mut answer = ApiError::not_found().into_response();
    answer.extensions_mut().insert(Unknown);
    answer
}

async fn git_or_unknown(State(stand): State<Stand>, request: Request) -> Response {
    match git_http::parse(request.uri().path()) {
        Some(path) => git_http::serve(stand, path, request).await,
        None => unknown().await,
    }
}

async fn observe(State(stand): State<Stand>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let path = path.strip_prefix(ENTERPRISE_PREFIX).unwrap_or(path);
    let is_git = git_http::parse(path).is_some();
    let mut entry = record::Request {
        at: now(),
        method: request.method().to_string(),
        path: path.to_owned(),
        query: request.uri().query().map(str::to_owned),
        body: None,
        status: None,
    };
    let request = if is_git {
        request
    } else {
        match with_body(request, &mut entry).await {
            Ok(request) => request,
            Err(refusal) => return refusal,
        }
    };
    let planted = stand.state().strike(&entry.method, &entry.path);
    let struck = match planted {
        None => Struck::GoOn,
        Some(planted) => fault::apply(planted, now().timestamp()).await,
    };
    let mut answer = match struck {
        Struck::Answer(answer) => answer,
        Struck::GoOn => next.run(request).await,
        Struck::GoOnAndDrop => {
            next.run(request).await;
            fault::dropped()
        }
    };
    if answer.extensions().get::<Dropped>().is_none() {
        entry.status = Some(answer.status().as_u16());
    }
    let unknown = answer.extensions().get::<Unknown>().is_some();
    let used = keep(&stand, entry, unknown);
    if !is_git {
        decorate(&mut answer, used);
    }
    answer
}

/// Reads a REST call's body for the record and puts it back.
async fn with_body(request: Request, entry: &mut record::Request) -> Result<Request, Response> {
    let (parts, body) = request.into_parts();
    let body: Bytes = to_bytes(body, REST_BODY_MAX_BYTES)
        .await
        .map_err(|_| ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "Too large").into_response())?;
    entry.body = serde_json::from_slice(&body).ok();
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// Records a request; how many there were.
fn keep(stand: &Shared, entry: record::Request, unknown: bool) -> u64 {
    let mut state = stand.state();
    if unknown {
        tracing::warn!(method = %entry.method, path = %entry.path, "unknown call");
        state.unknown_calls.push(entry.clone());
    }
    if state.requests.len() >= REQUESTS_KEPT {
        state.requests.drain(..REQUESTS_KEPT / 2);
    }
    state.requests.push(entry);
    state.requests.len() as u64
}

fn decorate(answer: &mut Response, used: u64) {
    let used = used % RATE_LIMIT;
    let reset = (now() + TimeDelta::hours(1)).timestamp();
    let headers = answer.headers_mut();
    for (name, value) in [
        ("x-ratelimit-limit", HeaderValue::from(RATE_LIMIT)),
        ("x-ratelimit-remaining", HeaderValue::from(RATE_LIMIT - used)),
        ("x-ratelimit-used", HeaderValue::from(used)),
        ("x-ratelimit-reset", HeaderValue::from(reset)),
        ("x-ratelimit-resource", HeaderValue::from_static("core")),
        ("x-github-media-type", HeaderValue::from_static("github.v3; format=json")),
    ] {
        headers.entry(name).or_insert(value);
    }
    if let Ok(id) = HeaderValue::try_from(guid().simple().to_string()) {
        headers.insert("x-github-request-id", id);
    }
}
