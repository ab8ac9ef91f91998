//! Pull requests and deleted branches: when a preview is built, and when it is removed.

use super::{Decision, PullRequestAction, StageWanted, Wanted, nothing, skip};
use crate::BranchName;
use crate::app::{Destroy, PreviewDeploy, PreviewRule, RefPattern, Rule, Settings};
use crate::build::{BuildEvent, Purpose, Source};

fn rules(settings: &Settings) -> impl Iterator<Item = &PreviewRule> {
    settings.rules.iter().filter_map(|rule| match rule {
        Rule::Preview { preview } => Some(preview),
        Rule::Branch { .. } | Rule::Tag { .. } => None,
    })
}

/// The rule for pull requests against `base`: one that names it, else the first whose glob
/// matches it.
fn rule_for<'a>(settings: &'a Settings, base: &BranchName) -> Option<&'a PreviewRule> {
    let names = |pattern: &RefPattern<BranchName>| match pattern {
        RefPattern::Name(name) => name == base,
        RefPattern::Glob(_) => false,
    };
    rules(settings)
        .find(|rule| rule.base.iter().any(names))
        .or_else(|| rules(settings).find(|rule| rule.base.iter().any(|any| any.matches(base))))
}

/// How much of the app a preview holds when the base of its pull request is not known, as for a
/// build by hand: the whole of it if any rule says so, so that nothing is missing.
pub fn preview_deploy(settings: &Settings) -> PreviewDeploy {
    rules(settings)
        .map(|rule| rule.deploy)
        .find(|deploy| *deploy == PreviewDeploy::All)
        .unwrap_or_default()
}

/// The base of the pull request is not known here. A preview is kept only if every rule says so,
/// and removed also when its rule is gone: rather that than a stack nobody remembers.
pub(super) fn branch_deleted(settings: &Settings, branch: &BranchName) -> Decision {
    let mut rules = rules(settings).peekable();
    if rules.peek().is_some() && rules.all(|rule| rule.destroy == Destroy::Never) {
        return nothing(format!(
            "the preview of branch {branch} is kept: the rule says destroy: never"
        ));
    }
    let event = BuildEvent::BranchDeleted;
    Decision::Start(vec![Wanted::RemovePreview { branch: branch.clone(), event }])
}

pub(super) fn pull_request(
    settings: &Settings,
    action: PullRequestAction,
    source: &Source,
    base: &BranchName,
    fork: bool,
) -> Decision {
    let Some(rule) = rule_for(settings, base) else {
        return nothing(format!("no preview rule for pull requests against {base}"));
    };
    match action {
        PullRequestAction::Closed => closed(rule, source, fork),
        PullRequestAction::Opened
        | PullRequestAction::Reopened
        | PullRequestAction::Synchronized
        | PullRequestAction::BaseEdited => wanted(rule, source, fork),
    }
}

fn wanted(rule: &PreviewRule, source: &Source, fork: bool) -> Decision {
    if let Some(marker) = skip::marker(&source.title) {
        return nothing(format!("the pull request's title says {marker}"));
    }
    let deploy = rule.deploy;
    let (purpose, stage) = match (&source.branch, fork) {
        (_, true) => (Purpose::Test, StageWanted::None),
        (Some(head), false) => {
            (Purpose::Deploy, StageWanted::PreviewOf { branch: head.clone(), deploy })
        }
        (None, false) => return nothing("the pull request has no head branch"),
    };
    Decision::Start(vec![Wanted::Build {
        event: BuildEvent::PullRequest,
        purpose,
        stage,
        source: source.clone(),
        services: rule.services.clone(),
    }])
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
