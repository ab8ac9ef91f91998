//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request that is sent again
//! under its key is not done again, but answered as it was.
//!
//! What always holds: a key counts for one person, or for a token that is nobody's, and for one
//! request: the same method, address and body. What the request does notes itself under the key in
//! its own transaction ([`Once::done`], by the audit log, which is told of all that is done), so
//! nothing is done twice whenever the process dies. A request that did nothing, because it was
//! refused, leaves its key free. The handler goes on when the client hangs up: who asks again
//! finds the answer.

use aws_lc_rs::digest::{Context, SHA256};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State as Extract};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use store::PgConnection;
use store::audit::Entry;
use store::idempotency::{self, Answer, Begun, Key};
use store::session::Owner;
use tracing::Instrument;
use uuid::Uuid;

use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::state::State;

const HEADER: &str = "idempotency-key";
/// Says that an answer is one that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const LONGEST_KEY: usize = 255;
/// What bodies of the API may have: axum's own limit.
const LARGEST_BODY: usize = 2 * 1024 * 1024;

/// The key that a request is known by, while it is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Once {
    owner: Uuid,
    key: String,
    attempt: i32,
}

impl Once {
    fn key(&self) -> Key<'_> {
        Key { owner: self.owner, text: &self.key }
    }

    /// In the transaction of what is done. Fails if another took the request over, who thought
    /// that this one was lost: then nothing is done here.
    pub(crate) async fn done(
        &self,
        state: &State,
        conn: &mut PgConnection,
        entry: &Entry,
    ) -> Result<()> {
        let deed = match (&entry.app, &entry.stage, entry.build) {
            (Some(app), _, Some(build)) => {
                format!("{}: build {build} of {app}", entry.deed.as_str())
            }
            (Some(app), Some(stage), None) => {
                format!("{}: stage {stage} of {app}", entry.deed.as_str())
            }
            (Some(app), None, None) => format!("{} in {app}", entry.deed.as_str()),
            (None, _, _) => entry.deed.as_str().to_owned(),
        };
        let now = state.now();
        if idempotency::done(conn, self.key(), self.attempt, &deed, now).await? {
            return Ok(());
        }
        Err(Error::Conflict(
            "this request took so long that another one under the same Idempotency-Key was begun \
             in its place"
                .into(),
        ))
    }
}

/// Around what programs ask to be done.
pub(crate) async fn once(
    Extract(state): Extract<State>,
    request: Request,
    next: Next,
) -> Result<Response> {
    let Some(text) = key_of(request.method(), request.headers())? else {
        return Ok(next.run(request).await);
    };
    let Some(caller) = request.extensions().get::<Caller>().cloned() else {
        return Ok(next.run(request).await);
    };
    let owner = match caller.owner() {
        Some(Owner::Person(person)) => person.0,
        Some(Owner::Token(token)) => token.0,
        None => return Ok(next.run(request).await),
    };
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_BODY)
        .await
        .map_err(|_| Error::TooLarge(format!("a body may have {LARGEST_BODY} bytes at most")))?;
    let address = parts.uri.path_and_query().map_or("", |address| address.as_str());
    let digest = digest(&parts.method, address, &body);
    let key = Key { owner, text: &text };
    let begun = {
        let mut tx = state.db.begin().await?;
        let begun = idempotency::begin(&mut tx, &state.vault, key, &digest, state.now()).await?;
        tx.commit().await.map_err(Error::internal)?;
        begun
    };
    let attempt = match begun {
        Begun::Mine { attempt } => attempt,
        Begun::OfAnother => {
            return Err(Error::invalid(
                "Idempotency-Key",
                "it came with another request before: choose a new one for each thing to be done",
            ));
        }
        Begun::UnderWay => {
            return Err(Error::Conflict(
                "the first request with this Idempotency-Key is still under way: ask again in a \
                 moment"
                    .into(),
            ));
        }
        Begun::Done { deed } => {
            return Err(Error::Conflict(format!(
                "this was done already ({deed}), but the server ended before its answer was kept: \
                 look at it"
            )));
        }
        Begun::Answered(answer) => return replayed(answer),
    };
    let held = Once { owner, key: text, attempt };
    parts.extensions.insert(Caller { once: Some(held.clone()), ..caller });
    let request = Request::from_parts(parts, Body::from(body));
    let work = async move { settled(&state, &held, next.run(request).await).await };
    tokio::spawn(work.in_current_span()).await.map_err(Error::internal)?
}

/// The key, if there is one and the request is one to be done once.
fn key_of(method: &Method, headers: &HeaderMap) -> Result<Option<String>> {
    let Some(value) = headers.get(HEADER).filter(|_| *method == Method::POST) else {
        return Ok(None);
    };
    let wrong = || {
        Error::BadRequest(format!(
            "the header Idempotency-Key holds 1 to {LONGEST_KEY} visible characters of ASCII, \
             without spaces, quotes or backslashes inside, like a UUID"
        ))
    };
    if headers.get_all(HEADER).iter().count() > 1 {
        return Err(wrong());
    }
    let text = value.to_str().map_err(|_| wrong())?.trim();
    // the draft writes it as a string of RFC 8941, in quotes; most clients leave them out
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let text = quoted.unwrap_or(text);
    let is_right = !text.is_empty()
        && text.len() <= LONGEST_KEY
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
    if is_right { Ok(Some(text.to_owned())) } else { Err(wrong()) }
}

fn digest(method: &Method, address: &str, body: &Bytes) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    for part in [method.as_str().as_bytes(), b"\n", address.as_bytes(), b"\n", &body[..]] {
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}

fn replayed(answer: Answer) -> Result<Response> {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).map_err(Error::internal)?;
    if let Some(kind) = answer.kind {
        let kind = HeaderValue::from_str(&kind).map_err(Error::internal)?;
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

/// Keeps what is answered, or frees the key if nothing was done.
async fn settled(state: &State, held: &Once, response: Response) -> Result<Response> {
    let (parts, body) = response.into_parts();
    let mut conn = state.db.acquire().await?;
    // credentials, say: an answer that nobody may keep is in no row either
    let unkept = parts.headers.get(CACHE_CONTROL).is_some_and(|value| value == "no-store");
    if !parts.status.is_success() || unkept {
        idempotency::release(&mut conn, held.key(), held.attempt).await?;
        return Ok(Response::from_parts(parts, body));
    }
    let body = to_bytes(body, usize::MAX).await.map_err(Error::internal)?;
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let answer = Answer {
        status: parts.status.as_u16(),
        kind: kind.map(str::to_owned),
        body: body.to_vec(),
    };
    // the thing is done: its answer is given, whether or not it can be given once more
    if let Err(error) =
        idempotency::keep(&mut conn, &state.vault, held.key(), held.attempt, &answer).await
    {
        tracing::warn!(%error, "an answer was not kept under its Idempotency-Key");
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<Option<String>> {
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static(HEADER),
            HeaderValue::from_bytes(text.as_bytes()).unwrap(),
        )]);
        key_of(&Method::POST, &headers)
    }

    #[test]
    fn a_key_is_taken_with_quotes_and_without() {
        assert_eq!(key("8e03978e-40d5").unwrap().as_deref(), Some("8e03978e-40d5"));
        assert_eq!(key("\"8e03978e-40d5\"").unwrap().as_deref(), Some("8e03978e-40d5"));
        assert_eq!(key_of(&Method::POST, &HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn what_is_no_key_is_told_to_be_none() {
        let long = "x".repeat(LONGEST_KEY + 1);
        for text in ["", " ", "\"\"", "a b", "a\"b", "a\\b", "schlüssel", long.as_str()] {
            assert!(matches!(key(text), Err(Error::BadRequest(_))), "{text}");
        }
    }

    #[test]
    fn each_part_of_a_request_tells_it_from_others() {
        let body = Bytes::from_static(b"{}");
        let first = digest(&Method::POST, "/a", &body);
        assert_eq!(first, digest(&Method::POST, "/a", &body));
        assert_ne!(first, digest(&Method::POST, "/a?b", &body));
        assert_ne!(first, digest(&Method::POST, "/a", &Bytes::from_static(b"{ }")));
    }
}
