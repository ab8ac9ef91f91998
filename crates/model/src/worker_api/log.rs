//! What a worker says about a chunk of a log besides its bytes: how its text begins to look, and
//! the groups of lines that began or ended in it.
//!
//! What always holds: groups are told beside the log and not in it, so nothing that a step prints
//! can be taken for one of ours, and the log stays the text that was printed. A group is told
//! whole each time, so a repeated call changes nothing.

use serde::{Deserialize, Serialize};

/// More groups in one attempt's log are not told: their lines are lines like others.
pub const MAX_LOG_GROUPS: u32 = 2000;
const LONGEST_NAME_CHARS: usize = 200;

/// Stands before the bytes of a chunk when it says anything (`&head=` and its length).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogHead {
    /// What brings a terminal to the look of the chunk's first byte
    /// ([`crate::terminal::Tracker::prelude`]).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prelude: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<LogGroup>,
}

impl LogHead {
    pub fn is_empty(&self) -> bool {
        self.prelude.is_empty() && self.groups.is_empty()
    }
}

/// Lines that belong together; lines are counted from 1 in the attempt's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogGroup {
    /// Which group of the attempt's log, from 0.
    pub ordinal: u32,
    pub kind: GroupKind,
    pub name: GroupName,
    /// The line that names it.
    pub first_line: u64,
    pub end: Option<GroupEnd>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// A command that the worker ran.
    Step,
    /// What a step put together itself: `::group::name`, as GitHub's runner understands it.
    Inner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupEnd {
    pub last_line: u64,
    pub outcome: GroupOutcome,
    pub took_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupOutcome {
    Succeeded,
    /// Of an inner group: the step failed inside it.
    Failed,
    Canceled,
}

/// A short text without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct GroupName(String);

impl GroupName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for GroupName {
    fn from(text: String) -> Self {
        let words: Vec<&str> = text
            .split(|c: char| c.is_whitespace() || c.is_control())
            .filter(|w| !w.is_empty())
            .collect();
        let mut name: String = words.join(" ");
        if let Some((end, _)) = name.char_indices().nth(LONGEST_NAME_CHARS) {
            name.truncate(end);
            name.push('…');
        }
        Self(name)
    }
}

macro_rules! words {
    ($kind:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $kind {
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words!(GroupKind { Step = "step", Inner = "inner" });
words!(GroupOutcome { Succeeded = "succeeded", Failed = "failed", Canceled = "canceled" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_has_no_control_characters() {
        let name = |text: &str| GroupName::from(text.to_owned()).0;
        assert_eq!(name("npm  run\u{0}build\n"), "npm run build");
        assert_eq!(name(&"x".repeat(500)).chars().count(), LONGEST_NAME_CHARS + 1);
        let read: GroupName = serde_json::from_str(r#""a\u001bb""#).unwrap();
        assert_eq!(read.as_str(), "a b");
    }
}
