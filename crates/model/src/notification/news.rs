//! What happened, in words for people.
//!
//! What always holds: a text that a job or a stack gave is bounded and stands on one line; a reason
//! that may hold one of the app's secrets is not repeated.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{BuildRef, Event, Message};
use crate::build::{BuildOutcome, Purpose};
use crate::comment::Secrets;
use crate::stage::StageKind;
use crate::{AppName, RepositoryName, StageName};

/// Characters of a text that others gave.
const LONGEST: usize = 300;

/// Where something happened.
#[derive(Debug, Clone)]
pub struct News {
    /// What the thing is called within its app: `build/12`, `stage/prod/drift`.
    pub subject: String,
    /// Whether it came to be so just now. What is old and was never told is not told any more.
    pub fresh: bool,
    pub kind: Option<StageKind>,
    pub message: Message,
}

/// How a thing stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Failed {
        /// The first job that failed, as `deploy restapi`, and why.
        job: Option<String>,
        reason: Option<String>,
        /// The build with which the stage began to fail, if it is an earlier one.
        since: Option<i64>,
    },
    Succeeded {
        /// The build with which the stage had begun to fail, if it had.
        mends: Option<i64>,
    },
    Waiting {
        approvers: Vec<String>,
        until: Option<DateTime<Utc>>,
    },
    GoesOn {
        approved_by: Option<String>,
    },
    Ended {
        outcome: BuildOutcome,
        reason: Option<String>,
    },
    Expiring {
        at: DateTime<Utc>,
    },
    Kept,
    Removed,
    LeftOver {
        what: String,
    },
    Cleared,
    Drifted {
        what: Vec<String>,
    },
    InSync,
}

/// The place of what happened, and its page.
#[derive(Debug, Clone)]
pub struct About<'a> {
    pub app: &'a AppName,
    pub repository: &'a RepositoryName,
    pub stage: Option<(&'a StageName, StageKind)>,
    pub url: String,
    pub at: DateTime<Utc>,
}

impl News {
    /// What became of a build.
    pub fn of_build(
        about: About<'_>,
        build: BuildRef,
        purpose: Purpose,
        state: &State,
        secrets: &Secrets,
        fresh: bool,
    ) -> Self {
        let subject = build_subject(build.number);
        let what = format!("{} {}", noun(purpose), build.number);
        let answers = sequel(state).filter(|number| *number != build.number);
        let answers = answers.map(build_subject);
        Self::of(about, (subject, what), Some(build), state, secrets, (fresh, answers))
    }

    /// What became of a stage: its end, what a removal left, what was changed by hand.
    pub fn of_stage(
        about: About<'_>,
        topic: &'static str,
        build: Option<BuildRef>,
        state: &State,
        secrets: &Secrets,
    ) -> Self {
        let stage = about.stage.map_or("", |(name, _)| name.as_str()).to_owned();
        let subject = stage_subject(&stage, topic);
        Self::of(about, (subject, stage), build, state, secrets, (true, None))
    }

    fn of(
        about: About<'_>,
        (subject, what): (String, String),
        build: Option<BuildRef>,
        state: &State,
        secrets: &Secrets,
        (fresh, answers): (bool, Option<String>),
    ) -> Self {
        let About { app, repository, stage, url, at } = about;
        let build = build.map(|build| BuildRef {
            title: plain(&build.title),
            author: plain(&build.author),
            ..build
        });
        let message = Message {
            event: event(state),
            app: app.clone(),
            repository: repository.clone(),
            stage: stage.map(|(name, _)| name.clone()),
            build,
            headline: headline(state, &what, stage),
            detail: detail(state, secrets),
            url,
            at,
            answers,
        };
        Self { subject, fresh, kind: stage.map(|(_, kind)| kind), message }
    }
}

/// What a build is called as a thing that somebody is told of.
pub fn build_subject(number: i64) -> String {
    format!("build/{number}")
}

/// The same of what happens to a stage.
pub fn stage_subject(stage: &str, topic: &str) -> String {
    format!("stage/{stage}/{topic}")
}

impl State {
    /// Whether somebody may ask to be told of it; else it concerns those alone who were told before.
    pub fn begins(&self) -> bool {
        event(self).kind().is_some()
    }
}

fn noun(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Deploy | Purpose::Test => "Build",
        Purpose::Rollback => "Rollback",
        Purpose::Recover => "Recovery",
        Purpose::Remove => "Removal",
        Purpose::Inspect => "Look",
    }
}

fn sequel(state: &State) -> Option<i64> {
    match state {
        State::Failed { since, .. } => *since,
        State::Succeeded { mends } => *mends,
        State::Waiting { .. }
        | State::GoesOn { .. }
        | State::Ended { .. }
        | State::Expiring { .. }
        | State::Kept
        | State::Removed
        | State::LeftOver { .. }
        | State::Cleared
        | State::Drifted { .. }
        | State::InSync => None,
    }
}

fn event(state: &State) -> Event {
    match state {
        State::Failed { .. } => Event::BuildFailed,
        State::Succeeded { mends: Some(_) } => Event::BuildFixed,
        State::Succeeded { mends: None } => Event::BuildSucceeded,
        State::Waiting { .. } => Event::BuildWaiting,
        State::GoesOn { .. } => Event::BuildResumed,
        State::Ended { .. } => Event::BuildEnded,
        State::Expiring { .. } => Event::PreviewExpiring,
        State::Kept => Event::PreviewKept,
        State::Removed => Event::PreviewRemoved,
        State::LeftOver { .. } => Event::StageLeftover,
        State::Cleared => Event::StageCleared,
        State::Drifted { .. } => Event::StageDrifted,
        State::InSync => Event::StageInSync,
    }
}

fn headline(state: &State, what: &str, stage: Option<(&StageName, StageKind)>) -> String {
    let on = stage.map(|(stage, _)| format!(" on {stage}")).unwrap_or_default();
    let preview = match stage {
        Some((_, StageKind::Personal)) => "personal stage",
        Some((_, StageKind::Preview | StageKind::LongLived)) | None => "preview",
    };
    match state {
        State::Failed { .. } => format!("{what} failed{on}"),
        State::Succeeded { mends: Some(number) } => {
            format!("{what} succeeded{on}, which had failed since build {number}")
        }
        State::Succeeded { mends: None } => format!("{what} succeeded{on}"),
        State::Waiting { .. } => format!("{what} waits for an approval{on}"),
        State::GoesOn { approved_by: Some(by) } => {
            format!("{what} was approved by {} and goes on{on}", plain(by))
        }
        State::GoesOn { approved_by: None } => format!("{what} waits no more and goes on{on}"),
        State::Ended { outcome, .. } => match outcome {
            BuildOutcome::Canceled => format!("{what} was canceled{on}"),
            BuildOutcome::Superseded => format!("{what} was superseded{on}"),
            BuildOutcome::Skipped => format!("{what} had nothing to do{on}"),
            BuildOutcome::Succeeded | BuildOutcome::Failed => format!("{what} ended{on}"),
        },
        State::Expiring { at } => {
            format!("The {preview} {what} is removed after {} unless somebody needs it", time(*at))
        }
        State::Kept => format!("The {preview} {what} stays: somebody needs it"),
        State::Removed => format!("The {preview} {what} is removed"),
        State::LeftOver { .. } => format!("The removal of {what} could not be completed"),
        State::Cleared => format!("What the removal of {what} had left is settled"),
        State::Drifted { .. } => format!("{what} was changed by hand"),
        State::InSync => format!("What was changed by hand on {what} is settled"),
    }
}

fn detail(state: &State, secrets: &Secrets) -> Option<String> {
    match state {
        State::Failed { job, reason, .. } => {
            let reason = reason.as_deref().map(|reason| told(reason, secrets));
            match (job, reason) {
                (Some(job), Some(reason)) => Some(format!("{job}: {reason}")),
                (Some(one), None) => Some(one.clone()),
                (None, reason) => reason,
            }
        }
        State::Waiting { approvers, until } => {
            let who = match approvers.is_empty() {
                true => "an admin".to_owned(),
                false => approvers.join(", "),
            };
            let until = until.map(|until| format!(" until {}", time(until))).unwrap_or_default();
            Some(plain(&format!("To be approved by {who}{until}")))
        }
        State::Ended { reason, .. } => reason.as_deref().map(|reason| told(reason, secrets)),
        State::LeftOver { what } => Some(told(what, secrets)),
        State::Drifted { what } => Some(told(&what.join("; "), secrets)),
        State::Succeeded { .. }
        | State::GoesOn { .. }
        | State::Expiring { .. }
        | State::Kept
        | State::Removed
        | State::Cleared
        | State::InSync => None,
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A text that came from a job, unless one of the app's secrets may stand in it.
fn told(text: &str, secrets: &Secrets) -> String {
    if secrets.hides_value(text) {
        return "the reason may hold a secret; the page has it".to_owned();
    }
    plain(text)
}

/// A text of others on one line, within bounds.
pub fn plain(text: &str) -> String {
    let visible = |c: char| !c.is_control() && !is_invisible(c);
    let shown: String = text.chars().map(|c| if visible(c) { c } else { ' ' }).collect();
    let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", words[..end].trim_end()),
        None => words,
    }
}

/// Characters that reorder or hide what stands beside them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reason_that_may_hold_a_secret_is_not_repeated() {
        let secrets = Secrets::known(["hunter-2-of-prod".to_owned().into()]);
        let failed = |reason: &str| State::Failed {
            job: Some("deploy restapi".into()),
            reason: Some(reason.into()),
            since: None,
        };
        let shown = detail(&failed("exit 1"), &secrets);
        assert_eq!(shown.as_deref(), Some("deploy restapi: exit 1"));
        let hidden = detail(&failed("no user hunter-2-of-prod"), &secrets).unwrap();
        assert!(!hidden.contains("hunter-2"), "{hidden}");
        assert!(hidden.starts_with("deploy restapi: "), "{hidden}");
    }

    proptest! {
        #[test]
        fn a_text_of_others_is_one_bounded_line(text in "\\PC{0,40}|(?s).{0,600}") {
            let shown = plain(&text);
            prop_assert!(shown.chars().count() <= LONGEST + 1);
            prop_assert!(!shown.chars().any(char::is_control));
        }
    }
}
