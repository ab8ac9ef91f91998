//! What people asked for in comments on the pull request, and what came of it.

use chrono::{DateTime, Utc};

use super::command::Answer;
use super::sheet::Sheet;
use super::text::{code, moment};
use crate::Login;

/// One line of somebody's comment with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub by: Login,
    /// The line, without the word that it began with.
    pub said: String,
    pub at: DateTime<Utc>,
    pub answer: Answer,
}

/// The last few, newest first; nobody is mentioned by it, and no line of it asks for anything.
pub(super) fn list(sheet: &mut Sheet, asked: &[Asked]) {
    if asked.is_empty() {
        return;
    }
    sheet.line("Asked for in comments:");
    sheet.gap();
    sheet.rows(asked.iter().map(|Asked { by, said, at, answer }| {
        let came = match answer {
            Answer::Done { .. } => "done",
            Answer::Refused { .. } => "**refused**",
            Answer::NotUnderstood { .. } => "**not understood**",
        };
        let told = code(answer.sentence());
        format!("- {} by {} on {}: {came}: {told}", code(said), code(by.as_str()), moment(*at))
    }));
    sheet.gap();
}
