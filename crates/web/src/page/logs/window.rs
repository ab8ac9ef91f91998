//! Which lines a page shows first.

use std::fmt;
use std::str::FromStr;

use crate::log::Group;

/// So many lines, if they are no wider than lines mostly are.
pub(super) const LINES: u64 = 200;
/// What is shown before a line that was asked for.
const BEFORE: u64 = 10;
/// What is shown behind the end of what failed.
const BEHIND: u64 = 20;

/// Lines `from` to `to`, both included, counted from 1: `120` or `120-140`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("give a line as 120, or lines as 120-140")]
pub(crate) struct BadRange;

impl FromStr for Range {
    type Err = BadRange;

    fn from_str(text: &str) -> Result<Self, BadRange> {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let line = |text: &str| text.trim().trim_start_matches('L').parse().map_err(|_| BadRange);
        let range = Self { from: line(from)?, to: line(to)? };
        if range.from >= 1 && range.from <= range.to { Ok(range) } else { Err(BadRange) }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to {
            write!(f, "{}", self.from)
        } else {
            write!(f, "{}-{}", self.from, self.to)
        }
    }
}

/// The lines to show, and which end of them counts when not all of them fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    Nothing,
    /// Its beginning counts.
    From(Range),
    /// Its end counts.
    To(Range),
}

/// What was asked for; else where it failed; else the end.
pub(super) fn choose(wanted: Option<Range>, groups: &[Group], total: u64) -> Window {
    if total == 0 {
        return Window::Nothing;
    }
    if let Some(wanted) = wanted {
        let from = wanted.from.min(total).saturating_sub(BEFORE).max(1);
        let to = (from + LINES - 1).min(total);
        return Window::From(Range { from, to });
    }
    let failed = groups.iter().filter(|group| group.has_failed()).map(|group| group.last).max();
    let to = failed.map_or(total, |last| (last + BEHIND).min(total));
    Window::To(Range { from: to.saturating_sub(LINES - 1).max(1), to })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use model::worker_api::{GroupKind, GroupOutcome};

    use super::*;
    use crate::log::GroupState;

    fn group(last: u64, outcome: GroupOutcome) -> Group {
        Group {
            id: "g1-0".into(),
            kind: GroupKind::Step,
            name: "npm test".into(),
            first: 1,
            last,
            state: GroupState::Ended { outcome, took_ms: 0 },
            began_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_range_is_one_line_or_two_in_order() {
        let range = |text: &str| text.parse::<Range>().map(|range| range.to_string()).ok();
        assert_eq!(range("120").as_deref(), Some("120"));
        assert_eq!(range("L120-L140").as_deref(), Some("120-140"));
        for bad in ["", "0", "5-4", "x", "1-2-3", "-1", "99999999999999999999"] {
            assert_eq!(range(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_end_is_shown_and_of_a_failed_job_the_end_of_what_failed() {
        let ends = [group(50, GroupOutcome::Succeeded), group(9000, GroupOutcome::Failed)];
        assert_eq!(choose(None, &[], 0), Window::Nothing);
        assert_eq!(choose(None, &ends[..1], 90), Window::To(Range { from: 1, to: 90 }));
        assert_eq!(choose(None, &ends, 99_999), Window::To(Range { from: 8821, to: 9020 }));
    }

    #[test]
    fn what_was_asked_for_is_shown_with_a_little_before_it() {
        let wanted = |text: &str| choose(text.parse().ok(), &[], 1000);
        assert_eq!(wanted("500-510"), Window::From(Range { from: 490, to: 689 }));
        assert_eq!(wanted("2"), Window::From(Range { from: 1, to: 200 }));
        assert_eq!(wanted("5000"), Window::From(Range { from: 990, to: 1000 }));
    }
}
