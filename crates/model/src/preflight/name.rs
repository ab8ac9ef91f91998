//! One name held against one rule.

use super::shorter::shorter;
use super::{View, refused};
use crate::finding::Finding;
use crate::template::Text;

/// What names of a kind look like.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    /// As in "a Lambda function's name".
    pub(super) what: &'static str,
    pub(super) least: usize,
    pub(super) most: usize,
    pub(super) characters: Characters,
    /// What else than the stage makes the name long, as an instruction.
    pub(super) shorten: &'static str,
}

/// The characters a name may have.
#[derive(Clone, Copy)]
pub(super) enum Characters {
    /// Letters, digits and these, all of them in words.
    Letters { others: &'static str, words: &'static str },
    /// All but white space and these.
    Without(&'static str),
}

impl Characters {
    fn allow(self, c: char) -> bool {
        match self {
            Self::Letters { others, .. } => c.is_ascii_alphanumeric() || others.contains(c),
            Self::Without(others) => !c.is_whitespace() && !c.is_control() && !others.contains(c),
        }
    }

    fn remedy(self) -> String {
        match self {
            Self::Letters { words, .. } => format!("use {words}"),
            Self::Without(others) => format!("leave out spaces and all of {others}"),
        }
    }
}

/// What is wrong with a name, if anything is.
pub(super) fn check(rule: &Rule, text: &Text, place: &str, view: &View<'_>) -> Option<Finding> {
    let shown = text.shown();
    let length = text.least_length();
    let has = if text.has_known_length() {
        format!("has {length} characters")
    } else {
        format!("has at least {length} characters")
    };
    let what = rule.what;
    if length > rule.most {
        return Some(refused(
            place,
            format!("{what} has at most {} characters, and {shown} {has}", rule.most),
            shorter(view.about, &shown, length - rule.most, rule.shorten),
        ));
    }
    if text.has_known_length() && length < rule.least {
        return Some(refused(
            place,
            format!("{what} has at least {} characters, and {shown:?} {has}", rule.least),
            "write a longer name",
        ));
    }
    let wrong = text.literals().flat_map(str::chars).find(|c| !rule.characters.allow(*c))?;
    Some(refused(
        place,
        format!("{what} takes no {wrong:?}, and it is in {shown}"),
        rule.characters.remedy(),
    ))
}
