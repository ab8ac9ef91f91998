//! Repositories, their branches and tags.

use serde::Deserialize;

use super::GitHub;
use crate::api::escape;
use crate::error::Error;
use model::{CommitSha, RepositoryName, TagName};

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RepositoryInfo {
    /// Stays the same through renames and transfers.
    pub id: u64,
    /// As it is called now; GitHub answers for old names too.
    #[serde(rename = "full_name")]
    pub name: RepositoryName,
    pub default_branch: String,
    pub private: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    pub name: String,
    pub head: CommitSha,
}

#[derive(Deserialize)]
struct WireBranch {
    name: String,
    commit: Commit,
}

#[derive(Deserialize)]
struct Commit {
    sha: CommitSha,
}

/// A reference, or a tag object: both say what they point to.
#[derive(Deserialize)]
struct Pointer {
    object: Target,
}

#[derive(Deserialize)]
struct Target {
    sha: CommitSha,
    /// `commit`, `tag`, `tree` or `blob`
    #[serde(rename = "type")]
    kind: String,
}

/// Tags of tags of tags: nobody nests them deeper but to waste our calls.
const TAGS_FOLLOWED: usize = 4;

impl GitHub {
    pub async fn repository(&self, repo: &RepositoryName) -> Result<RepositoryInfo, Error> {
        self.get(repo, "").await.map_err(|error| self.not_visible(repo, error))
    }

    /// The commit that a branch points to; None if the repository has no such branch.
    pub async fn branch_head(
        &self,
        repo: &RepositoryName,
        branch: &str,
    ) -> Result<Option<CommitSha>, Error> {
        // Not `/branches/…`: that follows renames, and would find another branch's head.
        let path = format!("/git/ref/heads/{}", escape(branch));
        let outcome = match self.get::<Pointer>(repo, &path).await {
            // "Git Repository is empty."
            Err(Error::Rejected { status: 409, .. }) => return Ok(None),
            outcome => outcome,
        };
        let found = self.absent_or(repo, outcome).await?;
        Ok(found.map(|reference| reference.object.sha))
    }

    /// The commit that a tag leads to, through tag objects where it is an annotated one; None if
    /// the repository has no such tag, or if it leads to no commit.
    pub async fn tag_commit(
        &self,
        repo: &RepositoryName,
        tag: &TagName,
    ) -> Result<Option<CommitSha>, Error> {
        // Not `/commits/tags/…`: a branch may be called so too, and stand in for a missing tag.
        let path = format!("/git/ref/tags/{}", escape(tag.as_str()));
        let outcome = match self.get::<Pointer>(repo, &path).await {
            // "Git Repository is empty."
            Err(Error::Rejected { status: 409, .. }) => return Ok(None),
            outcome => outcome,
        };
        let Some(found) = self.absent_or(repo, outcome).await? else { return Ok(None) };
        let mut target = found.object;
        for _ in 0..TAGS_FOLLOWED {
            match target.kind.as_str() {
                "commit" => return Ok(Some(target.sha)),
                "tag" => {
                    let path = format!("/git/tags/{}", target.sha);
                    target = self.get::<Pointer>(repo, &path).await?.object;
                }
                _ => return Ok(None),
            }
        }
        Ok((target.kind == "commit").then_some(target.sha))
    }

    /// All branches with their heads.
    pub async fn branches(&self, repo: &RepositoryName) -> Result<Vec<Branch>, Error> {
        let found: Vec<WireBranch> = self.list(repo, "/branches").await?;
        Ok(found
            .into_iter()
            .map(|branch| Branch { name: branch.name, head: branch.commit.sha })
            .collect())
    }
}
