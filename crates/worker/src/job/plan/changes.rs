//! What differs from commits deployed earlier, which this worker may never have seen.
//!
//! What always holds: a commit that is gone, or with which nothing is shared, is no failure: it
//! is told as unknown, and then everything counts as changed.

use model::CommitSha;
use model::plan::Changes;
use secrecy::SecretString;

use crate::git::{Fetch, GitError, Mirror};
use crate::job::context::Job;
use crate::job::halt::Halt;

pub(super) struct Past<'a> {
    pub(super) job: &'a Job,
    pub(super) mirror: &'a Mirror,
    pub(super) url: &'a str,
    pub(super) token: &'a SecretString,
}

impl Past<'_> {
    /// All that differs between a commit and the build's own, whoever changed it.
    pub(super) async fn changed_since(&self, commit: &CommitSha) -> Result<Changes, Halt> {
        if let Some(gone) = self.bring(commit).await? {
            return Ok(gone);
        }
        let files = self.mirror.changed_files(commit, self.ours()).await?;
        Ok(Changes::Files { files })
    }

    /// What changed on the build's side since the two parted.
    pub(super) async fn changed_here(&self, commit: &CommitSha) -> Result<Changes, Halt> {
        if let Some(gone) = self.bring(commit).await? {
            return Ok(gone);
        }
        if self.mirror.is_shallow() {
            for commit in [commit, self.ours()] {
                self.mirror.deepen(&self.fetching(commit)).await?;
            }
        }
        match self.mirror.merge_base(commit, self.ours()).await? {
            Some(base) => {
                let files = self.mirror.changed_files(&base, self.ours()).await?;
                Ok(Changes::Files { files })
            }
            None => {
                let reason = format!("it shares no history with {}", self.ours().short());
                Ok(self.unknown(commit, reason).await)
            }
        }
    }

    fn ours(&self) -> &CommitSha {
        &self.job.assignment().source.commit
    }

    fn fetching<'a>(&'a self, commit: &'a CommitSha) -> Fetch<'a> {
        let build = self.job.assignment().build;
        Fetch { url: self.url, token: Some(self.token), commit, fallback: None, build }
    }

    /// Makes sure that the commit is here; what to answer if it cannot be had.
    async fn bring(&self, commit: &CommitSha) -> Result<Option<Changes>, Halt> {
        if self.mirror.has(commit).await? {
            return Ok(None);
        }
        match self.mirror.fetch(&self.fetching(commit)).await {
            Ok(_) => {}
            Err(error @ (GitError::CommitGone { .. } | GitError::NotInMirror(_))) => {
                return Ok(Some(self.unknown(commit, error.to_string()).await));
            }
            Err(error) => return Err(error.into()),
        }
        // The pin of this build belongs to its own commit again.
        self.mirror.fetch(&self.fetching(self.ours())).await?;
        Ok(None)
    }

    async fn unknown(&self, commit: &CommitSha, reason: String) -> Changes {
        let note = format!("{}: {reason}; every file counts as changed", commit.short());
        self.job.log().note(&note).await;
        Changes::Unknown { reason }
    }
}
