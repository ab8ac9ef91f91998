//! Promotion: the commit that is deployed in one stage goes to another by git, as a push would
//! bring it. Which branch or tag that is, and whether the stage has one commit to give. Pure.
//!
//! What always holds: git stays the truth. A branch is only ever moved forward, and what is
//! deployed is what the rules say of the branch or tag.

use std::collections::BTreeSet;
use std::fmt;

use crate::app::{RefPattern, Rule, Settings, Trigger};
use crate::deployment::InstanceState;
use crate::stage::same_stage;
use crate::{BranchName, CommitSha, Region, ServiceName, StageName, TagName};

/// How a commit comes to a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// This branch is moved to it.
    Branch { branch: BranchName, trigger: Trigger },
    /// This tag is made at it.
    Tag { tag: TagName, trigger: Trigger },
}

/// Why there is no way, in words that say what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    #[error("no rule deploys {stage}: add one for a branch or for tags below `rules`")]
    NoRule { stage: StageName },
    #[error(
        "{stage} is deployed from branches like {patterns}: a rule has to name one branch for it"
    )]
    Glob { stage: StageName, patterns: String },
    #[error("{stage} is deployed from several branches ({branches}): merge into one of them")]
    Several { stage: StageName, branches: String },
    #[error("{stage} is deployed by tags like {patterns}: name the new `tag`")]
    TagNeeded { stage: StageName, patterns: String },
    #[error("no rule deploys the tag {tag} to {stage}: its tags are like {patterns}")]
    TagUnmatched { stage: StageName, tag: TagName, patterns: String },
    #[error("no rule deploys tags to {stage}: leave `tag` out")]
    NoTags { stage: StageName },
}

impl NoWay {
    /// Whether another `tag` would help.
    pub fn is_about_the_tag(&self) -> bool {
        match self {
            Self::TagNeeded { .. } | Self::TagUnmatched { .. } | Self::NoTags { .. } => true,
            Self::NoRule { .. } | Self::Glob { .. } | Self::Several { .. } => false,
        }
    }
}

/// The way to a stage by its rules; `tag`: what the new tag is to be called.
pub fn way(settings: &Settings, stage: &StageName, tag: Option<&TagName>) -> Result<Way, NoWay> {
    let rules = Rules::of(settings, stage);
    let stage = stage.clone();
    let patterns = || listed(rules.tags.iter().map(|(pattern, _)| pattern.as_str()));
    if let Some(tag) = tag {
        let matching = rules.tags.iter().filter(|(pattern, _)| pattern.matches(tag));
        return match strongest(matching.map(|(_, trigger)| *trigger)) {
            Some(trigger) => Ok(Way::Tag { tag: tag.clone(), trigger }),
            None if rules.tags.is_empty() => Err(NoWay::NoTags { stage }),
            None => Err(NoWay::TagUnmatched { stage, tag: tag.clone(), patterns: patterns() }),
        };
    }
    let names: BTreeSet<&BranchName> = rules.branches.iter().map(|(name, _)| *name).collect();
    match (names.first(), names.len()) {
        (Some(branch), 1) => {
            let trigger = strongest(rules.branches.iter().map(|(_, trigger)| *trigger));
            let trigger = trigger.unwrap_or_default();
            Ok(Way::Branch { branch: (*branch).clone(), trigger })
        }
        (Some(_), _) => {
            let branches = listed(names.iter().map(|name| name.as_str()));
            Err(NoWay::Several { stage, branches })
        }
        (None, _) if !rules.tags.is_empty() => {
            Err(NoWay::TagNeeded { stage, patterns: patterns() })
        }
        (None, _) if !rules.globs.is_empty() => {
            let patterns = listed(rules.globs.iter().copied());
            Err(NoWay::Glob { stage, patterns })
        }
        (None, _) => Err(NoWay::NoRule { stage }),
    }
}

/// The patterns of the tags that are deployed to a stage.
pub fn tag_patterns<'a>(settings: &'a Settings, stage: &StageName) -> Vec<&'a str> {
    Rules::of(settings, stage).tags.into_iter().map(|(pattern, _)| pattern.as_str()).collect()
}

/// The rules that lead to one stage.
#[derive(Default)]
struct Rules<'a> {
    branches: Vec<(&'a BranchName, Trigger)>,
    globs: Vec<&'a str>,
    tags: Vec<(&'a RefPattern<TagName>, Trigger)>,
}

impl<'a> Rules<'a> {
    fn of(settings: &'a Settings, wanted: &StageName) -> Self {
        let mut rules = Self::default();
        for rule in &settings.rules {
            match rule {
                Rule::Branch { branch, stage, trigger, .. } if same_stage(stage, wanted) => {
                    match branch {
                        RefPattern::Name(name) => rules.branches.push((name, *trigger)),
                        RefPattern::Glob(_) => rules.globs.push(branch.as_str()),
                    }
                }
                Rule::Tag { tag, stage, trigger, .. } if same_stage(stage, wanted) => {
                    rules.tags.push((tag, *trigger));
                }
                Rule::Branch { .. } | Rule::Tag { .. } | Rule::Preview { .. } => {}
            }
        }
        rules
    }
}

/// A push starts a build if any of the rules does so by itself.
fn strongest(triggers: impl Iterator<Item = Trigger>) -> Option<Trigger> {
    triggers.reduce(|one, other| match (one, other) {
        (Trigger::Auto, _) | (_, Trigger::Auto) => Trigger::Auto,
        (Trigger::Manual, Trigger::Manual) => Trigger::Manual,
    })
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// What stands in the stage that is promoted.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    pub service: &'a ServiceName,
    pub region: &'a Region,
    pub state: InstanceState,
    pub commit: Option<&'a CommitSha>,
}

/// Why a stage has no commit to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    Empty {
        stage: StageName,
    },
    /// Of these services something else stands than was deployed.
    NotWhole {
        stage: StageName,
        services: Vec<String>,
    },
    /// No build of it went well.
    NeverWhole {
        stage: StageName,
    },
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { stage } => write!(f, "nothing is deployed in {stage}"),
            Self::NotWhole { stage, services } => {
                write!(f, "{stage} is not whole: {}", services.join(", "))
            }
            Self::NeverWhole { stage } => write!(f, "no build of {stage} has succeeded"),
        }
    }
}

/// The commits that services stand at which are not the stage's own: each has to be contained in
/// it, or the stage is of no one commit. A service that nothing changed in stands at an older one.
pub fn behind<'a>(
    stage: &StageName,
    standing: &[Standing<'a>],
    commit: Option<&CommitSha>,
) -> Result<Vec<(&'a ServiceName, &'a CommitSha)>, Unfit> {
    let (mut others, mut broken, mut any) = (Vec::new(), Vec::new(), false);
    for one in standing {
        match (one.state, one.commit) {
            (InstanceState::Planned | InstanceState::Removed, _) => continue,
            (InstanceState::Deployed, Some(at)) => {
                any = true;
                let known = others.iter().any(|(_, other)| *other == at);
                if commit != Some(at) && !known {
                    others.push((one.service, at));
                }
            }
            (InstanceState::Deployed, None)
            | (InstanceState::Deploying | InstanceState::Failed | InstanceState::Removing, _) => {
                broken.push(format!("{} in {} is {}", one.service, one.region, one.state.as_str()));
            }
        }
    }
    let stage = stage.clone();
    if !broken.is_empty() {
        return Err(Unfit::NotWhole { stage, services: broken });
    }
    if !any {
        return Err(Unfit::Empty { stage });
    }
    if commit.is_none() {
        return Err(Unfit::NeverWhole { stage });
    }
    Ok(others)
}

#[cfg(test)]
mod tests;
