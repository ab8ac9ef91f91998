//! Answers to those who ask again and again: who has the newest is told only that.
//!
//! What always holds: the tag is of the bytes themselves, so it changes when they do. It is a weak
//! one, since what is between may pack them.

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::error::{Error, Result};

/// How many bytes of the digest tell one answer from another.
const TAG_BYTES: usize = 16;

/// The body, or that nothing changed since. `cache`: who may keep it, for how long.
pub(crate) fn answer(
    asked: &HeaderMap,
    kind: &'static str,
    cache: &'static str,
    body: String,
) -> Result<Response> {
    let hash = digest(&SHA256, body.as_bytes());
    let digits: String =
        hash.as_ref().iter().take(TAG_BYTES).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("W/\"{digits}\"");
    let mut response = if is_known(asked, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, kind)], body).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(ETAG, HeaderValue::from_str(&tag).map_err(Error::internal)?);
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
