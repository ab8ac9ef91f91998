//! What keeps other sites out of a browser that is signed in here.
//!
//! What always holds: a request that changes something is taken from a page of ours or from no
//! browser at all (tower-http's `CsrfLayer`: `Sec-Fetch-Site`, else `Origin`); nothing but our own
//! files runs or is shown in a page; no page is framed or kept by a cache. A form may lead to GitHub
//! beside ourselves: browsers hold the policy against where a form's answer redirects to.

use axum::body::Body;
use axum::extract::{Request, State as Extract};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::csrf::{CsrfLayer, ProtectionError};

use crate::error::Error;
use crate::state::State;

/// A year, as usual.
const HSTS: &str = "max-age=31536000";
/// Nothing of it is ours to use.
const PERMISSIONS: &str = "camera=(), display-capture=(), geolocation=(), microphone=(), \
                           payment=(), usb=(), browsing-topics=()";

/// Refuses what another site's page sends. Programs that bring a bearer token send neither of the
/// headers that are looked at.
pub(crate) fn csrf(
    public_url: &str,
) -> CsrfLayer<impl FnMut(ProtectionError) -> Response<Body> + Clone + use<>> {
    let layer = CsrfLayer::new();
    // behind a proxy the host that we see need not be the one that the browser means
    let layer = match origin(public_url).map(|own| layer.clone().add_trusted_origin(own)) {
        Some(Ok(trusting)) => trusting,
        Some(Err(_)) | None => layer,
    };
    layer.with_rejection_response(|_: ProtectionError| {
        let why = "this was sent by a page of another site: use the page's own button";
        Error::Forbidden(why.into()).into_response()
    })
}

/// `https://ci.example.com`, as a browser writes it in `Origin`.
fn origin(url: &str) -> Option<String> {
    let url: Uri = url.parse().ok()?;
    let (scheme, host) = (url.scheme_str()?, url.host()?.to_ascii_lowercase());
    let usual = match scheme {
        "https" => 443,
        _ => 80,
    };
    Some(match url.port_u16().filter(|port| *port != usual) {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

/// The headers of every answer.
pub(crate) async fn headers(
    Extract(state): Extract<State>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    let is_picture = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"image/"));
    let headers = response.headers_mut();
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if state.settings.public_url.starts_with("https://") {
        headers.insert("strict-transport-security", HeaderValue::from_static(HSTS));
    }
    // a picture is no page, and its own styles are its own
    if is_picture {
        return response;
    }
    let policy = policy(&state.settings.git_url);
    for (name, value) in [
        ("content-security-policy", policy.as_str()),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", PERMISSIONS),
        ("referrer-policy", "same-origin"),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.entry(HeaderName::from_static(name)).or_insert(value);
        }
    }
    response
}

fn policy(git_url: &str) -> String {
    let github = origin(git_url).map(|github| format!(" {github}")).unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; form-action 'self'{github}; base-uri 'none'; frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for (url, expected) in [
            ("https://CI.example.com", "https://ci.example.com"),
            ("https://ci.example.com:443/greenroom", "https://ci.example.com"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(origin(url).as_deref(), Some(expected));
        }
        assert_eq!(origin("not a url"), None);
    }

    #[test]
    fn the_policy_lets_forms_lead_to_github_and_nothing_else_out() {
        let policy = policy("https://github.com");
        assert!(policy.contains("form-action 'self' https://github.com;"), "{policy}");
        assert!(!policy.contains("unsafe") && policy.starts_with("default-src 'none'"));
    }
}
