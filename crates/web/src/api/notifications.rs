//! What people elsewhere are to know and were told: listed, and sent once more.

use axum::Json;
use axum::extract::{Extension, Path, State as Extract};
use chrono::{DateTime, Utc};
use model::{AppName, ReceiverName};
use serde::Serialize;
use serde_json::json;
use store::audit::Deed;
use store::notification::Notification;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::openapi::wire;
use crate::state::State;

const SHOWN: i64 = 100;

#[derive(Serialize, ToSchema)]
pub(super) struct Notifications {
    notifications: Vec<NotificationView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Notification)]
pub(super) struct NotificationView {
    id: Uuid,
    #[schema(value_type = wire::AppName)]
    app: AppName,
    #[schema(value_type = wire::ReceiverName)]
    receiver: ReceiverName,
    /// What it is about, within its app.
    thing: String,
    event: &'static str,
    headline: String,
    #[schema(value_type = wire::MessageState)]
    state: &'static str,
    /// How often its newest version was tried in vain.
    attempts: i32,
    error: Option<String>,
    /// When it is tried next, if it is.
    next_attempt_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
}

impl From<Notification> for NotificationView {
    fn from(row: Notification) -> Self {
        let standing = row.standing();
        Self {
            id: row.id,
            app: row.app,
            receiver: row.receiver,
            thing: row.subject,
            event: row.message.event.as_str(),
            headline: row.message.headline,
            state: standing.as_str(),
            attempts: row.attempts,
            error: row.last_error,
            next_attempt_at: standing.is_waiting().then_some(row.next_attempt_at),
            updated_at: row.updated_at,
        }
    }
}

/// What people elsewhere are to know and were told
///
/// What waits or was given up comes first, then the newest; a hundred at most.
#[utoipa::path(
    get,
    path = "/system/notifications",
    operation_id = "listNotifications",
    tag = "system",
    responses(
        (status = 200, description = "The messages", body = Notifications),
    ),
)]
pub(super) async fn list(Extract(state): Extract<State>) -> Result<Json<Notifications>> {
    let mut conn = state.db.acquire().await?;
    let found = store::notification::newest(&mut conn, SHOWN).await?;
    Ok(Json(Notifications { notifications: found.into_iter().map(Into::into).collect() }))
}

/// Send a message once more
///
/// Its newest version, under the id that it had.
#[utoipa::path(
    post,
    path = "/system/notifications/{id}/replay",
    operation_id = "replayNotification",
    tag = "system",
    responses(
        (status = 200, description = "The message", body = NotificationView),
    ),
)]
pub(super) async fn replay(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<NotificationView>> {
    Ok(Json(send_again(&state, &caller, &id).await?.into()))
}

/// The newest version once more, under the id that it had.
pub(crate) async fn send_again(state: &State, caller: &Caller, id: &str) -> Result<Notification> {
    let id: Uuid = segment("notification", id)?;
    let mut tx = state.db.begin().await?;
    let row = store::notification::replay(&mut tx, id, state.now()).await?;
    let detail = json!({
        "notification": id, "receiver": row.receiver, "thing": row.subject,
    });
    let did = Did::new(Deed::Replay, &row.app).detail(detail);
    audit::record(state, &mut tx, caller, did).await?;
    tx.commit().await.map_err(Error::internal)?;
    Ok(row)
}
