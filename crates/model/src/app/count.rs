//! Whole numbers that a file sets as limits: how many jobs run at once, how many previews live.
//!
//! What always holds: a value of these types is from 1 to 1000, however it was made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const MAX: u16 = 1000;

macro_rules! count {
    ($($(#[$doc:meta])* $name:ident, $invalid:ident, $otherwise:literal);+ $(;)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "u16", into = "u16")]
        pub struct $name(u16);

        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        #[error("this must be a whole number from 1 to {MAX}; {}", $otherwise)]
        pub struct $invalid;

        impl $name {
            pub fn get(self) -> u16 {
                self.0
            }
        }

        impl TryFrom<u16> for $name {
            type Error = $invalid;

            fn try_from(number: u16) -> Result<Self, $invalid> {
                if (1..=MAX).contains(&number) { Ok(Self(number)) } else { Err($invalid) }
            }
        }

        impl FromStr for $name {
            type Err = $invalid;

            fn from_str(text: &str) -> Result<Self, $invalid> {
                if !text.bytes().all(|digit| digit.is_ascii_digit()) {
                    return Err($invalid);
                }
                text.parse::<u16>().map_err(|_| $invalid)?.try_into()
            }
        }

        impl From<$name> for u16 {
            fn from(count: $name) -> Self {
                count.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

count! {
    /// How many jobs of an app run at once.
    Concurrency, InvalidConcurrency,
        "leave `concurrency` out to let the workers alone limit how many jobs run at once";
    /// How many previews of an app live at once.
    PreviewLimit, InvalidPreviewLimit,
        "leave `preview_limit` out to give every pull request its preview";
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
    fn a_limit_is_a_whole_number_from_1_to_1000(#[case] text: &str, #[case] expected: Option<u16>) {
        assert_eq!(text.parse::<Concurrency>().ok().map(Concurrency::get), expected);
        assert_eq!(text.parse::<PreviewLimit>().ok().map(PreviewLimit::get), expected);
    }
}
