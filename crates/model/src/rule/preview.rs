//! Pull requests and deleted branches: when a preview is built, and when it is removed.
//!
//! What always holds: whether another pull request still needs a preview cannot be told from the
//! event; whoever carries out a removal asks [`keeps`] of each that is shown in it.

use super::{
    BuildWanted, Decision, Preview, PullRequestAction, PullRequestEvent, StageWanted, Wanted,
    nothing, skip,
};
use crate::app::{
    Destroy, Drafts, PreviewDeploy, PreviewRule, PreviewStageName, RefPattern, Settings,
};
use crate::build::{BuildEvent, Purpose};
use crate::stage::same_stage;
use crate::{BranchName, StageName};

/// The rule for pull requests against `base`: one that names it, else the first whose glob
/// matches it.
pub fn rule_for<'a>(settings: &'a Settings, base: &BranchName) -> Option<&'a PreviewRule> {
    let names = |pattern: &RefPattern<BranchName>| match pattern {
        RefPattern::Name(name) => name == base,
        RefPattern::Glob(_) => false,
    };
    settings.preview_rules().find(|rule| rule.base.iter().any(names)).or_else(|| {
        settings.preview_rules().find(|rule| rule.base.iter().any(|any| any.matches(base)))
    })
}

/// The rule of a preview that stands: the one that gives it its name, else the one for the base of
/// its pull request.
pub fn rule_of<'a>(
    settings: &'a Settings,
    stage: &StageName,
    base: Option<&BranchName>,
) -> Option<&'a PreviewRule> {
    let shared = settings.preview_rules().find(|rule| match &rule.stage_name {
        PreviewStageName::Branch => false,
        PreviewStageName::Fixed(name) => same_stage(name, stage),
    });
    shared.or_else(|| rule_for(settings, base?))
}

/// How much of the app a preview holds when the base of its pull request is not known, as for a
/// build by hand: the whole of it if any rule says so, so that nothing is missing.
pub fn preview_deploy(settings: &Settings) -> PreviewDeploy {
    settings
        .preview_rules()
        .map(|rule| rule.deploy)
        .find(|deploy| *deploy == PreviewDeploy::All)
        .unwrap_or_default()
}

/// How far a pull request that was shown in a preview has gone; its branch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    Open,
    Closed,
}

/// Whether a pull request keeps the preview that it is shown in.
///
/// An open one does. A closed one keeps a preview that it shares with others, as long as the rule
/// is to wait for its branch: a preview that only one branch has goes with that branch anyway.
pub fn keeps(preview: &Preview, rule: Option<&PreviewRule>, pull_request: Shown) -> bool {
    match (pull_request, preview, rule.map(|rule| rule.destroy)) {
        (Shown::Open, Preview::OfBranch(_) | Preview::Shared(_), _)
        | (Shown::Closed, Preview::Shared(_), Some(Destroy::BranchDeleted)) => true,
        (Shown::Closed, Preview::OfBranch(_), _)
        | (
            Shown::Closed,
            Preview::Shared(_),
            Some(Destroy::PullRequestClosed | Destroy::Never) | None,
        ) => false,
    }
}

/// The base of the pull request is not known here. A preview is kept only if every rule says so,
/// and removed also when its rule is gone: rather that than a stack nobody remembers. Whoever
/// knows the preview's own rule asks it too.
pub(super) fn branch_deleted(settings: &Settings, branch: &BranchName) -> Decision {
    let mut rules = settings.preview_rules().peekable();
    if rules.peek().is_some() && rules.all(|rule| rule.destroy == Destroy::Never) {
        return nothing(format!(
            "the preview of branch {branch} is kept: the rule says destroy: never"
        ));
    }
    let shared = settings.shared_previews().cloned().map(Preview::Shared);
    let all = [Preview::OfBranch(branch.clone())].into_iter().chain(shared);
    let event = BuildEvent::BranchDeleted;
    Decision::Start(all.map(|preview| Wanted::RemovePreview { preview, event }).collect())
}

pub(super) fn pull_request(settings: &Settings, event: &PullRequestEvent) -> Decision {
    let rule = rule_for(settings, &event.base);
    match (&event.action, rule) {
        (PullRequestAction::BaseEdited { from }, rule) => base_edited(settings, event, from, rule),
        (_, None) => nothing(format!("no preview rule for pull requests against {}", event.base)),
        (PullRequestAction::Closed, Some(rule)) => closed(rule, event),
        (PullRequestAction::ConvertedToDraft, Some(_)) => {
            nothing("a pull request that becomes a draft keeps the preview it has")
        }
        (PullRequestAction::ReadyForReview, Some(rule)) => match rule.drafts {
            Drafts::Build => nothing("it was built as a draft already"),
            Drafts::Ignore => decided(wanted(rule, event)),
        },
        (
            PullRequestAction::Opened
            | PullRequestAction::Reopened
            | PullRequestAction::Synchronized,
            Some(rule),
        ) => decided(wanted(rule, event)),
    }
}

fn decided(wanted: Result<Wanted, String>) -> Decision {
    match wanted {
        Ok(wanted) => Decision::Start(vec![wanted]),
        Err(reason) => nothing(reason),
    }
}

/// The build of a pull request, or why there is none.
fn wanted(rule: &PreviewRule, event: &PullRequestEvent) -> Result<Wanted, String> {
    if let Some(marker) = skip::marker(&event.source.title) {
        return Err(format!("the pull request's title says {marker}"));
    }
    match rule.drafts {
        Drafts::Ignore if event.draft => {
            return Err("it is a draft, and the rule says drafts: ignore; it is built when it is \
                        ready for review"
                .into());
        }
        Drafts::Build | Drafts::Ignore => {}
    }
    let (purpose, stage) = match (preview_of(rule, event), event.fork) {
        (_, true) => (Purpose::Test, StageWanted::None),
        (Some(preview), false) => {
            let (base, deploy) = (event.base.clone(), rule.deploy);
            (Purpose::Deploy, StageWanted::Preview { preview, base, deploy })
        }
        (None, false) => return Err("the pull request has no head branch".into()),
    };
    Ok(Wanted::Build(Box::new(BuildWanted {
        event: BuildEvent::PullRequest,
        purpose,
        stage,
        source: event.source.clone(),
        services: rule.services.clone(),
    })))
}

/// Which preview the rule shows the pull request in; none without a head branch.
fn preview_of(rule: &PreviewRule, event: &PullRequestEvent) -> Option<Preview> {
    let head = event.source.branch.as_ref()?;
    Some(match &rule.stage_name {
        PreviewStageName::Branch => Preview::OfBranch(head.clone()),
        PreviewStageName::Fixed(name) => Preview::Shared(name.clone()),
    })
}

fn closed(rule: &PreviewRule, event: &PullRequestEvent) -> Decision {
    // the head of a fork may be called like a branch of ours that has a preview
    let Some(preview) = preview_of(rule, event).filter(|_| !event.fork) else {
        return nothing("a pull request from a fork has no preview to remove");
    };
    match rule.destroy {
        Destroy::PullRequestClosed => {
            let event = BuildEvent::PullRequestClosed;
            Decision::Start(vec![Wanted::RemovePreview { preview, event }])
        }
        Destroy::BranchDeleted => {
            nothing("the preview is kept until its branch is deleted, as the rule says")
        }
        Destroy::Never => nothing("the preview is kept: the rule says destroy: never"),
    }
}

/// The pull request may leave the rule it was under, and come under another.
fn base_edited(
    settings: &Settings,
    event: &PullRequestEvent,
    from: &BranchName,
    rule: Option<&PreviewRule>,
) -> Decision {
    let now = rule.and_then(|rule| preview_of(rule, event));
    let left = rule_for(settings, from)
        .filter(|old| old.destroy != Destroy::Never && !event.fork)
        .and_then(|old| preview_of(old, event))
        .filter(|preview| now.as_ref() != Some(preview))
        .map(|preview| Wanted::RemovePreview { preview, event: BuildEvent::PullRequest });
    let built = match rule {
        Some(rule) => wanted(rule, event),
        None => Err(format!("no preview rule for pull requests against {}", event.base)),
    };
    match (built, left) {
        (Err(reason), None) => nothing(reason),
        (built, left) => Decision::Start(built.into_iter().chain(left).collect()),
    }
}
