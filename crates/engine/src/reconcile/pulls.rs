//! Open pull requests and their branches, and the previews that stand.
//!
//! What always holds: GitHub's lists are whole or an error, so what is missing from them is gone.
//! A preview in which something is being built is left alone until that has ended.

use std::collections::BTreeSet;

use github::{GitHub, PullRequestInfo};
use model::build::Source;
use model::rule::{Decision, Preview, PullRequestAction, RepositoryEvent, decide};
use model::stage::{StageKind, StageState};
use model::{BranchName, InvalidName};
use store::app::App;
use store::pull_request::PullRequestState;
use store::stage::Stage;

use super::branches::News;
use super::notice::{Notice, Proposal, What};
use super::{Halt, Memory, Seen, Went, is_recent};
use crate::Engine;

pub(super) async fn look(
    engine: &Engine,
    github: &GitHub,
    app: &App,
    seen: &Seen,
    memory: &mut Memory,
) -> Result<Went, Halt> {
    for pull in &seen.pulls {
        // a branch that is called as no rule could name it
        let Ok(proposal) = proposal(pull) else { continue };
        open(engine, github, app, seen, memory, proposal).await?;
    }
    closed(engine, github, app, seen).await?;
    gone(engine, github, app, seen).await?;
    Ok(Went::Well(seen.at))
}

fn proposal(pull: &PullRequestInfo) -> Result<Proposal, InvalidName> {
    Ok(Proposal {
        source: Source {
            commit: pull.head.sha.clone(),
            branch: Some(pull.head.branch.parse()?),
            tag: None,
            pull_request: Some(i64::try_from(pull.number).unwrap_or(i64::MAX)),
            title: pull.title.lines().next().unwrap_or("").trim().to_owned(),
            author: pull.author.clone().unwrap_or_default(),
        },
        base: pull.base_branch.parse()?,
        draft: pull.draft,
        fork: pull.head.fork,
        changed_at: pull.updated_at,
    })
}

/// An open pull request whose head was never built though a rule would build it, or of which
/// something else was not heard: that it was opened again, that it has another base.
async fn open(
    engine: &Engine,
    github: &GitHub,
    app: &App,
    seen: &Seen,
    memory: &mut Memory,
    proposal: Proposal,
) -> Result<(), Halt> {
    let Some(number) = proposal.source.pull_request else { return Ok(()) };
    let head = proposal.source.commit.clone();
    let (known, built) = {
        let mut conn = engine.db.acquire().await?;
        let known = store::pull_request::find(&mut conn, app.id, number).await?;
        let built = store::reconcile::built_of_pull_request(&mut conn, app.id, number, &head);
        (known, built.await?)
    };
    let left = known
        .as_ref()
        .filter(|known| known.base != proposal.base && known.state == PullRequestState::Open)
        .map(|known| known.base.clone());
    let is_back = known.as_ref().is_some_and(|known| match known.state {
        PullRequestState::Open => false,
        PullRequestState::Closed | PullRequestState::Gone => true,
    });
    let after = built.as_ref().map_or(0, |built| built.number);
    let what = What::Proposed { proposal: proposal.clone(), after, left: left.clone() };
    if !starts_something(app, proposal, left.as_ref()) {
        return Ok(());
    }
    if let Some(built) = built {
        let is_news = built.commit != head || is_back || left.is_some();
        if !is_news || is_recent(engine, seen, built.created_at) {
            return Ok(());
        }
    }
    let notice = Notice { app: app.id, what };
    if notice.is_known(engine).await? {
        return Ok(());
    }
    let news = News { never_built: after == 0 && known.is_none(), head: &head };
    if news.of(github, app, memory).await?.is_some() {
        notice.give(engine, seen.at).await?;
    }
    Ok(())
}

/// Whether the rules make anything of it.
fn starts_something(app: &App, proposal: Proposal, left: Option<&BranchName>) -> bool {
    let event = RepositoryEvent::PullRequest(proposal.event(action(left.cloned())));
    match decide(&app.settings, &event) {
        Decision::Start(_) => true,
        Decision::Nothing { .. } => false,
    }
}

/// What happened to an open pull request, as far as it matters. `left`: the base it had.
pub(super) fn action(left: Option<BranchName>) -> PullRequestAction {
    match left {
        Some(from) => PullRequestAction::BaseEdited { from },
        None => PullRequestAction::Synchronized,
    }
}

/// Pull requests that are open as far as is known here, and are not.
async fn closed(engine: &Engine, github: &GitHub, app: &App, seen: &Seen) -> Result<(), Halt> {
    let known = {
        let mut conn = engine.db.acquire().await?;
        store::pull_request::standing(&mut conn, app.id).await?
    };
    for known in known.into_iter().filter(|known| known.state == PullRequestState::Open) {
        let Ok(number) = u64::try_from(known.number) else { continue };
        if seen.pulls.iter().any(|open| open.number == number) {
            continue;
        }
        let Some(now) = github.pull_request(&app.repository, number).await? else { continue };
        match now.state {
            // it was opened again meanwhile
            github::PullRequestState::Open => continue,
            github::PullRequestState::Closed | github::PullRequestState::Merged => {}
        }
        let Ok(proposal) = proposal(&now) else { continue };
        Notice { app: app.id, what: What::Closed { proposal } }.give(engine, seen.at).await?;
    }
    Ok(())
}

/// Branches of ours that are gone, and had previews.
async fn gone(engine: &Engine, github: &GitHub, app: &App, seen: &Seen) -> Result<(), Halt> {
    let (stages, branches) = {
        let mut conn = engine.db.acquire().await?;
        let mut stages = store::stage::open(&mut conn, app.id).await?;
        stages.retain(|stage| match (stage.kind, stage.state) {
            (StageKind::Preview, StageState::Active) => true,
            (StageKind::LongLived | StageKind::Personal, _)
            | (
                StageKind::Preview,
                StageState::Removing | StageState::RemoveFailed | StageState::Closed,
            ) => false,
        });
        let shown = store::pull_request::standing(&mut conn, app.id).await?;
        let previews = stages.iter().filter_map(|stage| stage.branch.clone());
        let branches: BTreeSet<BranchName> =
            shown.into_iter().map(|pull| pull.branch).chain(previews).collect();
        (stages, branches)
    };
    for branch in branches {
        if seen.has(&branch) || is_head(seen, &branch) || is_kept(app, &branch) {
            continue;
        }
        let own = stages.iter().find(|stage| match stage.preview() {
            Some(Preview::OfBranch(of)) => of == branch,
            Some(Preview::Shared(_)) | None => false,
        });
        let after = match own {
            Some(stage) => match quiet_since(engine, seen, stage).await? {
                Some(after) => after,
                None => continue,
            },
            None => 0,
        };
        // it may have been pushed after the branches were listed
        if github.branch_head(&app.repository, branch.as_str()).await?.is_some() {
            continue;
        }
        let stage = own.map(|stage| stage.id);
        let notice = Notice { app: app.id, what: What::Gone { branch, stage, after } };
        notice.give(engine, seen.at).await?;
    }
    Ok(())
}

/// Whether the rules keep a preview of it, whatever becomes of the branch.
fn is_kept(app: &App, branch: &BranchName) -> bool {
    let event = RepositoryEvent::BranchDeleted { branch: branch.clone() };
    match decide(&app.settings, &event) {
        Decision::Start(_) => false,
        Decision::Nothing { .. } => true,
    }
}

/// The number of a preview's newest build (0: none), if nothing is being built in it.
async fn quiet_since(engine: &Engine, seen: &Seen, stage: &Stage) -> Result<Option<i64>, Halt> {
    let mut conn = engine.db.acquire().await?;
    if !store::build::unfinished_on(&mut conn, stage.id).await?.is_empty() {
        return Ok(None);
    }
    let latest = store::reconcile::latest_on(&mut conn, stage.id).await?;
    if latest.as_ref().is_some_and(|latest| is_recent(engine, seen, latest.created_at)) {
        return Ok(None);
    }
    Ok(Some(latest.map_or(0, |latest| latest.number)))
}

/// Whether an open pull request of the repository itself has this head.
fn is_head(seen: &Seen, branch: &BranchName) -> bool {
    seen.pulls.iter().any(|pull| !pull.head.fork && pull.head.branch == branch.as_str())
}
