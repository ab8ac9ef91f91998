//! Slack, by an incoming webhook or as a bot (api.slack.com: "Sending messages using incoming
//! webhooks", `chat.postMessage`, `chat.update`, "Formatting text for app surfaces").
//!
//! What always holds: what others wrote (titles, branches, reasons) is escaped, so that it can
//! mention nobody and link to nothing.

mod bot;
mod text;

use chrono::{DateTime, Utc};
use model::notification::Volume;
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

pub(crate) use bot::Bot;

use crate::error::Unsent;
use crate::http::{Answer, Http};
use crate::{Parcel, Sent};

/// What an incoming webhook has posted stays as it is: it is only told what was asked for.
pub(crate) async fn incoming(
    http: &Http,
    url: &SecretString,
    parcel: &Parcel<'_>,
    now: DateTime<Utc>,
) -> Result<Sent, Unsent> {
    match parcel.volume {
        Volume::Loud => {}
        Volume::Quiet => return Ok(Sent::Spared),
    }
    let body =
        json!({ "text": text::written(parcel.message), "unfurl_links": false, "parse": "none" });
    let answer = http.post(url.expose_secret(), &[], body.to_string(), now).await?;
    match answer.status {
        status if status.is_success() => Ok(Sent::Taken(None)),
        status if passes(status) => {
            Err(Unsent::Later { why: format!("it answers {status}"), after: answer.after })
        }
        status => Err(Unsent::never(format!("it answers {status}{}", code(&answer)))),
    }
}

/// Statuses after which the same message may be taken.
fn passes(status: StatusCode) -> bool {
    status.is_server_error()
        || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY]
            .contains(&status)
}

/// Slack's own word for what is wrong, like `no_service`; any other answer is not repeated.
fn code(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    word(text.trim()).map(|word| format!(" ({word})")).unwrap_or_default()
}

fn word(text: &str) -> Option<&str> {
    let right = (1..=60).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    right.then_some(text)
}
