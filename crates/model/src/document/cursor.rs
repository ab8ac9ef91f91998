//! Walks a tree of nodes, and keeps the path, the line and the list of problems.
//!
//! Every method that answers `None` has already noted why: callers go on with the next key, so
//! that one look at the output is enough to mend the whole file.

use std::cell::RefCell;
use std::fmt::Display;
use std::str::FromStr;

use super::{Content, Node, Problem, ScalarKind};

/// Reads a whole tree with `reader`. What it answers counts only if no problem was noted.
pub(crate) fn read<T>(
    root: &Node,
    reader: impl FnOnce(&Cursor<'_>) -> Option<T>,
) -> Result<T, Vec<Problem>> {
    let problems = RefCell::new(Vec::new());
    let cursor = Cursor { node: root, path: String::new(), line: root.line, problems: &problems };
    let value = reader(&cursor);
    let mut problems = problems.into_inner();
    // a stable sort: problems of one line keep the order in which they were found
    problems.sort_by_key(|problem| problem.line);
    match value {
        Some(value) if problems.is_empty() => Ok(value),
        Some(_) | None => Err(problems),
    }
}

/// One node and its place.
pub(crate) struct Cursor<'a> {
    node: &'a Node,
    path: String,
    line: Option<usize>,
    problems: &'a RefCell<Vec<Problem>>,
}

/// One entry of a map whose keys are the user's own.
pub(crate) struct Entry<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: Cursor<'a>,
}

/// A map with a fixed set of keys.
pub(crate) struct Fields<'a> {
    place: Cursor<'a>,
    entries: Vec<Entry<'a>>,
}

impl<'a> Cursor<'a> {
    pub(crate) fn problem(&self, message: impl Into<String>) {
        self.problems.borrow_mut().push(Problem {
            key: self.path.clone(),
            line: self.line,
            message: message.into(),
        });
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.node.content, Content::Null)
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self.node.content, Content::Map(_))
    }

    /// The scalar as it was written, of whatever kind; `None`, silently, for anything else.
    pub(crate) fn scalar(&self) -> Option<&'a str> {
        match &self.node.content {
            Content::Scalar { text, .. } => Some(text),
            Content::Null | Content::List(_) | Content::Map(_) => None,
        }
    }

    /// A text of the user's own making: what looks like a number or a truth value is refused,
    /// for it is rarely meant.
    pub(crate) fn text(&self) -> Option<&'a str> {
        match &self.node.content {
            Content::Scalar { text, kind: ScalarKind::Text } => Some(text),
            Content::Scalar { kind: ScalarKind::Number | ScalarKind::Bool, .. } => {
                self.problem(format!(
                    "this is {}, and text is wanted; put it in quotes if it is meant",
                    self.node.content.describe()
                ));
                None
            }
            Content::Null | Content::List(_) | Content::Map(_) => {
                self.wrong_kind("text");
                None
            }
        }
    }

    /// A scalar that follows the rule of its type.
    pub(crate) fn parse<T: FromStr<Err: Display>>(&self) -> Option<T> {
        let Some(text) = self.scalar() else {
            self.wrong_kind("text");
            return None;
        };
        self.parsed(text)
    }

    /// Parses a text of this place, such as its key.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&self, text: &str) -> Option<T> {
        text.parse().map_err(|error: T::Err| self.problem(error.to_string())).ok()
    }

    /// A map with exactly the `known` keys, some of which may be missing.
    pub(crate) fn fields(&self, known: &[&str]) -> Option<Fields<'a>> {
        let mut entries = self.entries()?;
        entries.retain(|entry| {
            let is_known = known.contains(&entry.key);
            if !is_known {
                entry
                    .value
                    .problem(format!("this key is not known here; known are {}", known.join(", ")));
            }
            is_known
        });
        Some(Fields { place: self.again(), entries })
    }

    /// A map whose keys are the user's own.
    pub(crate) fn entries(&self) -> Option<Vec<Entry<'a>>> {
        let Content::Map(pairs) = &self.node.content else {
            self.wrong_kind("a map");
            return None;
        };
        let entries = pairs.iter().map(|pair| {
            let key: String = pair.key.chars().take(80).collect();
            let path = if self.path.is_empty() { key } else { format!("{}.{key}", self.path) };
            let value =
                Cursor { node: &pair.value, path, line: pair.line, problems: self.problems };
            Entry { key: &pair.key, value }
        });
        Some(entries.collect())
    }

    pub(crate) fn items(&self) -> Option<Vec<Cursor<'a>>> {
        let Content::List(items) = &self.node.content else {
            self.wrong_kind("a list");
            return None;
        };
        let items = items.iter().enumerate().map(|(position, item)| Cursor {
            node: item,
            path: format!("{}[{position}]", self.path),
            line: item.line,
            problems: self.problems,
        });
        Some(items.collect())
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let found = words.iter().find(|(word, _)| self.scalar() == Some(word));
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.problem(format!("this must be one of: {}", known.join(", ")));
        }
        found.map(|(_, value)| *value)
    }

    /// A list each item of which follows the rule of its type.
    pub(crate) fn list<T: FromStr<Err: Display>>(&self) -> Option<Vec<T>> {
        let items: Vec<Option<T>> = self.items()?.iter().map(Cursor::parse).collect();
        items.into_iter().collect()
    }

    fn again(&self) -> Self {
        Self { node: self.node, path: self.path.clone(), line: self.line, problems: self.problems }
    }

    fn wrong_kind(&self, wanted: &str) {
        self.problem(format!("this must be {wanted}, and is {}", self.node.content.describe()));
    }
}

impl<'a> Fields<'a> {
    /// The value of a key that may be missing; written without a value it counts as missing.
    pub(crate) fn optional(&self, key: &str) -> Option<&Cursor<'a>> {
        self.given(key).filter(|value| !value.is_null())
    }

    /// The value of a key that must be there.
    pub(crate) fn required(&self, key: &str, remedy: &str) -> Option<&Cursor<'a>> {
        let value = self.optional(key);
        if value.is_none() {
            self.place.problem(format!("`{key}` is missing; {remedy}"));
        }
        value
    }

    /// The key as written, with or without a value.
    pub(crate) fn given(&self, key: &str) -> Option<&Cursor<'a>> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }
}
