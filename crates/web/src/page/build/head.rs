//! What a build is: its commit, for which stage, by whom, how it stands, what can be done about it.

use chrono::{DateTime, TimeDelta, Utc};
use model::ServiceName;
use model::build::{BuildEvent, BuildOutcome, Purpose};
use model::permission::Action;
use store::build::{Build, BuildState};

use super::act::{Button, buttons};
use super::pace;
use crate::auth::Caller;
use crate::page::view::{Badge, Commit, Far, Time, duration, origin, short};

pub(super) struct Head {
    pub(super) app: String,
    pub(super) number: i64,
    pub(super) url: String,
    pub(super) badge: Badge,
    pub(super) title: String,
    /// What began it.
    pub(super) event: &'static str,
    pub(super) author: String,
    /// What it is for, where that is no deploy of its commit.
    pub(super) purpose: Option<&'static str>,
    pub(super) origin: String,
    pub(super) commit: Commit,
    pub(super) stage: Option<String>,
    pub(super) stage_url: String,
    pub(super) forced: bool,
    /// What it is for, if not every service.
    pub(super) services: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) superseded_by: Option<i64>,
    pub(super) created: Time,
    pub(super) duration: String,
    /// What such builds take, of one that has ended.
    pub(super) usual: Option<String>,
    /// Against that, of one that runs.
    pub(super) far: Option<Far>,
    pub(super) buttons: Vec<Button>,
    outcome: Option<BuildOutcome>,
    ended: bool,
}

impl Head {
    pub(super) fn new(
        build: Build,
        url: String,
        commit_url: String,
        usual: Option<TimeDelta>,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Self {
        let badge = match (build.state, build.cancel_requested_at) {
            (BuildState::Running | BuildState::Waiting, Some(_)) => Badge::new("run", "canceling"),
            (BuildState::Running | BuildState::Waiting | BuildState::Finished, _) => {
                Badge::of_build(build.state, build.outcome)
            }
        };
        let may_build = caller.allows(Action::Build, &build.app);
        let buttons = if may_build { buttons(&build, &url) } else { Vec::new() };
        let ended = build.state == BuildState::Finished;
        let far = match (build.state, build.started_at, usual) {
            // what waits for people takes as long as people do
            (BuildState::Running, Some(began), Some(usual)) => {
                Some(pace::against(now - began, usual))
            }
            (BuildState::Running | BuildState::Waiting | BuildState::Finished, _, _) => None,
        };
        let stage = build.stage.as_ref().map(ToString::to_string);
        Self {
            app: build.app.to_string(),
            number: build.number,
            badge,
            event: event(build.event),
            purpose: purpose(build.purpose),
            origin: origin(&build.source),
            commit: Commit {
                short: short(&build.source.commit),
                full: build.source.commit.to_string(),
                url: commit_url,
                title: String::new(),
            },
            stage_url: stage
                .as_ref()
                .map(|stage| format!("/apps/{}/stages/{stage}", build.app))
                .unwrap_or_default(),
            stage,
            forced: build.forced,
            services: build.services.as_ref().map(|services| {
                services.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(", ")
            }),
            reason: build.reason.or(build.cancel_reason),
            superseded_by: build.superseded_by,
            created: Time::new(build.created_at, now),
            duration: duration(build.started_at, build.finished_at, now),
            usual: usual.filter(|_| ended).map(pace::words),
            far,
            buttons,
            outcome: build.outcome,
            ended,
            title: build.source.title,
            author: build.source.author,
            url,
        }
    }

    /// The colour of the browser's tab.
    pub(super) fn icon(&self) -> &'static str {
        match (self.ended, self.outcome) {
            (false, _) => "running",
            (true, Some(BuildOutcome::Failed)) => "failed",
            (
                true,
                Some(
                    BuildOutcome::Succeeded
                    | BuildOutcome::Canceled
                    | BuildOutcome::Superseded
                    | BuildOutcome::Skipped,
                )
                | None,
            ) => "ok",
        }
    }
}

fn event(event: BuildEvent) -> &'static str {
    match event {
        BuildEvent::Push => "a push",
        BuildEvent::Tag => "a tag",
        BuildEvent::PullRequest => "a pull request",
        BuildEvent::BranchDeleted => "a deleted branch",
        BuildEvent::PullRequestClosed => "a closed pull request",
        BuildEvent::Manual => "a button or a call",
        BuildEvent::Schedule => "the schedule",
    }
}

fn purpose(purpose: Purpose) -> Option<&'static str> {
    match purpose {
        Purpose::Deploy => None,
        Purpose::Test => Some("tests only"),
        Purpose::Remove => Some("removal"),
        Purpose::Rollback => Some("rollback"),
        Purpose::Recover => Some("recovery of a stuck stack"),
        Purpose::Inspect => Some("looks, and changes nothing"),
    }
}
