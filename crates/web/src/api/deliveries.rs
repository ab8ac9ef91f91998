//! Webhook deliveries: listed, shown with what GitHub sent, processed once more.
//!
//! What always holds: no signature is told, for none is kept.

use std::str::FromStr;

use axum::Json;
use axum::extract::{Extension, Path, Query, State as Extract};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::audit::Deed;
use store::delivery::{Delivery, DeliveryState, Filter};
use utoipa::ToSchema;

use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::{self, escape, segment};
use crate::openapi::wire;
use crate::state::State;

const PAGE: i64 = 50;
const LARGEST_PAGE: i64 = 200;
/// As long as one that is taken: see `crate::webhook`.
const LONGEST: usize = 100;

/// GitHub's id of a delivery, as far as it can be one that was taken.
pub(crate) struct Guid(String);

impl FromStr for Guid {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let is_one = !text.is_empty()
            && text.len() <= LONGEST
            && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        is_one.then(|| Self(text.to_owned())).ok_or(())
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[param(value_type = Option<wire::DeliveryState>)]
    state: Option<String>,
    /// GitHub's name of the event, like `push`.
    #[param(max_length = 100)]
    event: Option<String>,
    /// How many; more than 200 count as 200.
    #[param(minimum = 1, default = 50)]
    limit: Option<i64>,
    /// Only what came before the delivery of this `seq`.
    before: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Deliveries {
    deliveries: Vec<DeliveryView>,
    /// Where the next page is.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(super) struct DeliveryView {
    guid: String,
    /// The order of arrival.
    seq: i64,
    event: String,
    #[schema(value_type = wire::DeliveryState)]
    state: &'static str,
    /// What it set in motion, or why it did not.
    reason: Option<String>,
    attempts: i32,
    received_at: DateTime<Utc>,
    processed_at: Option<DateTime<Utc>>,
    /// Those worth keeping; lists do not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    headers: Option<Value>,
    /// What GitHub sent; lists do not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

impl DeliveryView {
    fn listed(delivery: Delivery) -> Self {
        Self {
            guid: delivery.guid,
            seq: delivery.seq,
            event: delivery.event,
            state: delivery.state.as_str(),
            reason: delivery.reason,
            attempts: delivery.attempts,
            received_at: delivery.received_at,
            processed_at: delivery.processed_at,
            headers: None,
            body: None,
        }
    }

    fn whole(delivery: Delivery) -> Self {
        let (headers, body) = (delivery.headers.clone(), delivery.body.clone());
        let body = Some(String::from_utf8_lossy(&body).into_owned());
        Self { headers: Some(headers), body, ..Self::listed(delivery) }
    }
}

pub(crate) fn delivery_state(text: &str) -> Result<DeliveryState> {
    let found = DeliveryState::ALL.into_iter().find(|one| one.as_str() == text);
    found.ok_or_else(|| {
        let known = DeliveryState::ALL.map(DeliveryState::as_str).join(", ");
        Error::invalid("state", format!("this must be one of {known}"))
    })
}

/// The deliveries of webhooks, newest first
#[utoipa::path(
    get,
    path = "/system/deliveries",
    operation_id = "listDeliveries",
    tag = "system",
    params(Wanted),
    responses((status = 200, description = "The deliveries", body = Deliveries)),
)]
pub(super) async fn list(
    Extract(state): Extract<State>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Deliveries>> {
    let limit = extract::limit(wanted.limit, PAGE, LARGEST_PAGE)?;
    let event = wanted.event.as_deref();
    let event = event.map(|event| extract::plain("event", event, LONGEST)).transpose()?;
    let filter = Filter {
        state: wanted.state.as_deref().map(delivery_state).transpose()?,
        event: event.map(str::to_owned),
        before: wanted.before,
        // one more than shown says whether there is a next page
        limit: limit + 1,
    };
    let mut conn = state.db.acquire().await?;
    let mut found = store::delivery::search(&mut conn, &filter).await?;
    drop(conn);
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > shown;
    found.truncate(shown);
    let next = found.last().filter(|_| more).map(|last| {
        let given = [("state", &wanted.state), ("event", &wanted.event)];
        let address = format!("/api/v1/system/deliveries?limit={limit}&before={}", last.seq);
        given.into_iter().fold(address, |address, (key, value)| match value {
            Some(value) => format!("{address}&{key}={}", escape(value)),
            None => address,
        })
    });
    let deliveries = found.into_iter().map(DeliveryView::listed).collect();
    Ok(Json(Deliveries { deliveries, next }))
}

/// A delivery with what GitHub sent
#[utoipa::path(
    get,
    path = "/system/deliveries/{guid}",
    operation_id = "getDelivery",
    tag = "system",
    responses((status = 200, description = "The delivery", body = DeliveryView)),
)]
pub(super) async fn show(
    Extract(state): Extract<State>,
    Path(guid): Path<String>,
) -> Result<Json<DeliveryView>> {
    Ok(Json(DeliveryView::whole(find(&state, &guid).await?)))
}

/// Have a delivery processed once more
///
/// One that already made its build makes no second.
#[utoipa::path(
    post,
    path = "/system/deliveries/{guid}/replay",
    operation_id = "replayDelivery",
    tag = "system",
    responses((status = 202, description = "The delivery, which waits to be processed", body = DeliveryView)),
)]
pub(super) async fn replay(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(guid): Path<String>,
) -> Result<(StatusCode, Json<DeliveryView>)> {
    replay_delivery(&state, &caller, &guid).await?;
    let delivery = find(&state, &guid).await?;
    Ok((StatusCode::ACCEPTED, Json(DeliveryView::listed(delivery))))
}

pub(crate) async fn find(state: &State, guid: &str) -> Result<Delivery> {
    let Guid(guid) = segment("delivery", guid)?;
    let mut conn = state.db.acquire().await?;
    store::delivery::find(&mut conn, &guid)
        .await?
        .ok_or_else(|| Error::NotFound("there is no such delivery".into()))
}

pub(crate) async fn replay_delivery(state: &State, caller: &Caller, guid: &str) -> Result<()> {
    let Guid(guid) = segment("delivery", guid)?;
    let mut tx = state.db.begin().await?;
    store::delivery::replay(&mut tx, &guid).await?;
    let did = Did::of_server(Deed::Replay).detail(json!({ "delivery": guid }));
    audit::record(state, &mut tx, caller, did).await?;
    tx.commit().await.map_err(Error::internal)?;
    state.signals.wake_engine();
    Ok(())
}
