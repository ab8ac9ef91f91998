//! Answers to those who ask again and again: who has the newest is told only that.
//!
//! What always holds: the tag is of the bytes themselves, so it changes when they do. It is a weak
//! one, since what is between may pack them. What somebody is answered is kept by nobody for
//! anybody else.

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::{Error, Result};

/// How many bytes of the digest tell one answer from another.
const TAG_BYTES: usize = 16;
/// For who asked, who asks each time whether it is still so.
pub(crate) const OWN: &str = "private, no-cache";

/// The body, or that nothing changed since. `cache`: who may keep it, for how long.
pub(crate) fn answer(
    asked: &HeaderMap,
    kind: &'static str,
    cache: &'static str,
    body: String,
) -> Result<Response> {
    let response = ([(CONTENT_TYPE, kind)], "").into_response();
    tagged(asked, response, cache, &[AUTHORIZATION, COOKIE], body.into())
}

/// Around the calls of the API: what is read as JSON has a tag, and is not sent to who has it.
pub(crate) async fn polled(request: Request, next: Next) -> Result<Response> {
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    let asked: HeaderMap = request
        .headers()
        .get_all(IF_NONE_MATCH)
        .iter()
        .map(|tag| (IF_NONE_MATCH, tag.clone()))
        .collect();
    let response = next.run(request).await;
    let is_json =
        response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !is_read || response.status() != StatusCode::OK || !is_json {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(Error::internal)?;
    let response = Response::from_parts(parts, Body::empty());
    tagged(&asked, response, OWN, &[AUTHORIZATION], body)
}

/// Puts the tag of the body on the answer, and the body into it unless it is known.
fn tagged(
    asked: &HeaderMap,
    mut response: Response,
    cache: &'static str,
    varies: &[HeaderName],
    body: axum::body::Bytes,
) -> Result<Response> {
    let hash = digest(&SHA256, &body);
    let digits: String =
        hash.as_ref().iter().take(TAG_BYTES).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("W/\"{digits}\"");
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(ETAG, HeaderValue::from_str(&tag).map_err(Error::internal)?);
    if cache.starts_with("private") {
        for name in varies {
            headers.append(VARY, name.clone().into());
        }
    }
    if is_known(asked, &tag) {
        headers.remove(CONTENT_TYPE);
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = Body::from(body);
    }
    Ok(response)
}

/// Weakly compared (RFC 9110, 13.1.2): only the text in the quotes counts.
fn is_known(asked: &HeaderMap, tag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let tags = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|tags| tags.split(','))
        .any(|known| known.trim() == "*" || bare(known) == bare(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(tags: &str) -> HeaderMap {
        HeaderMap::from_iter([(IF_NONE_MATCH, tags.parse().unwrap())])
    }

    #[test]
    fn who_has_the_newest_gets_no_body_and_who_has_not_does() {
        let say = |asked: &HeaderMap| answer(asked, "text/plain", "no-cache", "ok".into()).unwrap();
        let first = say(&HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
        assert_eq!(say(&asking(&tag)).status(), StatusCode::NOT_MODIFIED);
        let strong = tag.trim_start_matches("W/");
        let several = asking(&format!("\"other\", {strong}"));
        assert_eq!(say(&several).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(say(&asking("W/\"other\"")).status(), StatusCode::OK);
    }
}
