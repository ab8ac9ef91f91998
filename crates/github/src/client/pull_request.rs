//! Pull requests as they are now (for what happened to them see [`crate::event`]).

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::GitHub;
use crate::error::Error;
use model::{CommitSha, RepositoryName};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequestInfo {
    pub number: u64,
    pub title: String,
    pub state: PullRequestState,
    pub draft: bool,
    pub head: HeadRef,
    pub base_branch: String,
    pub author: Option<String>,
    /// When anything of it last changed, in whole seconds.
    pub updated_at: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullRequestState {
    Open,
    Closed,
    Merged,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadRef {
    pub branch: String,
    pub sha: CommitSha,
    /// None when the repository of the head no longer exists.
    pub repository: Option<RepositoryName>,
    /// True unless the head is known to be a branch of the base's own repository.
    pub fork: bool,
}

#[derive(Deserialize)]
struct Wire {
    number: u64,
    title: String,
    state: WireState,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    merged_at: Option<String>,
    #[serde(default)]
    user: Option<User>,
    updated_at: DateTime<Utc>,
    head: WireSide,
    base: WireSide,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum WireState {
    Open,
    Closed,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
struct WireSide {
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

impl From<Wire> for PullRequestInfo {
    fn from(wire: Wire) -> Self {
        let id = |side: &WireSide| side.repo.as_ref().map(|repo| repo.id);
        let fork = id(&wire.head).is_none() || id(&wire.head) != id(&wire.base);
        Self {
            number: wire.number,
            title: wire.title,
            state: match (wire.state, wire.merged_at) {
                (WireState::Open, _) => PullRequestState::Open,
                (WireState::Closed, None) => PullRequestState::Closed,
                (WireState::Closed, Some(_)) => PullRequestState::Merged,
            },
            draft: wire.draft,
            head: HeadRef {
                branch: wire.head.branch,
                sha: wire.head.sha,
                repository: wire.head.repo.map(|repo| repo.full_name),
                fork,
            },
            base_branch: wire.base.branch,
            author: wire.user.map(|user| user.login),
            updated_at: wire.updated_at,
        }
    }
}

impl GitHub {
    /// All open pull requests into this repository.
    pub async fn open_pull_requests(
        &self,
        repo: &RepositoryName,
    ) -> Result<Vec<PullRequestInfo>, Error> {
        let found: Vec<Wire> = self.list(repo, "/pulls?state=open").await?;
        Ok(found.into_iter().map(PullRequestInfo::from).collect())
    }

    /// One pull request; None if the repository has none of this number.
    pub async fn pull_request(
        &self,
        repo: &RepositoryName,
        number: u64,
    ) -> Result<Option<PullRequestInfo>, Error> {
        let outcome = self.get::<Wire>(repo, &format!("/pulls/{number}")).await;
        let found = self.absent_or(repo, outcome).await?;
        Ok(found.map(PullRequestInfo::from))
    }
}
