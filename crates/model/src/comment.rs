//! The one comment on a pull request, as markdown. Pure: who calls this gathers the rows.
//!
//! What always holds: the comment begins with our hidden marker, by which it is found again; it is
//! never longer than GitHub takes; nothing in it that came from outside (a message, a value, an
//! address) is read as markdown, mentions anybody or refers to an issue; an output that may be a
//! secret is named and not shown. It says nothing that changes by itself (no "3 minutes ago"), so
//! that it is only written again when something has happened.

mod asked;
mod change;
pub mod command;
mod secret;
mod sheet;
mod standing;
mod text;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::change_set::StackChange;
use crate::foresight::{Answer, Foresight};
use crate::status::{Status, StatusState};
use crate::{AppName, CommitSha, Region, ServiceName, StageName};

pub use asked::Asked;
pub use secret::Secrets;
pub use standing::{Facts, Standing, standing};

use sheet::Sheet;
use text::{code, link, moment};

/// GitHub's limit. It counts characters; we count bytes, which are never fewer.
const LONGEST: usize = 65_536;
/// Kept free for what ends the comment.
const RESERVE: usize = 1_024;

/// What every comment of ours begins with.
const OURS: &str = "<!-- greenroom:";

/// Whether a comment is one of ours, whoever GitHub says has written it: with a token instead of an
/// App we speak as a person.
pub fn is_ours(body: &str) -> bool {
    body.starts_with(OURS)
}

/// What the comment begins with.
pub fn marker(app: &AppName) -> String {
    format!("{OURS}{app}:pr -->")
}

pub struct Comment<'a> {
    pub app: &'a AppName,
    pub place: Place<'a>,
    /// The newest build of the pull request that tests or deploys.
    pub build: Option<BuildLine<'a>>,
    pub rows: Vec<Row<'a>>,
    /// What the pull request would change where it goes next.
    pub foreseen: &'a [Foresight],
    pub notes: Vec<Note>,
    /// What people asked for in comments, newest first.
    pub asked: &'a [Asked],
    pub secrets: &'a Secrets,
}

/// Where the pull request is deployed.
pub enum Place<'a> {
    /// Nowhere: it is tested alone.
    None,
    Preview {
        stage: &'a StageName,
        /// The stage's page.
        url: &'a str,
        life: Life,
    },
}

/// Where a preview is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Life {
    Standing {
        expires_at: Option<DateTime<Utc>>,
    },
    /// Another pull request has deployed to the stage since: its rule gives them one to share.
    TakenOver {
        by: i64,
    },
    Removing,
    RemoveFailed {
        reason: String,
    },
    Removed {
        at: DateTime<Utc>,
    },
}

pub struct BuildLine<'a> {
    pub number: i64,
    pub url: &'a str,
    pub commit: &'a CommitSha,
    /// What the build's own status says.
    pub status: &'a Status,
}

/// One service in one region.
pub struct Row<'a> {
    pub service: &'a ServiceName,
    pub region: Option<&'a Region>,
    pub standing: Standing,
    pub endpoints: &'a [String],
    pub outputs: &'a BTreeMap<String, String>,
    /// What the build does to its stacks; `None`: nobody has looked.
    pub change: Option<&'a [StackChange]>,
}

/// What is to be said besides what the rows tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The app has as many previews as its file allows, and the pull request waits for a place.
    NoPreview { limit: u32 },
    /// Nobody has worked on it for long: the preview goes unless somebody does.
    Expires { at: DateTime<Utc> },
}

impl Note {
    fn text(&self) -> String {
        match self {
            Self::NoPreview { limit } => format!(
                "This pull request has no preview yet: the app has {limit} already, which is its \
                 `preview_limit`. It is tested, and deployed as soon as one of them is gone."
            ),
            Self::Expires { at } => format!(
                "Nobody has worked on this preview for a while: it is removed on {}. Push to the \
                 branch, write `/greenroom extend` in a comment, or press \"Extend\" on the \
                 preview's page, to keep it.",
                moment(*at)
            ),
        }
    }
}

/// The comment as GitHub gets it.
pub fn markdown(comment: &Comment<'_>) -> String {
    let mut sheet = Sheet::new(LONGEST - RESERVE);
    sheet.line(&marker(comment.app));
    sheet.line(&format!("### {}", title(comment)));
    sheet.gap();
    for note in &comment.notes {
        alert(&mut sheet, "WARNING", &note.text());
    }
    life(&mut sheet, comment);
    let gone = matches!(comment.place, Place::Preview { life: Life::Removed { .. }, .. });
    if !gone {
        build_line(&mut sheet, comment);
        services(&mut sheet, comment);
    }
    // before what may be long: whoever asked is answered
    asked::list(&mut sheet, comment.asked);
    if !gone {
        let changes = comment.rows.iter().filter_map(|row| Some((row.service, row.change?)));
        change::details(&mut sheet, "What this does to the stacks", changes);
        foreseen(&mut sheet, comment.foreseen);
        outputs(&mut sheet, comment);
    }
    sheet.finish(&rest(comment))
}

fn title(comment: &Comment<'_>) -> String {
    let said = |status: &Status| match status.state {
        StatusState::Pending => "under way",
        StatusState::Success => "ready",
        StatusState::Failure | StatusState::Error => "not deployed as it should be",
    };
    match &comment.place {
        Place::None => {
            let tests = comment.build.as_ref().map(|build| match build.status.state {
                StatusState::Pending => "tests are running",
                StatusState::Success => "tests passed",
                StatusState::Failure | StatusState::Error => "tests failed",
            });
            format!("No preview; {}", tests.unwrap_or("nothing was tested"))
        }
        Place::Preview { stage, url, life } => {
            let now = match life {
                Life::Standing { .. } => {
                    comment.build.as_ref().map_or("empty", |build| said(build.status))
                }
                Life::TakenOver { .. } => "taken over",
                Life::Removing => "being removed",
                Life::RemoveFailed { .. } => "could not be removed",
                Life::Removed { .. } => "removed",
            };
            format!("Preview [{stage}]({url}): {now}")
        }
    }
}

fn life(sheet: &mut Sheet, comment: &Comment<'_>) {
    let Place::Preview { stage, url, life } = &comment.place else { return };
    match life {
        Life::Standing { .. } | Life::Removing => {}
        Life::TakenOver { by } => alert(
            sheet,
            "NOTE",
            &format!(
                "The stage {stage} is shared by several pull requests, and the last to deploy there \
                 is number {by}. A push to this one takes it back."
            ),
        ),
        Life::RemoveFailed { reason } => alert(
            sheet,
            "CAUTION",
            &format!(
                "The preview could not be removed whole: {} What is left costs money until it is \
                 gone; [its page]({url}) says what to do.",
                code(reason)
            ),
        ),
        Life::Removed { at } => {
            sheet.line(&format!("It was removed on {}. Nothing of it is left.", moment(*at)));
        }
    }
}

fn alert(sheet: &mut Sheet, kind: &str, text: &str) {
    sheet.line(&format!("> [!{kind}]"));
    sheet.line(&format!("> {text}"));
    sheet.gap();
}

fn build_line(sheet: &mut Sheet, comment: &Comment<'_>) {
    let Some(build) = &comment.build else { return };
    let commit: String = build.commit.as_str().chars().take(7).collect();
    sheet.line(&format!(
        "[Build {}]({}) of `{commit}`: {}",
        build.number,
        build.url,
        code(&build.status.description)
    ));
    sheet.gap();
}

fn services(sheet: &mut Sheet, comment: &Comment<'_>) {
    if comment.rows.is_empty() {
        return;
    }
    let several = |row: &Row<'_>| {
        comment.rows.iter().filter(|other| other.service == row.service).count() > 1
    };
    sheet.line("| Service | State | Endpoints | Change |");
    sheet.line("|---|---|---|---|");
    sheet.rows(comment.rows.iter().map(|row| {
        let place = match row.region {
            Some(region) if several(row) => format!("{} in {region}", row.service),
            Some(_) | None => row.service.to_string(),
        };
        let endpoints: Vec<String> = row
            .endpoints
            .iter()
            .map(|endpoint| match comment.secrets.hides_value(endpoint) {
                true => HIDDEN.to_owned(),
                false => link(endpoint),
            })
            .collect();
        // of what has no stacks there is nothing to count
        let change = row.change.filter(|stacks| !stacks.is_empty());
        let change = change.map(change::counted).unwrap_or_default();
        format!("| {place} | {} | {} | {change} |", row.standing.text(), endpoints.join("<br>"))
    }));
    sheet.gap();
}

const HIDDEN: &str = "*not shown: it may be a secret*";

fn outputs(sheet: &mut Sheet, comment: &Comment<'_>) {
    let shown = || {
        let rows = comment.rows.iter().filter(|row| row.standing.is_there());
        rows.flat_map(|row| row.outputs.iter().map(move |(key, value)| (row, key, value)))
    };
    if shown().next().is_none() {
        return;
    }
    sheet.fold("Outputs", |sheet| {
        sheet.line("| Service | Output | Value |");
        sheet.line("|---|---|---|");
        sheet.rows(shown().map(|(row, key, value)| {
            let value = match comment.secrets.hides(key, value) {
                true => HIDDEN.to_owned(),
                false => code(value),
            };
            format!("| {} | {} | {value} |", row.service, code(key))
        }));
    });
}

fn foreseen(sheet: &mut Sheet, foreseen: &[Foresight]) {
    let mut stages: Vec<&StageName> = foreseen.iter().map(|one| &one.stage).collect();
    stages.sort_unstable();
    stages.dedup();
    for stage in stages {
        let here = || foreseen.iter().filter(move |one| one.stage == *stage);
        let all: Vec<StackChange> = here().flat_map(|one| known(&one.answer)).cloned().collect();
        let awaited = here().any(|one| one.answer == Answer::Awaited);
        // no markdown is read inside a summary
        let counted = change::counted(&all).replace("**", "");
        let counted = if awaited { "not looked at yet".to_owned() } else { counted };
        sheet.fold(&format!("What this would change in {stage}: {counted}"), |sheet| {
            for Foresight { service, answer, .. } in here() {
                match answer {
                    Answer::Awaited => {}
                    Answer::Change { change, notes } => {
                        for note in notes {
                            sheet.line(&format!("- {service}: {}", code(note)));
                        }
                        change::stacks(sheet, service, change);
                    }
                    Answer::Unknown { reason } => {
                        sheet.line(&format!("- {service}: not known: {}", code(reason)));
                    }
                }
            }
        });
    }
}

fn known(answer: &Answer) -> &[StackChange] {
    match answer {
        Answer::Change { change, .. } => change,
        Answer::Awaited | Answer::Unknown { .. } => &[],
    }
}

/// What ends the comment; it always fits.
fn rest(comment: &Comment<'_>) -> String {
    match &comment.place {
        Place::Preview { life: Life::Standing { expires_at: Some(at) }, .. } => format!(
            "<sub>Removed with the branch, or on {} if nobody works on it until then.</sub>",
            moment(*at)
        ),
        Place::Preview { .. } | Place::None => String::new(),
    }
}

#[cfg(test)]
mod tests;
