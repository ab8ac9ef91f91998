//! Commits as we look at them: what was said with one, by whom and when.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::GitHub;
use crate::error::Error;
use model::{CommitSha, RepositoryName};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    pub message: String,
    /// GitHub login of who wrote it, or else the name that stands in the commit.
    pub author: String,
    /// By the clock of whoever made it.
    pub committed_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Wire {
    commit: WireCommit,
    #[serde(default)]
    author: Option<User>,
}

#[derive(Deserialize)]
struct WireCommit {
    message: String,
    author: Person,
    committer: Person,
}

#[derive(Deserialize)]
struct Person {
    name: String,
    date: DateTime<Utc>,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

impl From<Wire> for CommitInfo {
    fn from(wire: Wire) -> Self {
        Self {
            message: wire.commit.message,
            author: wire.author.map_or(wire.commit.author.name, |user| user.login),
            committed_at: wire.commit.committer.date,
        }
    }
}

impl GitHub {
    /// One commit; None if the repository does not have it.
    pub async fn commit(
        &self,
        repo: &RepositoryName,
        sha: &CommitSha,
    ) -> Result<Option<CommitInfo>, Error> {
        let outcome = match self.get::<Wire>(repo, &format!("/commits/{sha}")).await {
            // "No commit found for SHA: …"
            Err(Error::Rejected { status: 422, .. }) => return Ok(None),
            outcome => outcome,
        };
        Ok(self.absent_or(repo, outcome).await?.map(CommitInfo::from))
    }
}
