//! The one place that reads the time and makes ids. Everything else is handed these.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub(crate) type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;
pub(crate) type Ids = Arc<dyn Fn() -> Uuid + Send + Sync>;

#[expect(clippy::disallowed_methods, reason = "this is where time comes in")]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

#[expect(clippy::disallowed_methods, reason = "this is where ids come in")]
pub(crate) fn new_id() -> Uuid {
    Uuid::now_v7()
}

pub(crate) fn system() -> (Clock, Ids) {
    (Arc::new(now), Arc::new(new_id))
}
