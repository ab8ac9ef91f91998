//! Source code on the worker: one bare mirror per repository, one detached worktree per job.
//!
//! What always holds: nothing a user wrote (branch, tag, path) is ever an option of git: refs are
//! passed whole (`refs/heads/…`), commits as hexadecimal names, paths on standard input or after
//! `--`; directories are named by hashes and ids. A token is in the environment of one git
//! process and nowhere else. No configuration, hook, filter or credential helper of the machine
//! takes part. git never runs on a worktree again once a step could write to it.
//!
//! After a crash: a fetch that was cut short leaves unused objects behind, which [`Mirrors::tidy`] sweeps; a
//! worktree whose directory is gone is forgotten at the next start ([`Mirrors::reap`]). A mirror
//! is a cache: it may be deleted whenever the worker is stopped.

mod command;
mod history;
mod mirror;
mod tree;
mod workspace;

use std::time::Duration;

pub use command::Git;
pub use mirror::{Fetch, Fetched, Mirror, Mirrors, Reference, Worktree};
pub use tree::{Entry, EntryKind, Tree};
pub use workspace::{Workspace, WorkspaceError};

/// Why git did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("git is not installed: install the package git")]
    Missing,
    #[error(
        "{url} refused access: check that the GitHub App or token may read this repository ({detail})"
    )]
    Refused { url: String, detail: String },
    #[error("commit {commit} is not in {url} any more: it was probably replaced by a forced push")]
    CommitGone { commit: String, url: String },
    #[error("commit {0} is not in the mirror")]
    NotInMirror(String),
    #[error("{path} in commit {commit} is larger than {limit} bytes")]
    TooLarge { path: String, commit: String, limit: u64 },
    #[error("git {action} did not end within {} seconds", limit.as_secs())]
    TimedOut { action: &'static str, limit: Duration },
    #[error("git {action} failed: {detail}")]
    Failed { action: &'static str, detail: String },
    #[error("{context}: {source}")]
    Io { context: String, source: std::io::Error },
}

impl GitError {
    fn io(context: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let context = context.into();
        |source| Self::Io { context, source }
    }
}
