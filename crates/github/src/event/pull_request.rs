//! The `pull_request` event, for the actions that change what is to be built or kept.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{Event, Id, Login, ParseError, Repository, read, read_action};
use model::{CommitSha, RepositoryName};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    pub action: PullRequestAction,
    pub number: u64,
    pub title: String,
    pub draft: bool,
    pub head: PullRequestHead,
    pub base: PullRequestBase,
    pub author: Option<String>,
    /// When anything of it last changed, in whole seconds.
    pub changed_at: Option<DateTime<Utc>>,
    /// The repository of the base: where the pull request lives.
    pub repository: Repository,
    pub installation: Option<u64>,
    pub sender: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullRequestAction {
    Opened,
    Reopened,
    /// The head branch got new commits.
    Synchronize,
    Closed {
        merged: bool,
    },
    /// It was a draft and is none any more.
    ReadyForReview,
    ConvertedToDraft,
    /// The pull request goes into another branch than before.
    EditedBase {
        from: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequestHead {
    pub branch: String,
    pub sha: CommitSha,
    /// None when the repository of the head no longer exists.
    pub repository: Option<RepositoryName>,
    /// True unless the head is known to be a branch of the base's own repository: what nobody
    /// can vouch for is treated as a stranger's.
    pub fork: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequestBase {
    pub branch: String,
    pub sha: CommitSha,
}

#[derive(Deserialize)]
struct Wire {
    pull_request: WirePull,
    #[serde(default)]
    changes: Changes,
    repository: Repository,
    #[serde(default)]
    installation: Option<Id>,
    #[serde(default)]
    sender: Option<Login>,
}

#[derive(Deserialize)]
struct WirePull {
    number: u64,
    title: String,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    merged: Option<bool>,
    #[serde(default)]
    user: Option<Login>,
    #[serde(default)]
    updated_at: Option<DateTime<Utc>>,
    head: WireHead,
    base: WireBase,
}

#[derive(Deserialize)]
struct WireHead {
    #[serde(rename = "ref")]
    branch: String,
    sha: CommitSha,
    repo: Option<WireRepository>,
}

#[derive(Deserialize)]
struct WireRepository {
    id: u64,
    full_name: RepositoryName,
}

#[derive(Deserialize)]
struct WireBase {
    #[serde(rename = "ref")]
    branch: String,
    sha: CommitSha,
}

#[derive(Default, Deserialize)]
struct Changes {
    #[serde(default)]
    base: Option<ChangedBase>,
}

#[derive(Deserialize)]
struct ChangedBase {
    #[serde(rename = "ref")]
    branch: From,
}

#[derive(Deserialize)]
struct From {
    from: String,
}

/// The actions that change what is to be built or kept.
const ACTIONS: [&str; 7] = [
    "opened",
    "reopened",
    "synchronize",
    "ready_for_review",
    "converted_to_draft",
    "closed",
    "edited",
];

pub(super) fn parse(body: &[u8]) -> Result<Event, ParseError> {
    let action = read_action("pull_request", body)?;
    if !ACTIONS.contains(&action.as_str()) {
        return Ok(Event::ignored_action("pull_request", &action));
    }
    let wire: Wire = read("pull_request", body)?;
    let pull = wire.pull_request;
    let action = match action.as_str() {
        "opened" => PullRequestAction::Opened,
        "reopened" => PullRequestAction::Reopened,
        "synchronize" => PullRequestAction::Synchronize,
        "ready_for_review" => PullRequestAction::ReadyForReview,
        "converted_to_draft" => PullRequestAction::ConvertedToDraft,
        "closed" => PullRequestAction::Closed { merged: pull.merged.unwrap_or(false) },
        _edited => match wire.changes.base {
            Some(base) => PullRequestAction::EditedBase { from: base.branch.from },
            None => {
                return Ok(Event::ignored("the pull request was edited, its base was not"));
            }
        },
    };
    let fork = pull.head.repo.as_ref().is_none_or(|repo| repo.id != wire.repository.id);
    Ok(Event::PullRequest(PullRequest {
        action,
        number: pull.number,
        title: pull.title,
        draft: pull.draft,
        head: PullRequestHead {
            branch: pull.head.branch,
            sha: pull.head.sha,
            repository: pull.head.repo.map(|repo| repo.full_name),
            fork,
        },
        base: PullRequestBase { branch: pull.base.branch, sha: pull.base.sha },
        author: Login::of(pull.user),
        changed_at: pull.updated_at,
        repository: wire.repository,
        installation: Id::of(wire.installation.as_ref()),
        sender: Login::of(wire.sender),
    }))
}
