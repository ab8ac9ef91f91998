//! The commands that people ran on a stage from their own machines.

use chrono::{DateTime, Utc};
use store::personal::Session;

use crate::api::personal::state_of;
use crate::page::view::{Badge, Time, short};

pub(super) struct LaptopLine {
    pub(super) badge: Badge,
    pub(super) who: String,
    pub(super) machine: Option<String>,
    pub(super) service: String,
    pub(super) region: String,
    pub(super) command: String,
    pub(super) commit: String,
    pub(super) commit_url: String,
    /// What else there was than the commit.
    pub(super) beside: Option<&'static str>,
    pub(super) began: Time,
}

pub(super) fn lines(
    sessions: Vec<Session>,
    git_url: &str,
    repository: &str,
    now: DateTime<Utc>,
) -> Vec<LaptopLine> {
    sessions.into_iter().map(|session| line(session, git_url, repository, now)).collect()
}

fn line(session: Session, git_url: &str, repository: &str, now: DateTime<Utc>) -> LaptopLine {
    let badge = match (state_of(&session, now), session.exit_code) {
        ("running", _) => Badge::new("run", "running"),
        (_, Some(0)) => Badge::new("ok", "ended with 0"),
        (_, Some(code)) => Badge::new("bad", &format!("ended with {code}")),
        (_, None) => Badge::new("off", "end not told"),
    };
    let beside = match (session.dirty, session.pushed.as_ref() == Some(&session.commit)) {
        (true, true) => Some("with changed files"),
        (true, false) => Some("not pushed, with changed files"),
        (false, true) => None,
        (false, false) => Some("not pushed"),
    };
    let command = match session.purpose {
        model::personal::Use::Exec => session.command,
        model::personal::Use::Env => "greenroom env".to_owned(),
    };
    LaptopLine {
        badge,
        who: session.who,
        machine: session.machine,
        service: session.service.to_string(),
        region: session.region.to_string(),
        command,
        commit: short(&session.commit),
        commit_url: format!("{git_url}/{repository}/commit/{}", session.commit),
        beside,
        began: Time::new(session.began_at, now),
    }
}
