//! What people elsewhere are to know and were told, on the system page; any of it can be sent once
//! more.

use axum::extract::{Extension, Path, State as Extract};
use axum::response::Redirect;
use chrono::{DateTime, Utc};
use store::notification::{Notification, Standing};

use super::super::view::{Badge, Time};
use crate::api::notifications::send_again;
use crate::auth::Caller;
use crate::error::Result;
use crate::state::State;

pub(super) struct NotificationRow {
    pub(super) id: String,
    pub(super) badge: Badge,
    pub(super) headline: String,
    pub(super) app: String,
    pub(super) receiver: String,
    pub(super) error: String,
    /// When it is tried next, else when it changed last.
    pub(super) at: Time,
    /// Something waits by itself: nobody has to ask.
    pub(super) replayable: bool,
}

impl NotificationRow {
    pub(super) fn of(row: Notification, now: DateTime<Utc>) -> Self {
        let standing = row.standing();
        let (class, word) = match standing {
            Standing::Sent => ("ok", "sent".to_owned()),
            Standing::Waiting if row.attempts == 0 => ("run", "to be sent".to_owned()),
            Standing::Waiting => ("wait", format!("try {}", row.attempts + 1)),
            Standing::GivenUp => ("bad", "given up".to_owned()),
        };
        let at = match standing {
            Standing::Waiting => row.next_attempt_at,
            Standing::Sent | Standing::GivenUp => row.updated_at,
        };
        Self {
            id: row.id.to_string(),
            badge: Badge::new(class, &word),
            headline: row.message.headline,
            app: row.app.to_string(),
            receiver: row.receiver.to_string(),
            error: row.last_error.unwrap_or_default(),
            at: Time::new(at, now),
            replayable: !standing.is_waiting(),
        }
    }
}

pub(super) async fn replay(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Redirect> {
    send_again(&state, &caller, &id).await?;
    Ok(Redirect::to("/system#notifications"))
}
