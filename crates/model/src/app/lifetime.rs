//! How long something is kept, waited for or left alone: `7d`, `12h`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

const HOURS_PER_DAY: u32 = 24;
const SECONDS_PER_HOUR: u64 = 60 * 60;
const MAX_HOURS: u32 = 3650 * HOURS_PER_DAY;

/// A whole number of hours, at least one. Shown in days where that is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lifetime {
    hours: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{value:?} is no length of time: write a number of days or hours, like 7d or 12h (1h to 3650d)"
)]
pub struct InvalidLifetime {
    pub value: String,
}

impl Lifetime {
    pub(super) const fn days(days: u32) -> Self {
        Self { hours: days * HOURS_PER_DAY }
    }

    pub fn duration(self) -> Duration {
        Duration::from_secs(u64::from(self.hours) * SECONDS_PER_HOUR)
    }
}

impl FromStr for Lifetime {
    type Err = InvalidLifetime;

    fn from_str(text: &str) -> Result<Self, InvalidLifetime> {
        let days = text.strip_suffix('d').map(|number| (number, HOURS_PER_DAY));
        days.or_else(|| text.strip_suffix('h').map(|number| (number, 1)))
            .filter(|(number, _)| number.bytes().all(|digit| digit.is_ascii_digit()))
            .and_then(|(number, unit)| number.parse::<u32>().ok()?.checked_mul(unit))
            .filter(|hours| (1..=MAX_HOURS).contains(hours))
            .map(|hours| Self { hours })
            .ok_or_else(|| InvalidLifetime { value: text.chars().take(40).collect() })
    }
}

impl TryFrom<String> for Lifetime {
    type Error = InvalidLifetime;

    fn try_from(text: String) -> Result<Self, InvalidLifetime> {
        text.parse()
    }
}

impl From<Lifetime> for String {
    fn from(lifetime: Lifetime) -> Self {
        lifetime.to_string()
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.hours.is_multiple_of(HOURS_PER_DAY) {
            write!(f, "{}d", self.hours / HOURS_PER_DAY)
        } else {
            write!(f, "{}h", self.hours)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("7d", Some(7 * 24))]
    #[case("12h", Some(12))]
    #[case("0h", None)]
    #[case("+7d", None)]
    #[case("7", None)]
    #[case("d", None)]
    #[case("7 days", None)]
    #[case("99999999999d", None)]
    fn a_lifetime_is_a_number_of_days_or_hours(#[case] text: &str, #[case] hours: Option<u64>) {
        let seconds = text.parse::<Lifetime>().ok().map(|lifetime| lifetime.duration().as_secs());
        assert_eq!(seconds, hours.map(|hours| hours * 3600));
    }

    #[test]
    fn a_lifetime_is_shown_as_it_can_be_read_again() {
        for (text, shown) in [("48h", "2d"), ("12h", "12h"), ("7d", "7d")] {
            assert_eq!(text.parse::<Lifetime>().expect("valid").to_string(), shown);
        }
    }
}
