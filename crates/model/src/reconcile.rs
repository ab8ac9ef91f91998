//! Reconciling: what was lost on the way from GitHub to the server is found again. Here: its parts,
//! and how they are said to fare. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What is held against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(
    feature = "sqlx",
    derive(sqlx::Type),
    sqlx(type_name = "text", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// GitHub's failed deliveries with those that are here.
    Deliveries,
    /// Heads of branches with what was built of them.
    Branches,
    /// Open pull requests and live branches with previews.
    PullRequests,
}

impl Part {
    pub const ALL: [Self; 3] = [Self::Deliveries, Self::Branches, Self::PullRequests];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deliveries => "deliveries",
            Self::Branches => "branches",
            Self::PullRequests => "pull_requests",
        }
    }
}

/// How something that is done again and again fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    Ok,
    /// It is not done, and somebody wants it so or can change it.
    Off,
    /// The last look failed; an earlier one did not, and not long ago.
    Degraded,
    /// It has failed for long, or always.
    Failing,
}

/// Looks that may fail in a row before it is called failing.
const LOOKS: u32 = 3;

impl Health {
    /// By the last look that went well and the last one that did not; `every`: how often one is due.
    pub fn of(
        succeeded_at: Option<DateTime<Utc>>,
        failed_at: Option<DateTime<Utc>>,
        every: Duration,
    ) -> Self {
        match (succeeded_at, failed_at) {
            (_, None) => Self::Ok,
            (Some(succeeded), Some(failed)) if succeeded >= failed => Self::Ok,
            (Some(succeeded), Some(failed)) => {
                let failing = (failed - succeeded).to_std().unwrap_or_default();
                if failing < every.saturating_mul(LOOKS) { Self::Degraded } else { Self::Failing }
            }
            (None, Some(_)) => Self::Failing,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Off => "off",
            Self::Degraded => "degraded",
            Self::Failing => "failing",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(300);

    fn health(succeeded: Option<i64>, failed: Option<i64>) -> Health {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        Health::of(succeeded.map(at), failed.map(at), EVERY)
    }

    #[test]
    fn one_failed_look_degrades_and_a_row_of_them_fails() {
        assert_eq!(health(Some(1000), None), Health::Ok);
        assert_eq!(health(Some(1000), Some(700)), Health::Ok);
        assert_eq!(health(Some(1000), Some(1300)), Health::Degraded);
        assert_eq!(health(Some(1000), Some(1900)), Health::Failing);
    }

    #[test]
    fn what_never_went_well_is_failing() {
        assert_eq!(health(None, Some(1)), Health::Failing);
    }
}
