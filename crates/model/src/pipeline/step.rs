//! One command of a service, and how long it may take.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A command line for the shell: in a file a text, or `{ run: TEXT, timeout: 20m }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub run: String,
    /// Absent: the worker's own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Timeout>,
}

impl Step {
    pub fn new(run: impl Into<String>) -> Self {
        Self { run: run.into(), timeout: None }
    }
}

/// Whole seconds, written like `90s`, `20m` or `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timeout {
    seconds: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given:?} is no time limit; write one from 1s to {}h like 90s, 20m or 2h",
    Timeout::MAX_HOURS
)]
pub struct InvalidTimeout {
    given: String,
}

impl Timeout {
    const MAX_HOURS: u32 = 12;

    pub fn duration(self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }
}

impl FromStr for Timeout {
    type Err = InvalidTimeout;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidTimeout { given: text.to_owned() };
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = match &text[digits.len()..] {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(invalid()),
        };
        let count: u32 = digits.parse().map_err(|_| invalid())?;
        let seconds = count.checked_mul(unit).ok_or_else(invalid)?;
        if seconds == 0 || seconds > Self::MAX_HOURS * 3600 {
            return Err(invalid());
        }
        Ok(Self { seconds })
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            seconds if seconds % 3600 == 0 => write!(f, "{}h", seconds / 3600),
            seconds if seconds % 60 == 0 => write!(f, "{}m", seconds / 60),
            seconds => write!(f, "{seconds}s"),
        }
    }
}

impl TryFrom<String> for Timeout {
    type Error = InvalidTimeout;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Timeout> for String {
    fn from(timeout: Timeout) -> Self {
        timeout.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("90s", "90s")]
    #[case("60s", "1m")]
    #[case("120m", "2h")]
    fn a_time_limit_is_read_and_shown(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(text.parse::<Timeout>().expect("it is one").to_string(), shown);
    }

    #[rstest]
    #[case("")]
    #[case("20")]
    #[case("m")]
    #[case("0s")]
    #[case("13h")]
    #[case("-1s")]
    #[case("4294967295h")]
    #[case("1.5h")]
    fn what_is_no_time_limit_says_how_one_is_written(#[case] text: &str) {
        let error = text.parse::<Timeout>().expect_err("it is none");
        assert!(error.to_string().contains("20m"), "{error}");
    }
}
