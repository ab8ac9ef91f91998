//! Keeps the character NUL out of what pages are asked and sent: PostgreSQL takes it in no text, and
//! no person types it. (The API says which key has it: `extract`.)

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::Response;

use crate::error::{Error, Result};

/// NUL in an address or a form.
const ENCODED: &[u8] = b"%00";
/// What a form may have: axum's own limit.
const LARGEST_FORM: usize = 2 * 1024 * 1024;

pub(crate) async fn refused(request: Request, next: Next) -> Result<Response> {
    let address = request.uri().path_and_query().map_or("", |address| address.as_str());
    if has_nul(address.as_bytes()) {
        return Err(wrong("the address"));
    }
    if !is_form(request.headers()) {
        return Ok(next.run(request).await);
    }
    let (parts, body) = request.into_parts();
    let form = to_bytes(body, LARGEST_FORM)
        .await
        .map_err(|_| Error::TooLarge(format!("a form may have {LARGEST_FORM} bytes at most")))?;
    if has_nul(&form) {
        return Err(wrong("a field of the form"));
    }
    Ok(next.run(Request::from_parts(parts, Body::from(form))).await)
}

fn has_nul(text: &[u8]) -> bool {
    text.contains(&0) || text.windows(ENCODED.len()).any(|piece| piece == ENCODED)
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("application/x-www-form-urlencoded")
}

fn wrong(what: &str) -> Error {
    Error::BadRequest(format!("{what} holds the character NUL, which no text can keep"))
}
