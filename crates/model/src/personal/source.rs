//! What a command runs with, as far as git can say.

use serde::{Deserialize, Serialize};

use crate::{BranchName, CommitSha};

/// The state of a clone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// What is checked out.
    pub commit: CommitSha,
    /// The newest commit below it that a remote has; a removal works from that one. `None`: none is
    /// known.
    #[serde(default)]
    pub pushed: Option<CommitSha>,
    #[serde(default)]
    pub branch: Option<BranchName>,
    /// Files differ from the commit.
    #[serde(default)]
    pub dirty: bool,
}

impl Source {
    /// The commit that others can most likely get.
    pub fn known(&self) -> &CommitSha {
        self.pushed.as_ref().unwrap_or(&self.commit)
    }
}
