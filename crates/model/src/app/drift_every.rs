//! How often a long-lived stage's stacks are held against their templates.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Lifetime;

/// As it is written: `24h`, `7d`, or `never`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DriftEvery {
    Every(Lifetime),
    /// Only before a deploy, and when somebody asks.
    Never,
}

const NEVER: &str = "never";

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{value:?} is no interval: write a number of hours or days, like 24h or 7d (1h to 3650d), or \
     never"
)]
pub struct InvalidInterval {
    pub value: String,
}

impl FromStr for DriftEvery {
    type Err = InvalidInterval;

    fn from_str(text: &str) -> Result<Self, InvalidInterval> {
        if text == NEVER {
            return Ok(Self::Never);
        }
        let every = text.parse().map(Self::Every);
        every.map_err(|_| InvalidInterval { value: text.chars().take(40).collect() })
    }
}

impl TryFrom<String> for DriftEvery {
    type Error = InvalidInterval;

    fn try_from(text: String) -> Result<Self, InvalidInterval> {
        text.parse()
    }
}

impl From<DriftEvery> for String {
    fn from(every: DriftEvery) -> Self {
        every.to_string()
    }
}

impl fmt::Display for DriftEvery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(interval) => interval.fmt(f),
            Self::Never => f.write_str(NEVER),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_a_length_of_time_or_never() {
        for (text, shown) in [("24h", "1d"), ("12h", "12h"), ("never", "never")] {
            assert_eq!(text.parse::<DriftEvery>().expect("valid").to_string(), shown);
        }
        for text in ["", "0h", "Never", "24", "1w"] {
            let error = text.parse::<DriftEvery>().expect_err("it is none").to_string();
            assert!(error.contains("like 24h or 7d") && error.contains("or never"), "{error}");
        }
    }
}
