//! `restricted-deploy-times`: when nothing is deployed.
//!
//! Unlike the plugin's, a time without an offset is in UTC, wherever the worker stands.

use chrono::{DateTime, SecondsFormat, Utc};

use super::Violation;
use crate::app::safeguard::ClosedTime;

/// One finding: that of the closed time which ends last.
pub(super) fn check(times: &[ClosedTime], now: DateTime<Utc>) -> Vec<Violation> {
    let closed = times.iter().filter_map(|time| Some((time.closed_until(now)?, time)));
    let last = closed.max_by_key(|(end, _)| *end);
    last.map(|(end, time)| {
        let shown = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let again = time.interval().map(|interval| format!(", every {}", interval.as_str()));
        Violation {
            place: "time of the deploy".to_owned(),
            problem: format!(
                "nothing is deployed at {}: the time from {} for {}{} is closed",
                shown(now),
                time.time().as_str(),
                time.duration().as_str(),
                again.unwrap_or_default(),
            ),
            remedy: format!("start the deploy again at {} or later", shown(end)),
        }
    })
    .into_iter()
    .collect()
}
