//! What freezes a stage, as pages tell it.

use chrono::{DateTime, Utc};
use model::freeze::Freeze;

use super::view::Time;

pub(super) struct FrozenView {
    pub(super) reason: String,
    /// `None`: the settings.
    pub(super) by: Option<String>,
    pub(super) since: Time,
    pub(super) until: Option<Time>,
}

impl FrozenView {
    pub(super) fn of(freeze: &Freeze, now: DateTime<Utc>) -> Self {
        Self {
            reason: freeze.reason().to_owned(),
            by: freeze.by().map(str::to_owned),
            since: Time::new(freeze.since(), now),
            until: freeze.until().map(|until| Time::new(until, now)),
        }
    }
}
