//! Where two commits parted: what a preview changed, without what the other side did since.

use model::CommitSha;

use super::command::Invocation;
use super::{GitError, Mirror};

impl Mirror {
    /// Whether the commit is here; nothing is said of those before it.
    pub async fn has(&self, commit: &CommitSha) -> Result<bool, GitError> {
        if !self.path.join("HEAD").exists() {
            return Ok(false);
        }
        let object = format!("{commit}^{{commit}}");
        let invocation = Invocation::new("cat-file", &self.path, ["cat-file", "-e", &object]);
        Ok(self.git.run(invocation).await?.success)
    }

    /// The best common ancestor of two commits; `None` when they have none, as far as the history
    /// reaches that is here ([`Mirror::is_shallow`]).
    pub async fn merge_base(
        &self,
        one: &CommitSha,
        other: &CommitSha,
    ) -> Result<Option<CommitSha>, GitError> {
        let arguments = ["merge-base", "--end-of-options", one.as_str(), other.as_str()];
        let output = self.git.run(Invocation::new("merge-base", &self.path, arguments)).await?;
        if output.success {
            let text = String::from_utf8_lossy(&output.stdout);
            return text.trim().parse().map(Some).map_err(|_| GitError::Failed {
                action: "merge-base",
                detail: format!("its answer {:?} is not understood", text.trim()),
            });
        }
        if output.stderr.is_empty() {
            return Ok(None);
        }
        for commit in [one, other] {
            if !self.has(commit).await? {
                return Err(GitError::NotInMirror(commit.to_string()));
            }
        }
        Err(GitError::Failed { action: "merge-base", detail: output.stderr })
    }

    /// Whether commits are here without all that came before them. No fetch of ours makes it so.
    pub fn is_shallow(&self) -> bool {
        self.path.join("shallow").exists()
    }
}
