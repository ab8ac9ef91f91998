//! The stand-in's own clock and ids. It plays a machine that is not ours, so it reads the wall
//! clock, and its random ids have GitHub's form.

use chrono::{DateTime, Utc};
use uuid::Uuid;

#[expect(
    clippy::disallowed_methods,
    reason = "GitHub has a clock of its own, that no test of ours can move"
)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

#[expect(clippy::disallowed_methods, reason = "GitHub's delivery GUIDs are not ordered by time")]
pub(crate) fn guid() -> Uuid {
    Uuid::new_v4()
}
