//! The `freeze:` of a stage: times at which nothing is deployed to it, and why.
//!
//! The form of a time is that of the safeguard `restricted-deploy-times`. A safeguard refuses a
//! deploy; a freeze makes it wait until the time is over.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::safeguard::{ClosedTime, TIME_KEYS, closed_time};
use crate::document::Cursor;

/// A time that may come again, at which deploys to the stage wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreezeWindow {
    #[serde(flatten)]
    pub closed: ClosedTime,
    /// Shown to whoever waits; never empty.
    pub reason: String,
}

impl FreezeWindow {
    /// When the window that `now` lies in ends; `None` while the stage is open.
    pub fn frozen_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.closed.closed_until(now)
    }
}

/// A list of windows, or one.
pub(super) fn freeze(place: &Cursor<'_>) -> Option<Vec<FreezeWindow>> {
    if place.is_map() {
        return Some(vec![window(place)?]);
    }
    let windows: Vec<Option<FreezeWindow>> = place.items()?.iter().map(window).collect();
    windows.into_iter().collect()
}

fn window(place: &Cursor<'_>) -> Option<FreezeWindow> {
    let [time, duration, interval] = TIME_KEYS;
    let fields = place.fields(&[time, duration, interval, "reason"])?;
    let closed = closed_time(&fields, place);
    let reason = fields
        .required("reason", "say why nothing is deployed then; whoever waits will read it")
        .and_then(reason);
    Some(FreezeWindow { closed: closed?, reason: reason? })
}

fn reason(place: &Cursor<'_>) -> Option<String> {
    let reason = place.text()?.trim();
    if reason.is_empty() {
        place.problem("the reason is empty; say why nothing is deployed then");
        return None;
    }
    Some(reason.to_owned())
}
