//! Times, commits and places as people say them.

use chrono::{DateTime, TimeDelta, Utc};

/// `3m ago`, `in 5d`, and the day where that is long.
pub(crate) fn when(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let (span, is_past) = if at <= now { (now - at, true) } else { (at - now, false) };
    if span > TimeDelta::days(30) {
        return at.format("%Y-%m-%d").to_string();
    }
    let text = match (span.num_days(), span.num_hours(), span.num_minutes()) {
        (0, 0, 0) => format!("{}s", span.num_seconds()),
        (0, 0, minutes) => format!("{minutes}m"),
        (0, hours, _) => format!("{hours}h"),
        (days, _, _) => format!("{days}d"),
    };
    if is_past { format!("{text} ago") } else { format!("in {text}") }
}

/// `1h 2m`, `3m 5s`, `42s`; nothing where it has not begun.
pub(crate) fn took(
    began: Option<DateTime<Utc>>,
    ended: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> String {
    let Some(began) = began else { return String::new() };
    let seconds = (ended.unwrap_or(now) - began).num_seconds().max(0);
    match (seconds / 3600, seconds % 3600 / 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (hours, minutes, _) => format!("{hours}h {minutes}m"),
    }
}

/// The first seven digits.
pub(crate) fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

/// A state as one says it: `remove_failed` is `remove failed`.
pub(crate) fn state(text: &str) -> String {
    text.replace('_', " ")
}

pub(crate) fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn times_are_told_from_now() {
        let now = at(100 * 86_400);
        for (before, text) in [
            (5, "5s ago"),
            (60, "1m ago"),
            (7200, "2h ago"),
            (3 * 86_400, "3d ago"),
            (31 * 86_400, "1970-03-11"),
            (-90, "in 1m"),
        ] {
            assert_eq!(when(now - TimeDelta::seconds(before), now), text);
        }
    }

    #[test]
    fn a_span_is_told_by_its_two_largest_parts() {
        for (seconds, text) in [(0, "0s"), (42, "42s"), (185, "3m 5s"), (3725, "1h 2m")] {
            assert_eq!(took(Some(at(0)), Some(at(seconds)), at(9999)), text);
        }
        assert_eq!(took(Some(at(10)), None, at(20)), "10s", "it still runs");
        assert_eq!(took(None, None, at(20)), "");
    }
}
