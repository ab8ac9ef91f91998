//! How many jobs of an app run at once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const MAX: u16 = 1000;

/// From 1 to 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Concurrency(u16);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this must be a whole number from 1 to {MAX}; leave `concurrency` out to let the workers alone \
     limit how many jobs run at once"
)]
pub struct InvalidConcurrency;

impl Concurrency {
    pub fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Concurrency {
    type Error = InvalidConcurrency;

    fn try_from(number: u16) -> Result<Self, InvalidConcurrency> {
        if (1..=MAX).contains(&number) { Ok(Self(number)) } else { Err(InvalidConcurrency) }
    }
}

impl FromStr for Concurrency {
    type Err = InvalidConcurrency;

    fn from_str(text: &str) -> Result<Self, InvalidConcurrency> {
        if !text.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(InvalidConcurrency);
        }
        text.parse::<u16>().map_err(|_| InvalidConcurrency)?.try_into()
    }
}

impl From<Concurrency> for u16 {
    fn from(concurrency: Concurrency) -> Self {
        concurrency.0
    }
}

impl fmt::Display for Concurrency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("1", Some(1))]
    #[case("1000", Some(1000))]
    #[case("0", None)]
    #[case("1001", None)]
    #[case("70000", None)]
    #[case("+4", None)]
    #[case("4.0", None)]
    #[case("", None)]
    fn concurrency_is_a_whole_number_from_1_to_1000(
        #[case] text: &str,
        #[case] expected: Option<u16>,
    ) {
        assert_eq!(text.parse::<Concurrency>().ok().map(Concurrency::get), expected);
    }
}
