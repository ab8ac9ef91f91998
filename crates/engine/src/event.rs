//! What GitHub said, in the words of the rules. Pure.
//!
//! What always holds: every name is parsed here; one that git or GitHub cannot have made ends as
//! an error of the delivery that says so, never deeper in.

use chrono::{DateTime, Utc};
use github::Event;
use github::event::{
    GitRef, InstallationAction, IssueComment, PullRequest, PullRequestAction as Said, Push,
    PushKind, RepositoryChange,
};
use model::build::Source;
use model::comment::command::{Line, WORD, read};
use model::comment::is_ours;
use model::rule::{PullRequestAction, PullRequestEvent, RepositoryEvent};
use model::{CommitSha, InvalidName, Login};

/// What a delivery asks for.
#[derive(Debug)]
pub(crate) enum Meaning {
    /// The rules decide.
    Event(RepositoryEvent),
    /// The rules decide, once it is known that nothing newer was heard of the pull request.
    PullRequest {
        event: PullRequestEvent,
        number: i64,
        /// GitHub's time of it.
        changed_at: Option<DateTime<Utc>>,
    },
    /// Somebody asks for something in a comment.
    Comment(Remark),
    /// Rows about the repository itself change.
    Repository(RepositoryChange),
    Installation {
        id: i64,
        added: Vec<String>,
        removed: Vec<String>,
    },
    /// Nothing to do, and why.
    Nothing(String),
}

/// A comment on a pull request that asks for something.
#[derive(Debug)]
pub(crate) struct Remark {
    /// GitHub's number of it.
    pub(crate) id: i64,
    pub(crate) pull_request: i64,
    pub(crate) author: Login,
    pub(crate) author_id: i64,
    pub(crate) written_at: DateTime<Utc>,
    /// At least one.
    pub(crate) lines: Vec<Line>,
}

pub(crate) fn meaning(event: Event) -> Result<Meaning, InvalidName> {
    Ok(match event {
        Event::Push(push) => pushed(&push)?,
        Event::PullRequest(pull_request) => proposed(&pull_request)?,
        Event::IssueComment(comment) => commented(&comment)?,
        Event::Delete(deletion) => match deletion.git_ref {
            GitRef::Branch(branch) => {
                Meaning::Event(RepositoryEvent::BranchDeleted { branch: branch.parse()? })
            }
            GitRef::Tag(_) => Meaning::Nothing("a deleted tag starts nothing".into()),
        },
        Event::Ping { zen } => Meaning::Nothing(format!("GitHub's webhook works: {zen}")),
        Event::Installation(installation) => {
            use InstallationAction as A;
            let repositories =
                installation.repositories.into_iter().map(|r| r.name.as_str().to_owned()).collect();
            let id = number(installation.id);
            match installation.action {
                A::Created | A::Unsuspended | A::NewPermissionsAccepted => {
                    Meaning::Installation { id, added: repositories, removed: Vec::new() }
                }
                A::Deleted | A::Suspended => {
                    Meaning::Installation { id, added: Vec::new(), removed: repositories }
                }
            }
        }
        Event::InstallationRepositories(change) => Meaning::Installation {
            id: number(change.id),
            added: change.added.into_iter().map(|r| r.name.as_str().to_owned()).collect(),
            removed: change.removed.into_iter().map(|r| r.name.as_str().to_owned()).collect(),
        },
        Event::Repository(change) => Meaning::Repository(change),
        Event::Ignored { reason } => Meaning::Nothing(reason),
    })
}

fn pushed(push: &Push) -> Result<Meaning, InvalidName> {
    if let PushKind::Deleted { .. } = push.kind {
        return Ok(match &push.git_ref {
            GitRef::Branch(branch) => {
                Meaning::Event(RepositoryEvent::BranchDeleted { branch: branch.parse()? })
            }
            GitRef::Tag(_) => Meaning::Nothing("a deleted tag starts nothing".into()),
        });
    }
    let Some(commit) = push.commit() else {
        return Ok(Meaning::Nothing("the pushed ref leads to no commit".into()));
    };
    let commit: CommitSha = commit.as_str().parse()?;
    let message = push.head_commit.as_ref().map_or("", |head| head.message.as_str());
    let author = push
        .sender
        .clone()
        .or_else(|| push.head_commit.as_ref().map(|head| head.author.clone()))
        .unwrap_or_default();
    let (branch, tag) = match &push.git_ref {
        GitRef::Branch(branch) => (Some(branch.parse()?), None),
        GitRef::Tag(tag) => (None, Some(tag.parse()?)),
    };
    let title = first_line(message).to_owned();
    Ok(Meaning::Event(RepositoryEvent::Pushed {
        source: Source { commit, branch, tag, pull_request: None, title, author },
        message: message.to_owned(),
    }))
}

fn proposed(pull_request: &PullRequest) -> Result<Meaning, InvalidName> {
    let action = match &pull_request.action {
        Said::Opened => PullRequestAction::Opened,
        Said::Reopened => PullRequestAction::Reopened,
        Said::Synchronize => PullRequestAction::Synchronized,
        Said::ReadyForReview => PullRequestAction::ReadyForReview,
        Said::ConvertedToDraft => PullRequestAction::ConvertedToDraft,
        Said::Closed { .. } => PullRequestAction::Closed,
        Said::EditedBase { from } => PullRequestAction::BaseEdited { from: from.parse()? },
    };
    let number = number(pull_request.number);
    let event = PullRequestEvent {
        action,
        source: Source {
            commit: pull_request.head.sha.as_str().parse()?,
            branch: Some(pull_request.head.branch.parse()?),
            tag: None,
            pull_request: Some(number),
            title: first_line(&pull_request.title).to_owned(),
            author: pull_request
                .sender
                .clone()
                .or_else(|| pull_request.author.clone())
                .unwrap_or_default(),
        },
        base: pull_request.base.branch.parse()?,
        draft: pull_request.draft,
        fork: pull_request.head.fork,
    };
    Ok(Meaning::PullRequest { event, number, changed_at: pull_request.changed_at })
}

fn commented(comment: &IssueComment) -> Result<Meaning, InvalidName> {
    if is_ours(&comment.body) {
        return Ok(Meaning::Nothing("the comment is this server's own".into()));
    }
    let lines = read(&comment.body);
    if lines.is_empty() {
        return Ok(Meaning::Nothing(format!(
            "the comment asks for nothing: no line of it begins with {WORD}"
        )));
    }
    Ok(Meaning::Comment(Remark {
        id: number(comment.id),
        pull_request: number(comment.number),
        author: comment.author.login.parse()?,
        author_id: number(comment.author.id),
        written_at: comment.written_at,
        lines,
    }))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("").trim()
}

/// GitHub's numbers fit a `bigint` for as long as GitHub keeps them in one.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
