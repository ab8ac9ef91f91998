//! Branches and tags as we move and make them. None is ever forced, none is deleted.

use http::Method;
use serde::{Deserialize, Serialize};

use super::{GitHub, is_not_found};
use crate::api::escape;
use crate::error::Error;
use model::{BranchName, CommitSha, RepositoryName, TagName};

/// What came of moving a branch forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FastForward {
    /// It is at the commit now.
    Done,
    /// The commit does not contain what the branch is at.
    NotAFastForward,
    NoSuchBranch,
    /// The repository's own rules (a protected branch, a ruleset) forbid it, in GitHub's words.
    Forbidden {
        reason: String,
    },
}

/// What came of making a branch or a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewRef {
    Created,
    /// There is one of this name already, wherever it points.
    Exists,
    Forbidden {
        reason: String,
    },
}

/// Read so that an answer to anything else than a change of a ref is noticed.
#[derive(Deserialize)]
struct Moved {
    #[expect(dead_code, reason = "its presence is what counts")]
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    #[expect(dead_code, reason = "its presence is what counts")]
    sha: CommitSha,
}

#[derive(Serialize)]
struct Update<'a> {
    sha: &'a CommitSha,
    force: bool,
}

#[derive(Serialize)]
struct Create<'a> {
    #[serde(rename = "ref")]
    full_ref: String,
    sha: &'a CommitSha,
}

impl GitHub {
    /// Moves a branch to a commit that contains what it is at. GitHub decides: whoever pushed in
    /// between is not overwritten.
    pub async fn fast_forward(
        &self,
        repo: &RepositoryName,
        branch: &BranchName,
        to: &CommitSha,
    ) -> Result<FastForward, Error> {
        let path = format!("/git/refs/heads/{}", escape(branch.as_str()));
        let update = Update { sha: to, force: false };
        match self.send(Method::PATCH, repo, &path, Some(&update)).await {
            Ok(answer) => answer.json::<Moved>().map(|_| FastForward::Done),
            Err(Error::Rejected { status: 409 | 422, message }) => Ok(refused_move(message)),
            Err(error) => Err(self.not_visible(repo, error)),
        }
    }

    pub async fn create_branch(
        &self,
        repo: &RepositoryName,
        branch: &BranchName,
        at: &CommitSha,
    ) -> Result<NewRef, Error> {
        self.create_ref(repo, format!("refs/heads/{branch}"), at).await
    }

    /// Makes a lightweight tag.
    pub async fn create_tag(
        &self,
        repo: &RepositoryName,
        tag: &TagName,
        at: &CommitSha,
    ) -> Result<NewRef, Error> {
        self.create_ref(repo, format!("refs/tags/{tag}"), at).await
    }

    async fn create_ref(
        &self,
        repo: &RepositoryName,
        full_ref: String,
        at: &CommitSha,
    ) -> Result<NewRef, Error> {
        let create = Create { full_ref, sha: at };
        match self.send(Method::POST, repo, "/git/refs", Some(&create)).await {
            Ok(answer) => answer.json::<Moved>().map(|_| NewRef::Created),
            Err(Error::Rejected { status: 422, message }) if says(&message, "already exists") => {
                Ok(NewRef::Exists)
            }
            Err(Error::Rejected { status: 409 | 422, message }) => {
                Ok(NewRef::Forbidden { reason: message })
            }
            Err(error) if is_not_found(&error) => Err(self.not_visible(repo, error)),
            Err(error) => Err(error),
        }
    }
}

/// GitHub tells its refusals apart by their words alone ("Update is not a fast forward",
/// "Reference does not exist").
fn refused_move(message: String) -> FastForward {
    if says(&message, "not a fast forward") || says(&message, "not a fast-forward") {
        FastForward::NotAFastForward
    } else if says(&message, "reference does not exist") {
        FastForward::NoSuchBranch
    } else {
        FastForward::Forbidden { reason: message }
    }
}

fn says(message: &str, words: &str) -> bool {
    message.to_ascii_lowercase().contains(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn githubs_words_for_a_refusal_are_told_apart() {
        for (words, expected) in [
            ("Update is not a fast forward", FastForward::NotAFastForward),
            ("Reference does not exist", FastForward::NoSuchBranch),
        ] {
            assert_eq!(refused_move(words.to_owned()), expected);
        }
        let reason = "Repository rule violations found".to_owned();
        assert_eq!(refused_move(reason.clone()), FastForward::Forbidden { reason });
    }
}
