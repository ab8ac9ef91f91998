//! Webhook deliveries: all of them by state and event, each with what GitHub sent and what came of
//! it, and the dialog that has one processed again.
//!
//! What always holds: no signature is shown, for none is kept; a body is shown up to a size, and
//! whole at an address of its own, as plain text.

use askama::Template;
use axum::extract::{Extension, Path, Query, State as Extract};
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Redirect};
use chrono::{DateTime, Utc};
use model::permission::{Action, Scope};
use serde::Deserialize;
use store::delivery::{Delivery, DeliveryState, Filter};

use super::super::view::{Badge, Time};
use super::super::{Shell, html};
use super::parts::size;
use crate::api::deliveries::{delivery_state, find, replay_delivery};
use crate::auth::Caller;
use crate::error::Result;
use crate::extract::{self, escape};
use crate::state::State;

const PAGE: i64 = 50;
const LONGEST_EVENT: usize = 100;
/// A page stays small enough to read and to send.
const LONGEST_BODY: usize = 24 * 1024;

pub(super) struct DeliveryRow {
    pub(super) url: String,
    pub(super) guid: String,
    pub(super) event: String,
    pub(super) badge: Badge,
    pub(super) reason: String,
    pub(super) came: Time,
}

fn badge(state: DeliveryState) -> Badge {
    let class = match state {
        DeliveryState::Received => "wait",
        DeliveryState::Done => "ok",
        DeliveryState::Ignored => "off",
        DeliveryState::Failed => "bad",
    };
    Badge::new(class, state.as_str())
}

impl DeliveryRow {
    pub(super) fn of(delivery: Delivery, now: DateTime<Utc>) -> Self {
        Self {
            url: format!("/system/deliveries/{}", escape(&delivery.guid)),
            guid: delivery.guid,
            event: delivery.event,
            badge: badge(delivery.state),
            reason: delivery.reason.unwrap_or_default(),
            came: Time::new(delivery.received_at, now),
        }
    }
}

#[derive(Template)]
#[template(path = "system_deliveries.html")]
struct DeliveriesPage {
    shell: Shell,
    /// Each state, and whether the list is of it.
    states: Vec<(&'static str, bool)>,
    event: String,
    rows: Vec<DeliveryRow>,
    next: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    state: String,
    #[serde(default)]
    event: String,
    before: Option<i64>,
}

pub(super) async fn list(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>> {
    let event = extract::plain("event", wanted.event.trim(), LONGEST_EVENT)?;
    let chosen = Some(wanted.state.as_str()).filter(|text| !text.is_empty());
    let chosen = chosen.map(delivery_state).transpose()?;
    let filter = Filter {
        state: chosen,
        event: (!event.is_empty()).then(|| event.to_owned()),
        before: wanted.before,
        // one more than shown says whether there is a next page
        limit: PAGE + 1,
    };
    let mut conn = state.db.acquire().await?;
    let mut found = store::delivery::search(&mut conn, &filter).await?;
    drop(conn);
    let shown = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = found.len() > shown;
    found.truncate(shown);
    let next = found.last().filter(|_| more).map(|last| {
        let (state, event) = (escape(&wanted.state), escape(event));
        format!("/system/deliveries?state={state}&event={event}&before={}", last.seq)
    });
    let now = state.now();
    html(&DeliveriesPage {
        shell: Shell::new("Deliveries", "system").of(&caller),
        states: DeliveryState::ALL.map(|one| (one.as_str(), Some(one) == chosen)).into(),
        event: event.to_owned(),
        rows: found.into_iter().map(|one| DeliveryRow::of(one, now)).collect(),
        next,
    })
}

#[derive(Template)]
#[template(path = "system_delivery.html")]
struct DeliveryPage {
    shell: Shell,
    one: DeliveryRow,
    attempts: i32,
    processed: Option<Time>,
    headers: Vec<(String, String)>,
    body: String,
    size: String,
    /// Less than all of it is shown.
    cut: bool,
    may_replay: bool,
}

/// JSON with its lines, up to a size.
fn pretty(body: &[u8]) -> (String, bool) {
    let text = serde_json::from_slice::<serde_json::Value>(body)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned());
    match text.char_indices().find(|(at, char)| at + char.len_utf8() > LONGEST_BODY) {
        Some((end, _)) => (text[..end].to_owned(), true),
        None => (text, false),
    }
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(guid): Path<String>,
) -> Result<Html<String>> {
    let now = state.now();
    let delivery = find(&state, &guid).await?;
    let (body, cut) = pretty(&delivery.body);
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let headers = delivery.headers.as_object().into_iter().flatten();
    html(&DeliveryPage {
        shell: Shell::new(format!("Delivery {}", delivery.event), "system").of(&caller),
        attempts: delivery.attempts,
        processed: delivery.processed_at.map(|at| Time::new(at, now)),
        headers: headers.map(|(name, value)| (name.clone(), text(value))).collect(),
        body,
        size: size(i64::try_from(delivery.body.len()).unwrap_or(i64::MAX)),
        cut,
        may_replay: caller.rights.allows(Action::Configure, Scope::Server),
        one: DeliveryRow::of(delivery, now),
    })
}

/// What GitHub sent, byte for byte.
pub(super) async fn body(
    Extract(state): Extract<State>,
    Path(guid): Path<String>,
) -> Result<impl IntoResponse> {
    let delivery = find(&state, &guid).await?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], delivery.body))
}

#[derive(Template)]
#[template(path = "dialog_replay.html")]
struct ReplayPage {
    shell: Shell,
    one: DeliveryRow,
}

pub(super) async fn ask(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(guid): Path<String>,
) -> Result<Html<String>> {
    let delivery = find(&state, &guid).await?;
    html(&ReplayPage {
        shell: Shell::new("Replay a delivery", "system").of(&caller),
        one: DeliveryRow::of(delivery, state.now()),
    })
}

pub(super) async fn replay(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(guid): Path<String>,
) -> Result<Redirect> {
    replay_delivery(&state, &caller, &guid).await?;
    Ok(Redirect::to(&format!("/system/deliveries/{}", escape(&guid))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_shown_with_its_lines_and_up_to_a_size() {
        assert_eq!(pretty(br#"{"a":1}"#), ("{\n  \"a\": 1\n}".to_owned(), false));
        assert_eq!(pretty(b"no json"), ("no json".to_owned(), false));
        let (text, cut) = pretty("é".repeat(LONGEST_BODY).as_bytes());
        assert!(cut && text.len() <= LONGEST_BODY && text.ends_with('é'));
    }
}
