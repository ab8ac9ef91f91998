//! Around every request: its id, its metrics, its line in the log, and the form of its errors.
//!
//! What always holds: every answer carries `x-request-id`; every error under `/api`, `/worker`
//! and `/webhooks` is a problem of RFC 9457, those of the framework too (unknown path, wrong
//! method, unreadable body); elsewhere it is a page.

use std::time::Instant;

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State as Extract};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use model::BuildId;
use serde::Serialize;
use tracing::Instrument;

use crate::error::{Mistake, Problem};
use crate::page;
use crate::state::State;

/// The framework's own rejections are sentences; a longer body is none.
const LONGEST_REJECTION_BYTES: usize = 4096;
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

pub(crate) async fn around(
    Extract(state): Extract<State>,
    request: Request,
    next: Next,
) -> Response {
    let id = state.id().simple().to_string();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |matched| matched.as_str().to_owned());
    let span = tracing::info_span!(
        "request",
        request = %id,
        %method,
        path,
        job = job_of(&path),
        build = tracing::field::Empty,
    );
    let began = Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    let mut response = {
        let _in = span.enter();
        tracing::debug!(status = response.status().as_u16(), "answered");
        response
    };
    measure(&method, &route, response.status(), began);
    if response.status().is_client_error() || response.status().is_server_error() {
        response = formed(response, &path, &id).await;
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

fn measure(method: &Method, route: &str, status: StatusCode, began: Instant) {
    let labels = [
        ("method", method.as_str().to_owned()),
        ("route", route.to_owned()),
        ("status", status.as_str().to_owned()),
    ];
    metrics::histogram!("greenroom_http_request_seconds", &labels)
        .record(began.elapsed().as_secs_f64());
}

/// The job that a call is about, for the log.
fn job_of(path: &str) -> Option<&str> {
    let rest =
        path.strip_prefix("/worker/v1/jobs/").or_else(|| path.strip_prefix("/api/v1/jobs/"))?;
    rest.split('/').next()
}

/// From here on the log of this request says which build it is about.
pub(crate) fn is_about(build: BuildId) {
    tracing::Span::current().record("build", tracing::field::display(build));
}

fn for_programs(path: &str) -> bool {
    ["/api/", "/worker/", "/webhooks/", "/login/device/"]
        .iter()
        .any(|prefix| path.starts_with(prefix))
        || ["/api", "/worker", "/webhooks", "/healthz", "/readyz", "/metrics"].contains(&path)
}

/// RFC 9457.
#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[Mistake]>::is_empty")]
    errors: &'a [Mistake],
    request_id: &'a str,
}

async fn formed(response: Response, path: &str, id: &str) -> Response {
    let (mut parts, body) = response.into_parts();
    // JSON: what OAuth calls an error, of `login::device`
    let has_its_form =
        parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == HTML || kind == JSON);
    if has_its_form {
        return Response::from_parts(parts, body);
    }
    let problem = match parts.extensions.remove::<Problem>() {
        Some(problem) => problem,
        None => {
            let text = to_bytes(body, LONGEST_REJECTION_BYTES).await.unwrap_or_default();
            Problem { detail: rejection(parts.status, &text), errors: Vec::new() }
        }
    };
    let title = parts.status.canonical_reason().unwrap_or("Error");
    parts.headers.remove(CONTENT_LENGTH);
    let (kind, text) = if for_programs(path) {
        let document = Document {
            r#type: "about:blank",
            title,
            status: parts.status.as_u16(),
            detail: &problem.detail,
            errors: &problem.errors,
            request_id: id,
        };
        let text = serde_json::to_string(&document).unwrap_or_default();
        ("application/problem+json", text)
    } else {
        (HTML, page::error::render(parts.status, &problem, path, id))
    };
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if parts.status == StatusCode::UNAUTHORIZED && for_programs(path) {
        let bearer = HeaderValue::from_static("Bearer");
        parts.headers.entry(WWW_AUTHENTICATE).or_insert(bearer);
    }
    Response::from_parts(parts, Body::from(text))
}

fn rejection(status: StatusCode, text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text).trim().to_owned();
    match (status, text.is_empty()) {
        (_, false) => text,
        (StatusCode::NOT_FOUND, true) => "there is nothing at this address".into(),
        (StatusCode::METHOD_NOT_ALLOWED, true) => {
            "this address does not take this method; the header `allow` says which it takes".into()
        }
        (status, true) => status.canonical_reason().unwrap_or("error").to_lowercase(),
    }
}
