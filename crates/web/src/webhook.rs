//! `POST /webhooks/github`: a delivery becomes a row, and nothing else happens here.
//!
//! What always holds: the signature is checked over the bytes as they came, before anything looks
//! into them; 202 is said only after the commit ([`crate::inbox`]); a GUID is stored once. After a crash between
//! commit and answer GitHub delivers again, and the GUID is known.

use axum::body::{Body, Bytes};
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode};
use futures_util::StreamExt;
use github::SignatureError;
use secrecy::SecretString;
use serde::de::IgnoredAny;
use store::delivery::{Inserted, NewDelivery};

use crate::error::{Error, Result};
use crate::extract::is_json;
use crate::state::State;

/// GitHub's own limit of a payload.
const MAX_BYTES: usize = 25 * 1024 * 1024;
/// What is read and thrown away beyond it, so that the sender gets to hear the answer.
const MAX_DISCARDED_BYTES: usize = 75 * 1024 * 1024;
const LONGEST_GUID: usize = 100;
const LONGEST_EVENT: usize = 100;
/// Headers worth keeping with a delivery.
const KEPT: [&str; 6] = [
    "user-agent",
    "x-github-hook-id",
    "x-github-hook-installation-target-id",
    "x-github-hook-installation-target-type",
    "x-github-enterprise-host",
    "content-type",
];

/// What GitHub sends
///
/// Signed with the webhook's secret. It is in the database when 202 is said.
#[utoipa::path(
    post,
    path = "/webhooks/github",
    operation_id = "receiveWebhook",
    tag = "server",
    params(
        ("x-hub-signature-256" = String, Header,
            description = "HMAC of the body: `sha256=…` (\"Validating webhook deliveries\", GitHub docs)"),
        ("x-github-delivery" = String, Header, description = "The delivery's GUID."),
        ("x-github-event" = String, Header, description = "The event's name."),
    ),
    request_body(content = Object, description = "The event's payload, 25 MB at most"),
    responses(
        (status = 200, description = "It was known already"),
        (status = 202, description = "It is kept, and will be processed"),
        (status = 400, description = "The body or a header cannot be read"),
        (status = 401, description = "The signature is missing or wrong"),
        (status = 413, description = "The payload has more than 25 MB"),
        (status = 415, description = "The body is not sent as `application/json`"),
        (status = 503, description = "The server has no secret to check signatures with"),
    ),
)]
pub(crate) async fn receive(
    Extract(state): Extract<State>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode> {
    let outcome = accept(&state, &headers, body).await;
    let label = match &outcome {
        Ok(StatusCode::ACCEPTED) => "new",
        Ok(_) => "known",
        Err(_) => "refused",
    };
    metrics::counter!("greenroom_webhooks_total", "result" => label).increment(1);
    outcome
}

/// Those of the configuration, and that of the identity which the setup pages made.
fn secrets(state: &State) -> Vec<SecretString> {
    let kept = state.github.identity().and_then(|identity| identity.webhook_secret.clone());
    state.settings.webhook_secrets.iter().cloned().chain(kept).collect()
}

async fn accept(state: &State, headers: &HeaderMap, body: Body) -> Result<StatusCode> {
    let body = read(body).await?;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    github::verify(&secrets(state), &body, text("x-hub-signature-256")).map_err(
        |error| match error {
            SignatureError::NoSecret => Error::Unavailable(error.to_string()),
            SignatureError::Missing | SignatureError::Malformed | SignatureError::Mismatch => {
                Error::Unauthorized(error.to_string())
            }
        },
    )?;
    if !is_json(headers) {
        return Err(Error::UnsupportedType(
            "set the webhook's \"Content type\" on GitHub to application/json".into(),
        ));
    }
    let named = |name: &str, longest: usize| {
        text(name)
            .filter(|value| !value.is_empty() && value.len() <= longest)
            .ok_or_else(|| Error::BadRequest(format!("the header {name} is missing or no name")))
    };
    let guid = named("x-github-delivery", LONGEST_GUID)?;
    let event = named("x-github-event", LONGEST_EVENT)?;
    check_json(&body)?;
    let delivery = NewDelivery {
        guid: guid.to_owned(),
        event: event.to_owned(),
        headers: kept(headers),
        body,
        received_at: state.now(),
    };
    match state.inbox.store(delivery).await? {
        Inserted::New => {
            state.signals.wake_engine();
            Ok(StatusCode::ACCEPTED)
        }
        Inserted::Known => Ok(StatusCode::OK),
    }
}

async fn read(body: Body) -> Result<Bytes> {
    let mut chunks = body.into_data_stream();
    let (mut read, mut over) = (Vec::new(), 0_usize);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| {
            Error::BadRequest(format!("the body did not arrive whole: {error}"))
        })?;
        if over > 0 || read.len() + chunk.len() > MAX_BYTES {
            read = Vec::new();
            over += chunk.len();
            if over > MAX_DISCARDED_BYTES {
                break;
            }
        } else {
            read.extend_from_slice(&chunk);
        }
    }
    if over > 0 {
        return Err(Error::TooLarge("a webhook's payload may have 25 MB at most".into()));
    }
    Ok(read.into())
}

/// Only whether it is JSON: what it says is read from the row.
fn check_json(body: &[u8]) -> Result<()> {
    let text = std::str::from_utf8(body)
        .map_err(|error| Error::BadRequest(format!("the body is no UTF-8: {error}")))?;
    serde_json::from_str::<IgnoredAny>(text)
        .map(|_| ())
        .map_err(|error| Error::BadRequest(format!("the body is no JSON: {error}")))
}

fn kept(headers: &HeaderMap) -> serde_json::Value {
    KEPT.iter()
        .filter_map(|name| Some(((*name).to_owned(), headers.get(*name)?.to_str().ok()?.into())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
