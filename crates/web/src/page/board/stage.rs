//! A stage on the board: the commit it is of, who brought it and when, what is not as it should be.
//!
//! What always holds: a stage is of the commit of its newest build that was through; a service that
//! stands at another one is named.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::app::Settings;
use model::build::BuildOutcome;
use model::deployment::InstanceState;
use model::freeze::{Freeze, in_force};
use model::stage::{StageKind, StageState, same_stage};
use model::{CommitSha, StageName};
use store::app::App;
use store::board::{BoardBuild, BoardRow, Progress};
use store::build::BuildState;

use super::lead::{LeadView, lead};
use crate::page::cell::{Cell, cells};
use crate::page::view::{Badge, Commit, Time, short};

/// Services named that stand at another commit than their stage.
const OTHERS_NAMED: usize = 3;

pub(super) struct StageView {
    pub(super) url: String,
    pub(super) anchor: String,
    /// Its level below the app, or below the app's previews.
    pub(super) heading: &'static str,
    pub(super) name: String,
    /// Of a preview.
    pub(super) branch: String,
    /// Of a personal stage: whose it is, and when they last used it.
    pub(super) owner: Option<(String, Time)>,
    pub(super) edge: &'static str,
    pub(super) built: bool,
    pub(super) marks: Vec<Mark>,
    pub(super) at: Option<At>,
    /// Services that stand at another commit, with it.
    pub(super) others: Vec<(String, String)>,
    pub(super) more_others: usize,
    pub(super) cells: Vec<Cell>,
    /// What the newest build is about, where it is not the one that stands there.
    pub(super) build: Option<LastBuild>,
    pub(super) lead: Option<LeadView>,
    /// Where it is promoted, if the caller may.
    pub(super) promote: Option<String>,
}

/// What is to be seen of a stage at a glance.
pub(super) struct Mark {
    pub(super) class: &'static str,
    pub(super) picture: &'static str,
    pub(super) text: String,
    pub(super) why: String,
}

impl Mark {
    fn new(class: &'static str, text: impl Into<String>, why: impl Into<String>) -> Self {
        Self { class, picture: class, text: text.into(), why: why.into() }
    }
}

/// The commit that a stage is of.
pub(super) struct At {
    pub(super) commit: Commit,
    /// The build that brought it, who made it, and when it was through.
    pub(super) brought: Option<(String, i64, String, Time)>,
}

pub(super) struct LastBuild {
    pub(super) url: String,
    pub(super) number: i64,
    pub(super) badge: Badge,
    pub(super) title: String,
    pub(super) author: String,
    pub(super) when: Time,
}

/// What the stages of an app are looked at with.
pub(super) struct Ground<'a> {
    pub(super) app: &'a App,
    pub(super) rows: &'a [&'a BoardRow],
    /// Of the builds that run.
    pub(super) progress: &'a [Progress],
    pub(super) git_url: &'a str,
    pub(super) may_build: bool,
    pub(super) now: DateTime<Utc>,
}

impl Ground<'_> {
    /// One that the settings name, and that no build has made yet.
    pub(super) fn unbuilt(&self, name: &StageName) -> StageView {
        let (lead, promote) = self.lead(name, None);
        StageView {
            url: format!("/apps/{}/stages/{name}", self.app.name),
            anchor: format!("services-{}-{name}", self.app.name),
            heading: "h3",
            name: name.to_string(),
            branch: String::new(),
            owner: None,
            edge: "off",
            built: false,
            marks: Vec::new(),
            at: None,
            others: Vec::new(),
            more_others: 0,
            cells: Vec::new(),
            build: None,
            lead,
            promote,
        }
    }

    pub(super) fn view(&self, row: &BoardRow) -> StageView {
        let commit = standing(row);
        let cells = cells(&row.instances, self.now);
        let marks = self.marks(row, &cells);
        let last = row.last_build.as_ref().filter(|last| is_news(last, row.deployed.as_ref()));
        let mut others: Vec<(String, String)> = match commit {
            Some(commit) => cells
                .iter()
                .filter(|cell| !cell.commit.is_empty() && cell.commit != short(commit))
                .map(|cell| (cell.service.clone(), cell.commit.clone()))
                .collect(),
            None => Vec::new(),
        };
        let more_others = others.len().saturating_sub(OTHERS_NAMED);
        others.truncate(OTHERS_NAMED);
        let (lead, promote) = self.lead(&row.stage, Some(row));
        StageView {
            url: format!("/apps/{}/stages/{}", row.app, row.stage),
            anchor: format!("services-{}-{}", row.app, row.stage),
            heading: match row.kind {
                StageKind::LongLived => "h3",
                StageKind::Preview | StageKind::Personal => "h4",
            },
            name: row.stage.to_string(),
            branch: branch(row),
            owner: row
                .owner
                .clone()
                .map(|owner| (owner, Time::new(row.used_at.unwrap_or(row.active_at), self.now))),
            edge: edge(&marks, commit.is_some()),
            built: true,
            marks,
            at: commit.map(|commit| self.at(row, commit)),
            others,
            more_others,
            cells,
            build: last.map(|build| self.build(build)),
            lead,
            promote,
        }
    }

    fn at(&self, row: &BoardRow, commit: &CommitSha) -> At {
        let of = row.deployed.as_ref().filter(|build| build.commit == *commit);
        At {
            commit: Commit {
                short: short(commit),
                full: commit.to_string(),
                url: format!("{}/{}/commit/{commit}", self.git_url, self.app.repository),
                title: of.map(|build| build.title.clone()).unwrap_or_default(),
            },
            brought: of.map(|build| {
                let url = format!("/apps/{}/builds/{}", self.app.name, build.number);
                let since = Time::new(build.finished_at.unwrap_or(build.created_at), self.now);
                (url, build.number, build.author.clone(), since)
            }),
        }
    }

    fn build(&self, build: &BoardBuild) -> LastBuild {
        let waits_for_a_worker = self
            .progress
            .iter()
            .any(|far| far.build_id == build.id && far.running == 0 && far.finished < far.jobs);
        LastBuild {
            url: format!("/apps/{}/builds/{}", self.app.name, build.number),
            number: build.number,
            badge: match build.state {
                BuildState::Running if waits_for_a_worker => Badge::new("wait", "queued"),
                BuildState::Running | BuildState::Waiting | BuildState::Finished => {
                    Badge::of_build(build.state, build.outcome)
                }
            },
            title: build.title.clone(),
            author: build.author.clone(),
            when: Time::new(build.finished_at.unwrap_or(build.created_at), self.now),
        }
    }

    fn marks(&self, row: &BoardRow, cells: &[Cell]) -> Vec<Mark> {
        let mut marks = Vec::new();
        match row.state {
            StageState::Active => {}
            StageState::RemoveFailed => {
                marks.push(Mark::new("bad", "removal failed", "something of it is still there"));
            }
            StageState::Removing | StageState::Closed => {
                let badge = Badge::of_stage(row.state);
                marks.push(Mark::new(badge.class, badge.text, ""));
            }
        }
        if row.expired_at.is_some() && row.state == StageState::Active {
            marks.push(Mark::new("warn", "expired", "nobody was told, so it stays"));
        }
        if let Some(why) = frozen(row, &self.app.settings, self.now) {
            marks.push(Mark { picture: "frozen", ..Mark::new("wait", "frozen", why) });
        }
        let named = |wanted: fn(&Cell) -> bool| {
            let names: Vec<&str> = cells
                .iter()
                .filter(|cell| wanted(cell))
                .map(|cell| cell.service.as_str())
                .collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        for (class, text, names) in [
            ("bad", "failed", named(|cell| cell.badge.class == "bad")),
            ("wait", "waiting", named(|cell| cell.waiting)),
            ("warn", "changed outside", named(|cell| cell.changed_outside)),
            ("warn", "drifted", named(|cell| cell.drifted)),
        ] {
            if let Some(names) = names {
                marks.push(Mark::new(class, text, names));
            }
        }
        if let Some(build) = &row.last_build {
            match (build.state, build.outcome) {
                (BuildState::Running, _) => {
                    let badge = self.build(build).badge;
                    marks.push(Mark::new(badge.class, badge.text, ""));
                }
                (BuildState::Finished, Some(BuildOutcome::Failed))
                    if !marks.iter().any(|mark| mark.class == "bad") =>
                {
                    marks.push(Mark::new("bad", "build failed", ""));
                }
                (BuildState::Waiting | BuildState::Finished, _) => {}
            }
        }
        marks
    }

    /// How far a stage is behind the one it is promoted from, and where that is changed.
    fn lead(&self, name: &StageName, row: Option<&BoardRow>) -> (Option<LeadView>, Option<String>) {
        let from = self.app.settings.stage(name).and_then(|(_, own)| own.promote_from.as_ref());
        let before = from.and_then(|from| {
            let is_it =
                |row: &&&BoardRow| row.kind == StageKind::LongLived && same_stage(&row.stage, from);
            let row = *self.rows.iter().find(is_it)?;
            Some((row, standing(row)?))
        });
        let Some(before) = before else { return (None, None) };
        let own = row.and_then(|row| Some((row, standing(row)?)));
        let lead = lead(own, before);
        let promote = (lead.promotable && self.may_build)
            .then(|| format!("/apps/{}/stages/{name}/promote", self.app.name));
        (Some(lead), promote)
    }
}

/// The commit that a stage is of: its newest build's that was through, and of a stage in which none
/// ever was, the one that most of its services stand at.
fn standing(row: &BoardRow) -> Option<&CommitSha> {
    let there = row.instances.iter().filter(|one| match one.state {
        InstanceState::Planned | InstanceState::Removed => false,
        InstanceState::Deployed
        | InstanceState::Deploying
        | InstanceState::Failed
        | InstanceState::Removing => true,
    });
    let mut counts: BTreeMap<&CommitSha, usize> = BTreeMap::new();
    for commit in there.filter_map(|one| one.commit.as_ref()) {
        *counts.entry(commit).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, number)| *number).map(|(commit, _)| commit)?;
    Some(row.deployed.as_ref().map_or(most, |build| &build.commit))
}

/// Whether a build tells something that the commit in the stage does not.
fn is_news(last: &BoardBuild, deployed: Option<&BoardBuild>) -> bool {
    deployed.is_none_or(|deployed| deployed.id != last.id)
}

fn edge(marks: &[Mark], is_there: bool) -> &'static str {
    ["bad", "run", "wait", "warn"]
        .into_iter()
        .find(|class| marks.iter().any(|mark| mark.class == *class))
        .unwrap_or(if is_there { "ok" } else { "off" })
}

fn frozen(row: &BoardRow, settings: &Settings, now: DateTime<Utc>) -> Option<String> {
    let windows = settings.stage(&row.stage).map(|(_, own)| own.freeze.as_slice());
    let freezes = in_force(row.frozen.as_ref(), windows.unwrap_or_default(), now);
    freezes.first().map(Freeze::sentence)
}

fn branch(row: &BoardRow) -> String {
    match (row.pull_request, &row.branch) {
        (Some(number), Some(branch)) => format!("#{number} {branch}"),
        (None, Some(branch)) => branch.to_string(),
        (Some(number), None) => format!("#{number}"),
        (None, None) => String::new(),
    }
}
