//! Rules to builds: what an event sets in motion, by the app's rules. Pure.
//!
//! What always holds: a fork's pull request gets tests and no stage, and cannot remove a preview;
//! an event that starts nothing says why, in a sentence for the delivery's page.

use globset::{Glob, GlobBuilder};

use crate::app::{Destroy, PreviewRule, Rule, Settings, Trigger};
use crate::build::{BuildEvent, Purpose, Source};
use crate::{BranchName, StageName, TagName};

/// An event on the repository, stripped to what the rules look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepositoryEvent {
    Pushed {
        source: Source,
    },
    BranchDeleted {
        branch: BranchName,
    },
    PullRequest {
        action: PullRequestAction,
        source: Source,
        base: BranchName,
        /// The head branch lives in another repository.
        fork: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullRequestAction {
    Opened,
    Reopened,
    Synchronized,
    BaseEdited,
    Closed,
}

/// What the rules want. The engine finds the stage's row, the number, and writes the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Build {
        event: BuildEvent,
        purpose: Purpose,
        stage: StageWanted,
        source: Source,
    },
    /// The preview of this branch is to be removed, if there is one.
    RemovePreview {
        branch: BranchName,
        event: BuildEvent,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StageWanted {
    LongLived(StageName),
    /// The preview of this branch; it is named when it is first wanted.
    PreviewOf(BranchName),
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
        RepositoryEvent::Pushed { source } => match (&source.branch, &source.tag) {
            (Some(branch), _) => branch_pushed(settings, branch, source),
            (None, Some(tag)) => tag_pushed(settings, tag, source),
            (None, None) => nothing("the push is of no branch and no tag"),
        },
        RepositoryEvent::BranchDeleted { branch } => branch_deleted(settings, branch),
        RepositoryEvent::PullRequest { action, source, base, fork } => {
            pull_request(settings, *action, source, base, *fork)
        }
    }
}

/// Where a build that somebody starts by hand goes: the stage of the first rule that names the
/// branch or matches the tag, whatever its trigger.
pub fn stage_for<'a>(
    settings: &'a Settings,
    branch: Option<&BranchName>,
    tag: Option<&TagName>,
) -> Option<&'a StageName> {
    settings.rules.iter().find_map(|rule| match rule {
        Rule::Branch { branch: named, stage, .. } => (branch == Some(named)).then_some(stage),
        Rule::Tag { tag: pattern, stage, .. } => {
            tag.is_some_and(|tag| matches(pattern, tag)).then_some(stage)
        }
        Rule::Preview { .. } => None,
    })
}

/// The pattern of a tag rule: `*` is any run of characters, slashes too.
pub(crate) fn tag_pattern(text: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(text).literal_separator(false).build()
}

fn nothing(reason: impl Into<String>) -> Decision {
    Decision::Nothing { reason: reason.into() }
}

fn branch_pushed(settings: &Settings, branch: &BranchName, source: &Source) -> Decision {
    let rule = settings.rules.iter().find_map(|rule| match rule {
        Rule::Branch { branch: named, stage, trigger } if named == branch => {
            Some((stage, *trigger))
        }
        Rule::Branch { .. } | Rule::Tag { .. } | Rule::Preview { .. } => None,
    });
    let Some((stage, trigger)) = rule else {
        return nothing(format!("no rule for branch {branch}"));
    };
    if let Some(marker) = skip_marker(&source.title) {
        return nothing(format!("the commit's title says {marker}"));
    }
    match trigger {
        Trigger::Manual => {
            nothing(format!("the rule for branch {branch} is manual: start the build by hand"))
        }
        Trigger::Auto => Decision::Start(vec![deploy(BuildEvent::Push, stage, source)]),
    }
}

fn skip_marker(title: &str) -> Option<&'static str> {
    ["[skip ci]", "[ci skip]"].into_iter().find(|marker| title.contains(marker))
}

fn tag_pushed(settings: &Settings, tag: &TagName, source: &Source) -> Decision {
    let mut stages: Vec<&StageName> = Vec::new();
    let mut manual = false;
    for rule in &settings.rules {
        match rule {
            Rule::Tag { tag: pattern, stage, trigger } if matches(pattern, tag) => match trigger {
                Trigger::Manual => manual = true,
                Trigger::Auto if stages.contains(&stage) => {}
                Trigger::Auto => stages.push(stage),
            },
            Rule::Tag { .. } | Rule::Branch { .. } | Rule::Preview { .. } => {}
        }
    }
    match (stages.is_empty(), manual) {
        (true, true) => {
            nothing(format!("the rule for tag {tag} is manual: start the build by hand"))
        }
        (true, false) => nothing(format!("no rule for tag {tag}")),
        (false, _) => Decision::Start(
            stages.into_iter().map(|stage| deploy(BuildEvent::Tag, stage, source)).collect(),
        ),
    }
}

fn matches(pattern: &str, tag: &TagName) -> bool {
    tag_pattern(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(tag.as_str()))
}

fn deploy(event: BuildEvent, stage: &StageName, source: &Source) -> Wanted {
    Wanted::Build {
        event,
        purpose: Purpose::Deploy,
        stage: StageWanted::LongLived(stage.clone()),
        source: source.clone(),
    }
}

fn preview_rules(settings: &Settings) -> impl Iterator<Item = &PreviewRule> {
    settings.rules.iter().filter_map(|rule| match rule {
        Rule::Preview { preview } => Some(preview),
        Rule::Branch { .. } | Rule::Tag { .. } => None,
    })
}

/// The base of the pull request is not known here. A preview is kept only if every rule says so,
/// and removed also when its rule is gone: rather that than a stack nobody remembers.
fn branch_deleted(settings: &Settings, branch: &BranchName) -> Decision {
    let mut rules = preview_rules(settings).peekable();
    if rules.peek().is_some() && rules.all(|rule| rule.destroy == Destroy::Never) {
        return nothing(format!(
            "the preview of branch {branch} is kept: the rule says destroy: never"
        ));
    }
    let event = BuildEvent::BranchDeleted;
    Decision::Start(vec![Wanted::RemovePreview { branch: branch.clone(), event }])
}

fn pull_request(
    settings: &Settings,
    action: PullRequestAction,
    source: &Source,
    base: &BranchName,
    fork: bool,
) -> Decision {
    let Some(rule) = preview_rules(settings).find(|rule| rule.base.contains(base)) else {
        return nothing(format!("no preview rule for pull requests against {base}"));
    };
    match action {
        PullRequestAction::Closed => closed(rule, source, fork),
        PullRequestAction::Opened
        | PullRequestAction::Reopened
        | PullRequestAction::Synchronized
        | PullRequestAction::BaseEdited => {
            let (purpose, stage) = match (&source.branch, fork) {
                (_, true) => (Purpose::Test, StageWanted::None),
                (Some(head), false) => (Purpose::Deploy, StageWanted::PreviewOf(head.clone())),
                (None, false) => return nothing("the pull request has no head branch"),
            };
            let event = BuildEvent::PullRequest;
            Decision::Start(vec![Wanted::Build { event, purpose, stage, source: source.clone() }])
        }
    }
}

fn closed(rule: &PreviewRule, source: &Source, fork: bool) -> Decision {
    // the head of a fork may be called like a branch of ours that has a preview
    let Some(branch) = source.branch.as_ref().filter(|_| !fork) else {
        return nothing("a pull request from a fork has no preview to remove");
    };
    match rule.destroy {
        Destroy::PullRequestClosed => Decision::Start(vec![Wanted::RemovePreview {
            branch: branch.clone(),
            event: BuildEvent::PullRequestClosed,
        }]),
        Destroy::BranchDeleted => {
            nothing("the preview is kept until its branch is deleted, as the rule says")
        }
        Destroy::Never => nothing("the preview is kept: the rule says destroy: never"),
    }
}

#[cfg(test)]
mod tests;
