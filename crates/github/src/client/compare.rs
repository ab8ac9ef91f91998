//! Two commits side by side: which one contains the other.

use serde::Deserialize;

use super::GitHub;
use crate::error::Error;
use model::{CommitSha, RepositoryName};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    pub relation: Relation,
    /// The commits between the last one that both share and `head`.
    pub commits: u64,
}

/// How `head` stands to `base`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    Identical,
    /// `head` contains `base`: a branch at `base` can be moved to it without losing a commit.
    Ahead {
        by: u64,
    },
    /// `base` contains `head`.
    Behind {
        by: u64,
    },
    /// Each has commits that the other lacks.
    Diverged {
        ahead_by: u64,
        behind_by: u64,
    },
}

#[derive(Deserialize)]
struct Wire {
    status: WireStatus,
    ahead_by: u64,
    behind_by: u64,
    total_commits: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum WireStatus {
    Identical,
    Ahead,
    Behind,
    Diverged,
}

impl From<Wire> for Comparison {
    fn from(wire: Wire) -> Self {
        let relation = match wire.status {
            WireStatus::Identical => Relation::Identical,
            WireStatus::Ahead => Relation::Ahead { by: wire.ahead_by },
            WireStatus::Behind => Relation::Behind { by: wire.behind_by },
            WireStatus::Diverged => {
                Relation::Diverged { ahead_by: wire.ahead_by, behind_by: wire.behind_by }
            }
        };
        Self { relation, commits: wire.total_commits }
    }
}

impl GitHub {
    /// How `head` stands to `base`; None if the repository lacks one of them, or if they share no
    /// history.
    pub async fn compare(
        &self,
        repo: &RepositoryName,
        base: &CommitSha,
        head: &CommitSha,
    ) -> Result<Option<Comparison>, Error> {
        // One commit a page: only the numbers are of interest.
        let path = format!("/compare/{base}...{head}?per_page=1&page=1");
        let outcome = self.get::<Wire>(repo, &path).await;
        Ok(self.absent_or(repo, outcome).await?.map(Comparison::from))
    }
}
