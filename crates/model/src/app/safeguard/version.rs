//! Ranges of versions, as npm writes them (`>=1.44.0 <2.0.0`, `^3 || ^4`, `1.2 - 2.3`): the form
//! of Serverless Framework's safeguard and of `package.json`. See "semver" in npm's documentation.

use std::str::FromStr;

use semver::{Version, VersionReq};

/// Why a text is no range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no range of versions; write one like '>=3.40.0 <5.0.0' or '^3 || ^4'")]
pub struct InvalidRange {
    text: String,
}

/// A range of versions. Two are equal if they are written alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    text: String,
    any_of: Vec<VersionReq>,
}

impl Range {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a version is in the range; `None` if the text is no version.
    pub fn contains(&self, version: &str) -> Option<bool> {
        let version = Version::parse(version.trim().trim_start_matches('v')).ok()?;
        Some(self.any_of.iter().any(|range| range.matches(&version)))
    }
}

impl FromStr for Range {
    type Err = InvalidRange;

    fn from_str(text: &str) -> Result<Self, InvalidRange> {
        let any_of = text.split("||").map(alternative).collect::<Option<Vec<_>>>();
        match any_of {
            Some(any_of) if !text.trim().is_empty() => Ok(Self { text: text.to_owned(), any_of }),
            Some(_) | None => Err(InvalidRange { text: text.to_owned() }),
        }
    }
}

/// Comparators that must all hold, in the words of Rust's crate `semver`: there a comma stands
/// between them, and a bare version means what npm writes as `^`.
fn alternative(text: &str) -> Option<VersionReq> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if let [from, "-", to] = words[..] {
        return VersionReq::parse(&format!(">={}, <={}", version(from)?, version(to)?)).ok();
    }
    let mut comparators = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let written = word.trim_start_matches(['<', '>', '=', '~', '^']);
        let operator = &word[..word.len() - written.len()];
        // an operator may stand apart from its version
        let written = if written.is_empty() { words.next()? } else { written };
        if is_any(written) {
            continue;
        }
        let operator = match operator {
            "" => "=",
            "~>" => "~",
            known @ ("=" | ">" | ">=" | "<" | "<=" | "^" | "~") => known,
            _ => return None,
        };
        comparators.push(format!("{operator}{}", version(written)?));
    }
    if comparators.is_empty() {
        return (text.trim().is_empty() || text.split_whitespace().all(is_any))
            .then_some(VersionReq::STAR);
    }
    VersionReq::parse(&comparators.join(", ")).ok()
}

fn is_any(text: &str) -> bool {
    matches!(text, "*" | "x" | "X")
}

/// `v1.2.x` as `1.2`.
fn version(text: &str) -> Option<String> {
    let text = text.trim_start_matches('v');
    let parts: Vec<&str> = text.splitn(3, '.').take_while(|part| !is_any(part)).collect();
    (!parts.is_empty()).then(|| parts.join("."))
}
