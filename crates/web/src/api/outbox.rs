//! What GitHub was not told yet, and why; and telling it at once.

use axum::Json;
use axum::extract::{Extension, State as Extract};
use chrono::{DateTime, Utc};
use model::RepositoryName;
use serde::Serialize;
use serde_json::json;
use store::audit::Deed;
use store::outbox::{OutboxRow, Wish};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::openapi::wire;
use crate::state::State;

const SHOWN: i64 = 100;

#[derive(Serialize, ToSchema)]
pub(super) struct Outbox {
    messages: Vec<OutboxView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OutboxMessage)]
struct OutboxView {
    id: Uuid,
    #[schema(value_type = wire::RepositoryName)]
    repository: RepositoryName,
    /// What is to be shown there, in words.
    wish: String,
    attempts: i32,
    error: Option<String>,
    /// `null`: GitHub refused it, and it is not tried again.
    next_attempt_at: Option<DateTime<Utc>>,
    rejected_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
}

impl From<OutboxRow> for OutboxView {
    fn from(row: OutboxRow) -> Self {
        Self {
            id: row.id,
            wish: words(&row.wish),
            repository: row.repository,
            attempts: row.attempts,
            error: row.last_error,
            next_attempt_at: row.rejected_at.is_none().then_some(row.next_attempt_at),
            rejected_at: row.rejected_at,
            updated_at: row.updated_at,
        }
    }
}

fn words(wish: &Wish) -> String {
    match wish {
        Wish::Status(wish) => {
            let (commit, status) = (wish.commit.short(), &wish.status);
            format!("status {} of {commit}: {}", status.context, status.state.as_str())
        }
        Wish::Comment(wish) => format!("comment on #{}", wish.pull_request),
        Wish::Deployment(wish) => format!(
            "deployment of build {} to {}: {}",
            wish.build,
            wish.environment,
            wish.state.as_str()
        ),
        Wish::Reaction(wish) => {
            format!("reaction {} on #{}", wish.content.as_str(), wish.pull_request)
        }
    }
}

/// What GitHub was not told yet
///
/// What changed last comes first; a hundred at most.
#[utoipa::path(
    get,
    path = "/system/outbox",
    operation_id = "listOutbox",
    tag = "system",
    responses((status = 200, description = "The messages", body = Outbox)),
)]
pub(super) async fn list(Extract(state): Extract<State>) -> Result<Json<Outbox>> {
    let mut conn = state.db.acquire().await?;
    let found = store::outbox::troubled(&mut conn, SHOWN).await?;
    Ok(Json(Outbox { messages: found.into_iter().map(Into::into).collect() }))
}

#[derive(Serialize, ToSchema)]
pub(super) struct Hurried {
    /// How many are tried at once.
    count: u64,
}

/// Tell GitHub at once what waits for its next try
#[utoipa::path(
    post,
    path = "/system/outbox/hurry",
    operation_id = "hurryOutbox",
    tag = "system",
    responses((status = 200, description = "How many there are", body = Hurried)),
)]
pub(super) async fn hurry(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Hurried>> {
    Ok(Json(Hurried { count: hurry_up(&state, &caller).await? }))
}

pub(crate) async fn hurry_up(state: &State, caller: &Caller) -> Result<u64> {
    let mut tx = state.db.begin().await?;
    let count = store::system::hurry(&mut tx, state.now()).await?;
    let did = Did::of_server(Deed::Hurry).detail(json!({ "count": count }));
    audit::record(state, &mut tx, caller, did).await?;
    tx.commit().await.map_err(Error::internal)?;
    state.signals.wake_engine();
    Ok(count)
}
