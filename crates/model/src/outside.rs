//! Whether somebody else was at a stack since Greenroom deployed it last: a person with a command
//! line, another pipeline. Pure.
//!
//! What always holds: only what no change of ours can have done counts. A stack of which nobody
//! knows how ours left it (a worker was lost, a deploy goes on) is never called changed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::app::Level;
use crate::finding::{Check, Finding};

/// How the last change of ours left the stacks of an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "last")]
pub enum Left {
    /// There was none, or nobody saw how it ended.
    #[default]
    Unknown,
    /// When each stack had last been changed once the deploy was through, in AWS's own time.
    Deployed { build: i64, changed_at: BTreeMap<String, DateTime<Utc>> },
    /// A deploy failed, and was over by then in the server's time. In which state it left the
    /// stacks is not known, so only what came later is surely not its work.
    Failed { at: DateTime<Utc>, stacks: BTreeSet<String> },
}

/// A stack as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "found")]
pub enum Found {
    /// Its last change went through.
    Settled {
        changed_at: DateTime<Utc>,
    },
    /// It is in any other state.
    Unsettled {
        changed_at: DateTime<Utc>,
        status: String,
    },
    Gone,
}

impl Found {
    pub fn changed_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Settled { changed_at } | Self::Unsettled { changed_at, .. } => Some(*changed_at),
            Self::Gone => None,
        }
    }
}

/// What somebody else did to a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    stack: String,
    what: What,
    since: Since,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Changed { at: DateTime<Utc> },
    Broken { status: String },
    Removed,
}

/// The last change of ours before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    Deployed { build: i64, at: DateTime<Utc> },
    Failed { at: DateTime<Utc> },
}

impl Left {
    /// After a deploy failed.
    pub fn failed(self, now: DateTime<Utc>) -> Self {
        match self {
            Self::Unknown => Self::Unknown,
            Self::Deployed { changed_at, .. } => {
                Self::Failed { at: now, stacks: changed_at.into_keys().collect() }
            }
            Self::Failed { stacks, .. } => Self::Failed { at: now, stacks },
        }
    }

    /// The stacks that can be compared.
    pub fn stacks(&self) -> Vec<&str> {
        match self {
            Self::Unknown => Vec::new(),
            Self::Deployed { changed_at, .. } => changed_at.keys().map(String::as_str).collect(),
            Self::Failed { stacks, .. } => stacks.iter().map(String::as_str).collect(),
        }
    }

    /// What somebody else did since, by what was found.
    pub fn deeds(&self, found: &BTreeMap<String, Found>) -> Vec<Deed> {
        let of = |stack: &String, since: Since| {
            let what = since.missed(found.get(stack)?)?;
            Some(Deed { stack: stack.clone(), what, since })
        };
        match self {
            Self::Unknown => Vec::new(),
            Self::Deployed { build, changed_at } => changed_at
                .iter()
                .filter_map(|(stack, at)| of(stack, Since::Deployed { build: *build, at: *at }))
                .collect(),
            Self::Failed { at, stacks } => {
                stacks.iter().filter_map(|stack| of(stack, Since::Failed { at: *at })).collect()
            }
        }
    }
}

impl Since {
    fn missed(self, found: &Found) -> Option<What> {
        let ours = match self {
            Self::Deployed { at, .. } | Self::Failed { at } => at,
        };
        if let Some(at) = found.changed_at().filter(|at| *at > ours) {
            return Some(What::Changed { at });
        }
        match (self, found) {
            (
                Self::Failed { .. },
                Found::Settled { .. } | Found::Unsettled { .. } | Found::Gone,
            )
            | (Self::Deployed { .. }, Found::Settled { .. }) => None,
            // A deletion that failed or goes on leaves the time of the last change as it was.
            (Self::Deployed { .. }, Found::Unsettled { status, .. }) => {
                Some(What::Broken { status: status.clone() })
            }
            (Self::Deployed { .. }, Found::Gone) => Some(What::Removed),
        }
    }

    fn told(self) -> String {
        match self {
            Self::Deployed { build, at } => {
                format!("build {build} had deployed it at {}", time(at))
            }
            Self::Failed { at } => format!("a deploy of it had failed at {}", time(at)),
        }
    }
}

impl Deed {
    /// The warning for whoever is about to deploy.
    pub fn finding(&self) -> Finding {
        let since = self.since.told();
        let (problem, remedy) = match &self.what {
            What::Changed { at } => (
                format!(
                    "it was changed outside Greenroom at {}, after {since}: this deploy replaces what was done by hand",
                    time(*at)
                ),
                "put what is to stay of it into the commit before you deploy".to_owned(),
            ),
            What::Broken { status } => (
                format!("it is {status}, after {since}: somebody else was at it since"),
                "look at its events in CloudFormation before you deploy".to_owned(),
            ),
            What::Removed => (
                format!(
                    "it was removed outside Greenroom, after {since}: this deploy makes it anew, without its data"
                ),
                "find out who removed it; if it is to stay away, cancel this build and remove the stage or the service"
                    .to_owned(),
            ),
        };
        let place = format!("stack {}", self.stack);
        Finding { check: Check::Outside, level: Level::Warning, place, problem, remedy }
    }

    fn short(&self) -> String {
        let stack = &self.stack;
        match &self.what {
            What::Changed { .. } => format!("stack {stack} was changed"),
            What::Broken { status } => format!("stack {stack} is {status}"),
            What::Removed => format!("stack {stack} was removed"),
        }
    }
}

/// What is told of an instance that somebody else has changed, until a deploy succeeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    /// When it was done; where AWS keeps no time of it, when it was seen.
    pub at: DateTime<Utc>,
    /// The build whose package job saw it.
    pub build: i64,
    /// To which stacks, and what.
    pub reason: String,
}

impl Outside {
    /// `None`: nobody did anything.
    pub fn of(deeds: &[Deed], build: i64, now: DateTime<Utc>) -> Option<Self> {
        let at = |deed: &Deed| match deed.what {
            What::Changed { at } => at,
            What::Broken { .. } | What::Removed => now,
        };
        let at = deeds.iter().map(at).max()?;
        let reasons: Vec<String> = deeds.iter().map(Deed::short).collect();
        Some(Self { at, build, reason: reasons.join(", ") })
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests;
