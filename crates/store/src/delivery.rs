//! Table `delivery`: webhook deliveries as received. It is the queue of intake.
//!
//! What always holds: a GUID is stored once; what a delivery sets in motion happens from its row.
//! After a crash: a delivery whose effect was not committed is still `received` and is read again.

use std::collections::BTreeSet;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::error::{Result, met};

/// A delivery as it came in. `headers` are those worth keeping, without the signature.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    pub guid: String,
    pub event: String,
    pub headers: serde_json::Value,
    pub body: Bytes,
    pub received_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    New,
    /// The GUID was there before: a repeated delivery.
    Known,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum DeliveryState {
    Received,
    Done,
    Ignored,
    Failed,
}

impl DeliveryState {
    pub const ALL: [Self; 4] = [Self::Received, Self::Done, Self::Ignored, Self::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Done => "done",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Delivery {
    pub guid: String,
    /// The order of arrival.
    pub seq: i64,
    pub event: String,
    pub headers: serde_json::Value,
    /// Empty in a [`list`].
    pub body: Vec<u8>,
    pub state: DeliveryState,
    pub reason: Option<String>,
    pub attempts: i32,
    pub received_at: DateTime<Utc>,
    pub processed_at: Option<DateTime<Utc>>,
}

/// How a delivery ended, with what it set in motion or why it did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryEnd {
    Done(String),
    Ignored(String),
    Failed(String),
}

impl DeliveryEnd {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Done(_) => DeliveryState::Done.as_str(),
            Self::Ignored(_) => DeliveryState::Ignored.as_str(),
            Self::Failed(_) => DeliveryState::Failed.as_str(),
        }
    }
}

macro_rules! select {
    ($body:literal, $tail:literal) => {
        concat!(
            "select guid, seq, event, headers, ",
            $body,
            " as body, state, reason, attempts, received_at, processed_at from delivery ",
            $tail
        )
    };
}

/// One statement, so one commit when called outside a transaction, as it should be: the answers to
/// GitHub wait for it. What became of each, in the order given; of two with one GUID the first is
/// the new one.
pub async fn insert(conn: &mut PgConnection, new: &[NewDelivery]) -> Result<Vec<Inserted>> {
    let mut made: BTreeSet<String> = sqlx::query_scalar::<_, String>(
        "insert into delivery (guid, event, headers, body, received_at)
         select guid, event, headers, body, received_at
         from unnest($1::text[], $2::text[], $3::jsonb[], $4::bytea[], $5::timestamptz[])
             with ordinality as row (guid, event, headers, body, received_at, place)
         order by place
         on conflict (guid) do nothing
         returning guid",
    )
    .bind(new.iter().map(|delivery| delivery.guid.as_str()).collect::<Vec<_>>())
    .bind(new.iter().map(|delivery| delivery.event.as_str()).collect::<Vec<_>>())
    .bind(new.iter().map(|delivery| &delivery.headers).collect::<Vec<_>>())
    .bind(new.iter().map(|delivery| &delivery.body[..]).collect::<Vec<_>>())
    .bind(new.iter().map(|delivery| delivery.received_at).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?
    .into_iter()
    .collect();
    let inserted = |delivery: &NewDelivery| {
        if made.remove(&delivery.guid) { Inserted::New } else { Inserted::Known }
    };
    Ok(new.iter().map(inserted).collect())
}

/// The oldest deliveries to act on, locked until the caller's transaction ends; what another
/// process holds is left out.
pub async fn received(conn: &mut PgConnection, limit: i64) -> Result<Vec<Delivery>> {
    Ok(sqlx::query_as(select!(
        "body",
        "where state = 'received' order by seq limit $1 for no key update skip locked"
    ))
    .bind(limit)
    .fetch_all(conn)
    .await?)
}

/// Ends a received delivery.
pub async fn end(
    conn: &mut PgConnection,
    guid: &str,
    end: DeliveryEnd,
    now: DateTime<Utc>,
) -> Result<()> {
    let (state, reason) = match end {
        DeliveryEnd::Done(what) => (DeliveryState::Done, what),
        DeliveryEnd::Ignored(why) => (DeliveryState::Ignored, why),
        DeliveryEnd::Failed(why) => (DeliveryState::Failed, why),
    };
    let done = sqlx::query(
        "update delivery set state = $2, reason = $3, processed_at = $4
         where guid = $1 and state = 'received'",
    )
    .bind(guid)
    .bind(state.as_str())
    .bind(reason)
    .bind(now)
    .execute(conn)
    .await?;
    met(&done, || format!("received delivery {guid}"))
}

/// Counts a try that failed in a way that may pass; answers how many there were.
pub async fn count_attempt(conn: &mut PgConnection, guid: &str) -> Result<i32> {
    sqlx::query_scalar(
        "update delivery set attempts = attempts + 1 where guid = $1 returning attempts",
    )
    .bind(guid)
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| crate::Error::not_found(format!("delivery {guid}")))
}

pub async fn find(conn: &mut PgConnection, guid: &str) -> Result<Option<Delivery>> {
    Ok(sqlx::query_as(select!("body", "where guid = $1")).bind(guid).fetch_optional(conn).await?)
}

/// Which deliveries a list is of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub state: Option<DeliveryState>,
    /// GitHub's name of the event, like `push`.
    pub event: Option<String>,
    /// Where the page before this one ended.
    pub before: Option<i64>,
    pub limit: i64,
}

/// Newest first, without bodies.
pub async fn list(
    conn: &mut PgConnection,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Delivery>> {
    search(conn, &Filter { before, limit, ..Filter::default() }).await
}

/// Those that meet the filter, newest first, without bodies.
pub async fn search(conn: &mut PgConnection, filter: &Filter) -> Result<Vec<Delivery>> {
    Ok(sqlx::query_as(select!(
        "''::bytea",
        "where seq < $1 and ($3::text is null or state = $3) and ($4::text is null or event = $4)
         order by seq desc limit $2"
    ))
    .bind(filter.before.unwrap_or(i64::MAX))
    .bind(filter.limit)
    .bind(filter.state.map(DeliveryState::as_str))
    .bind(&filter.event)
    .fetch_all(conn)
    .await?)
}

/// Gives a delivery to intake once more, as if it had just come. One that already made its build
/// makes no second (`build_delivery_key`).
pub async fn replay(conn: &mut PgConnection, guid: &str) -> Result<()> {
    let done = sqlx::query(
        "update delivery set state = 'received', processed_at = null, reason = null, attempts = 0
         where guid = $1",
    )
    .bind(guid)
    .execute(conn)
    .await?;
    met(&done, || format!("delivery {guid}"))
}
