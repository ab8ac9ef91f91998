//! A frozen stage: deploys to it wait. By a person, until somebody ends it or its time is over; or
//! by a window of the stage's settings.
//!
//! What always holds: a freeze holds deploys alone. A rollback, a removal and the recovery of a
//! stuck stack go on: they are what a freeze is often for.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::app::FreezeWindow;

/// A freeze by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// Shown to whoever waits; never empty.
    pub reason: String,
    pub by: String,
    pub since: DateTime<Utc>,
    /// `None`: until somebody ends it.
    pub until: Option<DateTime<Utc>>,
}

impl Frozen {
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// What keeps a stage from taking deploys at some moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freeze {
    ByHand(Frozen),
    Window { reason: String, since: DateTime<Utc>, until: DateTime<Utc> },
}

impl Freeze {
    pub fn reason(&self) -> &str {
        match self {
            Self::ByHand(frozen) => &frozen.reason,
            Self::Window { reason, .. } => reason,
        }
    }

    /// Who froze it; `None`: the settings.
    pub fn by(&self) -> Option<&str> {
        match self {
            Self::ByHand(frozen) => Some(&frozen.by),
            Self::Window { .. } => None,
        }
    }

    pub fn since(&self) -> DateTime<Utc> {
        match self {
            Self::ByHand(frozen) => frozen.since,
            Self::Window { since, .. } => *since,
        }
    }

    pub fn until(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::ByHand(frozen) => frozen.until,
            Self::Window { until, .. } => Some(*until),
        }
    }

    /// For people: `frozen by ann until 2026-12-27T00:00:00Z: no deploys over Christmas`.
    pub fn sentence(&self) -> String {
        let by = self.by().map_or_else(|| " by the settings".to_owned(), |by| format!(" by {by}"));
        let until = self
            .until()
            .map(|until| format!(" until {}", until.to_rfc3339_opts(SecondsFormat::Secs, true)));
        format!("frozen{by}{}: {}", until.unwrap_or_default(), self.reason())
    }
}

/// Everything that freezes a stage now, what ends last first.
pub fn in_force(
    by_hand: Option<&Frozen>,
    windows: &[FreezeWindow],
    now: DateTime<Utc>,
) -> Vec<Freeze> {
    let by_hand = by_hand.filter(|frozen| frozen.holds(now)).cloned().map(Freeze::ByHand);
    let windows = windows.iter().filter_map(|window| {
        let (since, until) = window.closed.around(now)?;
        Some(Freeze::Window { reason: window.reason.clone(), since, until })
    });
    let mut all: Vec<Freeze> = by_hand.into_iter().chain(windows).collect();
    let end = |freeze: &Freeze| freeze.until().unwrap_or(DateTime::<Utc>::MAX_UTC);
    all.sort_by_key(|freeze| std::cmp::Reverse(end(freeze)));
    all
}

/// The next moment after `now` at which [`in_force`] may answer something else by the time alone.
pub fn changes_after(
    by_hand: Option<&Frozen>,
    windows: &[FreezeWindow],
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let by_hand = by_hand.and_then(|frozen| frozen.until).filter(|until| now < *until);
    let windows = windows.iter().filter_map(|window| window.closed.changes_after(now));
    by_hand.into_iter().chain(windows).min()
}

#[cfg(test)]
mod tests;
