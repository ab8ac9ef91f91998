//! What a rule matches branches or tags with: one name, or a glob.
//!
//! What always holds: a pattern without any of `*?[{` is a name and matches itself alone; a glob
//! compiles.

use std::str::FromStr;

use globset::{Glob, GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};

use crate::InvalidName;

/// Any of these makes a pattern a glob. Git allows only `{` in a name.
const GLOB_CHARACTERS: [char; 4] = ['*', '?', '[', '{'];
/// As long as the longest name it could match; it also bounds what is compiled.
const MAX_GLOB_BYTES: usize = 255;

/// `N` is the type of the names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "String",
    into = "String",
    bound(serialize = "N: Clone + Into<String>", deserialize = "N: FromStr<Err = InvalidName>")
)]
pub enum RefPattern<N> {
    Name(N),
    Glob(RefGlob),
}

/// `*` is any run of characters, slashes too; `?`, `[…]` and `{…,…}` as globs have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefGlob(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRefPattern {
    #[error("the pattern is empty and matches nothing; write a name, or a pattern like release/*")]
    Empty,
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error("this is no pattern ({problem}); write one like release/* or v*")]
    Glob { problem: String },
}

impl<N: PartialEq + AsRef<str>> RefPattern<N> {
    pub fn matches(&self, name: &N) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Glob(glob) => glob.matches(name.as_ref()),
        }
    }
}

impl<N: AsRef<str>> RefPattern<N> {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Name(name) => name.as_ref(),
            Self::Glob(RefGlob(text)) => text,
        }
    }
}

impl RefGlob {
    fn matches(&self, name: &str) -> bool {
        compile(&self.0).is_ok_and(|glob| glob.is_match(name))
    }
}

impl FromStr for RefGlob {
    type Err = InvalidRefPattern;

    fn from_str(text: &str) -> Result<Self, InvalidRefPattern> {
        if text.len() > MAX_GLOB_BYTES {
            let problem = format!("it has more than {MAX_GLOB_BYTES} bytes");
            return Err(InvalidRefPattern::Glob { problem });
        }
        match compile(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(InvalidRefPattern::Glob { problem: error.kind().to_string() }),
        }
    }
}

fn compile(text: &str) -> Result<GlobMatcher, globset::Error> {
    GlobBuilder::new(text).literal_separator(false).build().map(|glob: Glob| glob.compile_matcher())
}

impl<N: FromStr<Err = InvalidName>> FromStr for RefPattern<N> {
    type Err = InvalidRefPattern;

    fn from_str(text: &str) -> Result<Self, InvalidRefPattern> {
        if text.is_empty() {
            Err(InvalidRefPattern::Empty)
        } else if text.contains(GLOB_CHARACTERS) {
            text.parse().map(Self::Glob)
        } else {
            Ok(Self::Name(text.parse()?))
        }
    }
}

impl<N: FromStr<Err = InvalidName>> TryFrom<String> for RefPattern<N> {
    type Error = InvalidRefPattern;

    fn try_from(text: String) -> Result<Self, InvalidRefPattern> {
        text.parse()
    }
}

impl<N: Into<String>> From<RefPattern<N>> for String {
    fn from(pattern: RefPattern<N>) -> Self {
        match pattern {
            RefPattern::Name(name) => name.into(),
            RefPattern::Glob(RefGlob(text)) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BranchName;
    use rstest::rstest;

    #[rstest]
    #[case("master", "master", true)]
    #[case("master", "master2", false)]
    #[case("release.1", "releaseX1", false)]
    #[case("release/*", "release/1.0", true)]
    #[case("release/*", "release/1.0/fix", true)]
    #[case("release/*", "release", false)]
    #[case("*", "any/branch", true)]
    #[case("v?", "v1", true)]
    #[case("v[0-9]", "vx", false)]
    #[case("{main,master}", "master", true)]
    #[case("{main,master}", "next", false)]
    #[case("Release/*", "release/1", false)]
    fn a_pattern_matches_its_name_or_what_its_glob_says(
        #[case] pattern: &str,
        #[case] branch: &str,
        #[case] expected: bool,
    ) {
        let pattern: RefPattern<BranchName> = pattern.parse().expect("a pattern");
        assert_eq!(pattern.matches(&branch.parse().expect("a branch")), expected);
    }

    #[rstest]
    #[case("", "the pattern is empty")]
    #[case("a b", "\"a b\" is not a valid branch name")]
    #[case("v[", "this is no pattern (unclosed character class")]
    #[case("{a", "this is no pattern (unclosed alternate group")]
    fn what_is_no_pattern_says_why(#[case] text: &str, #[case] expected: &str) {
        let error = text.parse::<RefPattern<BranchName>>().expect_err("it is none");
        assert!(error.to_string().starts_with(expected), "{error}");
    }

    #[test]
    fn a_glob_longer_than_any_name_is_refused() {
        let error = "*".repeat(256).parse::<RefPattern<BranchName>>().expect_err("too long");
        assert!(error.to_string().contains("255 bytes"), "{error}");
        assert!("{a,b}".repeat(51).parse::<RefPattern<BranchName>>().is_ok());
    }
}
