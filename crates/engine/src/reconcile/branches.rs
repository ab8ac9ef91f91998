//! Heads of branches that a rule names, and what was built of them.
//!
//! What always holds: a branch's newest build in each of its stages is of its head, or a notice
//! says so, once. A head that was there before the app's file was put into force is left alone:
//! nobody pushed it since, and an app file starts nothing by itself.

use github::GitHub;
use model::build::Source;
use model::rule::{Decision, RepositoryEvent, StageWanted, Wanted, decide};
use model::{BranchName, CommitSha, StageName};
use store::app::App;
use store::reconcile::Built;

use super::notice::{Notice, What};
use super::{Halt, Memory, Seen, Went, is_recent};
use crate::Engine;

pub(super) async fn look(
    engine: &Engine,
    github: &GitHub,
    app: &App,
    seen: &Seen,
    memory: &mut Memory,
) -> Result<Went, Halt> {
    for (branch, head) in &seen.branches {
        let stages = stages(app, branch, head);
        if stages.is_empty() {
            continue;
        }
        let Some(after) = lost(engine, app, seen, branch, head, &stages).await? else { continue };
        let notice = |title: String, author: String, message: String| Notice {
            app: app.id,
            what: What::Pushed {
                source: Source {
                    commit: head.clone(),
                    branch: Some(branch.clone()),
                    tag: None,
                    pull_request: None,
                    title,
                    author,
                },
                message,
                after,
            },
        };
        if notice(String::new(), String::new(), String::new()).is_known(engine).await? {
            continue;
        }
        let news = News { never_built: after == 0, head };
        let Some(commit) = news.of(github, app, memory).await? else { continue };
        let title = commit.message.lines().next().unwrap_or("").trim().to_owned();
        notice(title, commit.author, commit.message).give(engine, seen.at).await?;
    }
    Ok(Went::Well(seen.at))
}

/// The stages that a push of this branch would be built for.
fn stages(app: &App, branch: &BranchName, head: &CommitSha) -> Vec<StageName> {
    let push = RepositoryEvent::Pushed {
        source: Source {
            commit: head.clone(),
            branch: Some(branch.clone()),
            tag: None,
            pull_request: None,
            title: String::new(),
            author: String::new(),
        },
        message: String::new(),
    };
    match decide(&app.settings, &push) {
        Decision::Start(wanted) => wanted.into_iter().filter_map(stage_of).collect(),
        Decision::Nothing { .. } => Vec::new(),
    }
}

pub(super) fn stage_of(wanted: Wanted) -> Option<StageName> {
    match wanted {
        Wanted::Build(build) => match build.stage {
            StageWanted::LongLived(name) => Some(name),
            StageWanted::Preview { .. } | StageWanted::None => None,
        },
        Wanted::RemovePreview { .. } => None,
    }
}

/// The number of the branch's newest build (0: none), if that is of another commit in any stage.
async fn lost(
    engine: &Engine,
    app: &App,
    seen: &Seen,
    branch: &BranchName,
    head: &CommitSha,
    stages: &[StageName],
) -> Result<Option<i64>, Halt> {
    let mut conn = engine.db.acquire().await?;
    let mut built: Vec<Option<Built>> = Vec::new();
    for stage in stages {
        let newest =
            store::reconcile::built_of_branch(&mut conn, app.id, stage, branch, head).await?;
        built.push(newest);
    }
    let missing = built.iter().any(|built| built.as_ref().is_none_or(|b| b.commit != *head));
    let recent = built.iter().flatten().any(|built| is_recent(engine, seen, built.created_at));
    let newest = built.iter().flatten().map(|built| built.number).max().unwrap_or(0);
    Ok((missing && !recent).then_some(newest))
}

/// A head of which nothing tells when it was pushed.
pub(super) struct News<'a> {
    /// Nothing was ever built of its branch, so its age decides.
    pub(super) never_built: bool,
    pub(super) head: &'a CommitSha,
}

impl News<'_> {
    /// The commit, if it came after the app's file did.
    pub(super) async fn of(
        &self,
        github: &GitHub,
        app: &App,
        memory: &mut Memory,
    ) -> Result<Option<github::CommitInfo>, Halt> {
        let key = (app.id, self.head.clone());
        if self.never_built && memory.old.contains(&key) {
            return Ok(None);
        }
        // gone again: the next look sees what came instead
        let Some(commit) = github.commit(&app.repository, self.head).await? else {
            return Ok(None);
        };
        // git's times have whole seconds
        if self.never_built && commit.committed_at.timestamp() < app.updated_at.timestamp() {
            memory.old.insert(key);
            return Ok(None);
        }
        Ok(Some(commit))
    }
}
