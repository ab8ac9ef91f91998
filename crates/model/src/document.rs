//! A file that a user wrote, read so that every mistake in it can be named with its place.
//!
//! YAML and JSON become the same tree of [`Node`]s, each with its line where it has one; a
//! [`Cursor`] walks the tree and collects [`Problem`]s instead of stopping at the first.
//!
//! What always holds: no problem repeats a value that could be a secret; a text of any size or
//! depth ends in a tree or in problems, never in a crash.

mod cursor;
mod json;
mod yaml;

use std::fmt;

pub(crate) use cursor::{Cursor, Fields, read};
pub(crate) use json::from_json;
pub(crate) use yaml::from_yaml;

/// The longest text that is read at all.
const MAX_TEXT_BYTES: usize = 256 * 1024;

/// One thing to mend: where it stands, what is wrong and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The path of the key, like `stages.prod.profile`; empty for the file as a whole.
    pub key: String,
    /// Counted from 1; `None` when the text came as JSON.
    pub line: Option<usize>,
    pub message: String,
}

impl Problem {
    /// The problem as one line of a command's output: `file:line: key: message`.
    pub fn located(&self, file: &str) -> String {
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{file}{line}: {}", self.sentence())
    }

    fn sentence(&self) -> String {
        if self.key.is_empty() {
            self.message.clone()
        } else {
            format!("{}: {}", self.key, self.message)
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.sentence())
    }
}

/// A value of the file. `Debug` is left out: a value may be a secret.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) line: Option<usize>,
    pub(crate) content: Content,
}

#[derive(Clone)]
pub(crate) enum Content {
    Null,
    Scalar {
        /// As the user wrote it: `1.10` stays `1.10`.
        text: String,
        kind: ScalarKind,
    },
    List(Vec<Node>),
    Map(Vec<Pair>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScalarKind {
    Text,
    Number,
    Bool,
}

/// A key with its value; keys of one map are distinct.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) key: String,
    pub(crate) line: Option<usize>,
    pub(crate) value: Node,
}

impl Content {
    fn describe(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Scalar { kind: ScalarKind::Text, .. } => "text",
            Self::Scalar { kind: ScalarKind::Number, .. } => "a number",
            Self::Scalar { kind: ScalarKind::Bool, .. } => "true or false",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

#[cfg(test)]
mod tests;
