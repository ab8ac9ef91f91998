//! Rules to builds: what an event sets in motion, by the app's rules. Pure.
//!
//! What always holds: one event never starts two builds for one stage; a fork's pull request gets
//! tests and no stage, and cannot remove a preview; an event that starts nothing says why, in a
//! sentence for the delivery's page.

mod preview;
mod skip;
mod target;

use std::collections::BTreeSet;

use crate::app::{PreviewDeploy, Settings, Trigger};
use crate::build::{BuildEvent, Purpose, Source};
use crate::{BranchName, ServiceName, StageName, TagName};

pub use preview::{Shown, keeps, preview_deploy, rule_for, rule_of};
pub use target::Target;

/// An event on the repository, stripped to what the rules look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepositoryEvent {
    Pushed {
        source: Source,
        /// The whole message of the pushed commit; empty where the event does not carry it.
        message: String,
    },
    BranchDeleted {
        branch: BranchName,
    },
    PullRequest(PullRequestEvent),
}

/// What happened to a pull request, and how it is since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequestEvent {
    pub action: PullRequestAction,
    /// Its branch is the head, its commit the head's.
    pub source: Source,
    pub base: BranchName,
    pub draft: bool,
    /// The head branch lives in another repository.
    pub fork: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullRequestAction {
    Opened,
    Reopened,
    Synchronized,
    ReadyForReview,
    ConvertedToDraft,
    BaseEdited { from: BranchName },
    Closed,
}

/// Which preview it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preview {
    /// This branch's own; it is named when it is first wanted.
    OfBranch(BranchName),
    /// The one of this name, which the pull requests of a rule share.
    Shared(StageName),
}

/// What the rules want. The engine finds the stage's row, the number, and writes the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Build(Box<BuildWanted>),
    /// The preview is to be removed, if there is one that no other pull request [`keeps`].
    RemovePreview {
        preview: Preview,
        event: BuildEvent,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildWanted {
    pub event: BuildEvent,
    pub purpose: Purpose,
    pub stage: StageWanted,
    pub source: Source,
    /// What is to be built, never empty; `None`: every service.
    pub services: Option<BTreeSet<ServiceName>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StageWanted {
    LongLived(StageName),
    Preview {
        preview: Preview,
        /// Of the pull request.
        base: BranchName,
        deploy: PreviewDeploy,
    },
    /// Tests only: nothing is deployed.
    None,
}

/// The answer to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// At least one thing to do.
    Start(Vec<Wanted>),
    Nothing {
        reason: String,
    },
}

/// What `event` sets in motion.
pub fn decide(settings: &Settings, event: &RepositoryEvent) -> Decision {
    match event {
        RepositoryEvent::Pushed { source, message } => match (&source.branch, &source.tag) {
            (Some(branch), _) => branch_pushed(settings, branch, source, message),
            (None, Some(tag)) => tag_pushed(settings, tag, source),
            (None, None) => nothing("the push is of no branch and no tag"),
        },
        RepositoryEvent::BranchDeleted { branch } => preview::branch_deleted(settings, branch),
        RepositoryEvent::PullRequest(event) => preview::pull_request(settings, event),
    }
}

/// Where a build that somebody starts by hand goes, whatever the trigger of the rules: each stage
/// once, with the services of all rules that send the branch or tag there. Rules that name it come
/// before those whose glob matches it; whoever wants one build takes the first.
pub fn by_hand(
    settings: &Settings,
    branch: Option<&BranchName>,
    tag: Option<&TagName>,
) -> Vec<Target> {
    let mut found = branch.map(|branch| target::of_branch(settings, branch)).unwrap_or_default();
    found.extend(tag.map(|tag| target::of_tag(settings, tag)).unwrap_or_default());
    target::united(&found)
}

fn nothing(reason: impl Into<String>) -> Decision {
    Decision::Nothing { reason: reason.into() }
}

fn branch_pushed(
    settings: &Settings,
    branch: &BranchName,
    source: &Source,
    message: &str,
) -> Decision {
    let found = target::of_branch(settings, branch);
    if found.is_empty() {
        return nothing(format!("no rule for branch {branch}"));
    }
    if let Some(marker) = skip::marker(&source.title) {
        return nothing(format!("the commit's title says {marker}"));
    }
    if let Some(marker) = skip::marker(message) {
        return nothing(format!("the commit's message says {marker}"));
    }
    pushed(BuildEvent::Push, &format!("branch {branch}"), found, source)
}

/// A tag is never skipped: whoever sets one on a commit wants what the rule says.
fn tag_pushed(settings: &Settings, tag: &TagName, source: &Source) -> Decision {
    let found = target::of_tag(settings, tag);
    if found.is_empty() {
        return nothing(format!("no rule for tag {tag}"));
    }
    pushed(BuildEvent::Tag, &format!("tag {tag}"), found, source)
}

fn pushed(
    event: BuildEvent,
    what: &str,
    mut found: Vec<target::Match<'_>>,
    source: &Source,
) -> Decision {
    found.retain(|rule| match rule.trigger {
        Trigger::Auto => true,
        Trigger::Manual => false,
    });
    if found.is_empty() {
        return nothing(format!("the rule for {what} is manual: start the build by hand"));
    }
    let deploy = |Target { stage, services }| {
        Wanted::Build(Box::new(BuildWanted {
            event,
            purpose: Purpose::Deploy,
            stage: StageWanted::LongLived(stage),
            source: source.clone(),
            services,
        }))
    };
    Decision::Start(target::united(&found).into_iter().map(deploy).collect())
}

#[cfg(test)]
mod tests;
