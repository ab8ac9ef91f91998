//! Changes of settings, and what stands in the way of them, as pages show them.

use model::app::{Change, Problem};

use super::super::view::Badge;
use crate::error::Mistake;

pub(super) struct ChangeRow {
    pub(super) badge: Badge,
    pub(super) path: String,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
}

pub(super) fn rows(changes: Vec<Change>) -> Vec<ChangeRow> {
    changes
        .into_iter()
        .map(|change| ChangeRow {
            badge: match (&change.from, &change.to) {
                (None, _) => Badge::new("ok", "added"),
                (Some(_), None) => Badge::new("bad", "removed"),
                (Some(_), Some(_)) => Badge::new("warn", "changed"),
            },
            path: change.path,
            from: change.from,
            to: change.to,
        })
        .collect()
}

/// Something to mend in what was typed.
pub(super) struct ProblemRow {
    pub(super) line: Option<usize>,
    pub(super) key: String,
    pub(super) message: String,
    /// The line itself, as it was typed.
    pub(super) excerpt: Option<String>,
}

impl ProblemRow {
    /// A problem of this text.
    pub(super) fn of(problem: Problem, text: &str) -> Self {
        let line = problem.line.and_then(|line| text.lines().nth(line.checked_sub(1)?));
        Self {
            excerpt: line.map(|line| line.chars().take(160).collect()),
            line: problem.line,
            key: problem.key,
            message: problem.message,
        }
    }
}

impl From<Mistake> for ProblemRow {
    fn from(mistake: Mistake) -> Self {
        Self { line: None, key: mistake.key, message: mistake.message, excerpt: None }
    }
}

impl From<Problem> for ProblemRow {
    fn from(problem: Problem) -> Self {
        Self { line: None, key: problem.key, message: problem.message, excerpt: None }
    }
}
