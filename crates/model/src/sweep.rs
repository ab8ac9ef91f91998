//! The sweep: stacks that say they are Greenroom's, held against what the server knows. Pure.
//!
//! What always holds: a stack is called an orphan only by what cannot be the work of a build of
//! ours: where an instance moves, or moved while the stacks were listed, nothing is said and the
//! next sweep looks again. Nothing is removed because it is called so.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::app::Settings;
use crate::deployment::InstanceState;
use crate::{ProfileName, Region};

/// A stack with the tag `greenroom:app`. Its tags are texts that anybody with the account's rights
/// may have written: nothing is removed because of them alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaggedStack {
    pub name: String,
    /// The ARN.
    pub id: String,
    pub region: Region,
    pub app: String,
    pub stage: Option<String>,
    pub service: Option<String>,
    /// The build that changed it last.
    pub build: Option<i64>,
    /// CloudFormation's own word.
    pub status: String,
    pub created_at: Option<DateTime<Utc>>,
    pub changed_at: Option<DateTime<Utc>>,
}

/// The regions in which the settings may have stages of this profile.
pub fn regions(settings: &Settings, profile: &ProfileName) -> BTreeSet<Region> {
    let own = settings.profiles.get(profile).map(|profile| &profile.region);
    let stages = settings.stages.values().filter(|stage| stage.profile == *profile);
    let services = settings.services.values();
    let services = services.chain(stages.flat_map(|stage| stage.services.values()));
    own.into_iter().chain(services.flat_map(|service| &service.regions)).cloned().collect()
}

/// What the server knows of the place that a stack's tags name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// No app of this name is registered.
    NoApp,
    /// The app has, and had, no such stage, or the stack names none.
    NoStage,
    /// The stage was closed, and no open one has its name.
    Closed {
        at: DateTime<Utc>,
    },
    /// The open stage is somebody's own: whatever says that it is of it is its owner's affair.
    Personal,
    /// The open stage has no such service in the stack's region, or the stack names none.
    NoInstance,
    Instance {
        state: InstanceState,
        stacks: Vec<String>,
        updated_at: DateTime<Utc>,
    },
}

/// Whose a tagged stack is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A stage knows it.
    Known,
    /// It cannot be told yet.
    Unsure,
    Orphan(Why),
}

/// Why a stack is nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    UnknownApp {
        app: String,
    },
    UnknownStage {
        app: String,
        stage: Option<String>,
    },
    ClosedStage {
        stage: String,
    },
    UnknownService {
        stage: String,
        service: Option<String>,
    },
    /// The service was removed, and its stack seen to be gone.
    Removed {
        stage: String,
        service: String,
    },
    /// The service is deployed under other names.
    OtherStacks {
        stage: String,
        service: String,
        stacks: Vec<String>,
    },
}

/// `looked_at`: when the listing began that the stack is from; `place` is read after it.
pub fn judge(stack: &TaggedStack, place: &Place, looked_at: DateTime<Utc>) -> Verdict {
    let stage = || stack.stage.clone().unwrap_or_default();
    let service = || stack.service.clone().unwrap_or_default();
    match place {
        Place::NoApp => Verdict::Orphan(Why::UnknownApp { app: stack.app.clone() }),
        Place::NoStage => Verdict::Orphan(Why::UnknownStage {
            app: stack.app.clone(),
            stage: stack.stage.clone(),
        }),
        Place::Personal => Verdict::Known,
        // it may have been removed between the listing and now
        Place::Closed { at } if *at >= looked_at => Verdict::Unsure,
        Place::Closed { .. } => Verdict::Orphan(Why::ClosedStage { stage: stage() }),
        Place::NoInstance => {
            Verdict::Orphan(Why::UnknownService { stage: stage(), service: stack.service.clone() })
        }
        Place::Instance { state, stacks, updated_at } => match state {
            InstanceState::Planned
            | InstanceState::Deploying
            | InstanceState::Failed
            | InstanceState::Removing => Verdict::Known,
            InstanceState::Deployed if stacks.contains(&stack.name) => Verdict::Known,
            InstanceState::Deployed | InstanceState::Removed if *updated_at >= looked_at => {
                Verdict::Unsure
            }
            InstanceState::Deployed => Verdict::Orphan(Why::OtherStacks {
                stage: stage(),
                service: service(),
                stacks: stacks.clone(),
            }),
            InstanceState::Removed => {
                Verdict::Orphan(Why::Removed { stage: stage(), service: service() })
            }
        },
    }
}

/// The sentence that people read before they decide.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownApp { app } => write!(
                f,
                "no app {app} is registered here: another Greenroom server may have deployed it"
            ),
            Self::UnknownStage { app, stage: Some(stage) } => write!(
                f,
                "{app} never had a stage {stage} here: another Greenroom server may have deployed it"
            ),
            Self::UnknownStage { app, stage: None } => {
                write!(f, "it says that it is {app}'s, but of which stage it does not say")
            }
            Self::ClosedStage { stage } => {
                write!(f, "the stage {stage} is closed: nothing should be left of it")
            }
            Self::UnknownService { stage, service: Some(service) } => {
                write!(f, "the stage {stage} has no service {service} in this region")
            }
            Self::UnknownService { stage, service: None } => {
                write!(
                    f,
                    "it says that it is of stage {stage}, but of which service it does not say"
                )
            }
            Self::Removed { stage, service } => {
                write!(f, "{service} was removed from {stage}, and this stack came after that")
            }
            Self::OtherStacks { stage, service, stacks } if stacks.is_empty() => {
                write!(f, "{service} is deployed to {stage} without any stack now")
            }
            Self::OtherStacks { stage, service, stacks } => {
                write!(f, "{service} is deployed to {stage} as {} now", stacks.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests;
