//! When a stage that nobody needs is warned of and removed, and how often a removal is tried.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::app::Lifetime;

/// The longest time ahead of its end that a preview is warned of.
const LONGEST_WARNING: Duration = Duration::from_secs(24 * 60 * 60);
const FIRST_RETRY: Duration = Duration::from_secs(2 * 60);
const LAST_RETRY: Duration = Duration::from_secs(60 * 60);

/// The end of a preview, as long as nobody needs it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// Before `expires_at`: by a quarter of the lifetime, and at most by a day.
    pub warn_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

impl Expiry {
    /// Of a preview that was last needed at `active_at`. An end beyond the calendar is its last
    /// day.
    pub fn of(lifetime: Lifetime, active_at: DateTime<Utc>) -> Self {
        let later = |wait: Duration| {
            let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
            active_at.checked_add_signed(wait).unwrap_or(DateTime::<Utc>::MAX_UTC)
        };
        let whole = lifetime.duration();
        let ahead = (whole / 4).min(LONGEST_WARNING);
        Self { warn_at: later(whole - ahead), expires_at: later(whole) }
    }

    /// The same, or this end if it is later, warned of as long ahead.
    pub fn not_before(self, end: DateTime<Utc>) -> Self {
        if end <= self.expires_at {
            return self;
        }
        Self { warn_at: end - (self.expires_at - self.warn_at), expires_at: end }
    }
}

/// What the end of a personal stage's time means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndOfTime {
    /// Somebody was told that it would end.
    Remove,
    /// Nobody was: it is shown as expired, and stays until a person removes or uses it.
    Show,
}

/// A preview's end is said where its pull request is. Of a personal stage only a message to
/// whoever the app's notifications name says it ahead, so without one nothing is removed.
pub fn at_end_of_personal(told: bool) -> EndOfTime {
    if told { EndOfTime::Remove } else { EndOfTime::Show }
}

/// How long to wait after a removal that failed for the `failures`th time: two minutes, then twice
/// as long each time, at most an hour.
pub fn removal_retry(failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    FIRST_RETRY.saturating_mul(doubled).min(LAST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("1h", 45 * 60)]
    #[case("12h", 9 * 60 * 60)]
    #[case("4d", 3 * 24 * 60 * 60)]
    #[case("7d", 6 * 24 * 60 * 60)]
    fn a_preview_is_warned_of_a_quarter_of_its_time_ahead_and_at_most_a_day(
        #[case] lifetime: &str,
        #[case] warned_after: i64,
    ) {
        let lifetime: Lifetime = lifetime.parse().expect("a lifetime");
        let active_at = DateTime::UNIX_EPOCH;
        let expiry = Expiry::of(lifetime, active_at);
        assert_eq!((expiry.warn_at - active_at).num_seconds(), warned_after);
        let whole = lifetime.duration().as_secs();
        assert_eq!((expiry.expires_at - active_at).num_seconds().unsigned_abs(), whole);
    }

    #[test]
    fn a_preview_that_is_to_be_kept_longer_is_warned_of_as_long_ahead() {
        let expiry = Expiry::of("4d".parse().expect("a lifetime"), DateTime::UNIX_EPOCH);
        let day = |days| DateTime::UNIX_EPOCH + TimeDelta::days(days);
        assert_eq!(expiry.not_before(day(3)), expiry);
        assert_eq!(expiry.not_before(day(14)), Expiry { warn_at: day(13), expires_at: day(14) });
    }

    #[test]
    fn a_personal_stage_of_whose_end_nobody_was_told_is_shown_and_not_removed() {
        assert_eq!(at_end_of_personal(true), EndOfTime::Remove);
        assert_eq!(at_end_of_personal(false), EndOfTime::Show);
    }

    #[test]
    fn a_removal_is_tried_again_ever_more_seldom_and_at_least_each_hour() {
        let minutes: Vec<u64> = (0..9).map(|n| removal_retry(n).as_secs() / 60).collect();
        assert_eq!(minutes, [2, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(removal_retry(u32::MAX), LAST_RETRY);
    }
}
