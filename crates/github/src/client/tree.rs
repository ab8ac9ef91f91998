//! The files of a commit, by name, and the texts of a few: to look into a repository before
//! anything of it is cloned.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::GitHub;
use crate::error::Error;
use model::{CommitSha, RepositoryName};

/// A commit's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    pub files: Vec<TreeFile>,
    /// GitHub left some out: it lists 100,000 entries or 7 MB at most ("Get a tree",
    /// docs.github.com).
    pub truncated: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeFile {
    /// Relative to the root.
    pub path: String,
    /// Of the blob.
    pub sha: CommitSha,
    pub size_bytes: u64,
}

#[derive(Deserialize)]
struct WireTree {
    tree: Vec<WireEntry>,
    truncated: bool,
}

#[derive(Deserialize)]
struct WireEntry {
    path: String,
    /// `blob`, `tree` or `commit` (a submodule)
    #[serde(rename = "type")]
    kind: String,
    sha: CommitSha,
    #[serde(default)]
    size: u64,
}

#[derive(Deserialize)]
struct WireBlob {
    content: String,
    encoding: String,
}

impl GitHub {
    pub async fn tree(&self, repo: &RepositoryName, commit: &CommitSha) -> Result<Tree, Error> {
        let path = format!("/git/trees/{commit}?recursive=1");
        let wire: WireTree =
            self.get(repo, &path).await.map_err(|error| self.not_visible(repo, error))?;
        let blobs = wire.tree.into_iter().filter(|entry| entry.kind == "blob");
        let file = |entry: WireEntry| TreeFile {
            path: entry.path,
            sha: entry.sha,
            size_bytes: entry.size,
        };
        Ok(Tree { files: blobs.map(file).collect(), truncated: wire.truncated })
    }

    /// The bytes of one file of a tree.
    pub async fn blob(&self, repo: &RepositoryName, file: &TreeFile) -> Result<Vec<u8>, Error> {
        let call = format!("GET /repos/{repo}/git/blobs/{}", file.sha);
        let wire: WireBlob = self.get(repo, &format!("/git/blobs/{}", file.sha)).await?;
        let garbled = |problem: String| Error::Garbled { call: call.clone(), problem };
        if wire.encoding != "base64" {
            return Err(garbled(format!("its encoding is {}", wire.encoding)));
        }
        let text: String = wire.content.split_ascii_whitespace().collect();
        STANDARD.decode(text).map_err(|error| garbled(error.to_string()))
    }
}
