//! What the jobs of one worker process share: its directory, its sandbox, its mirrors, its cache.
//!
//! What always holds: one process uses a worker directory; a worker that cannot sandbox steps
//! (and was not told to do without) does not come to be.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::cache::{Cache, CacheError};
use crate::git::{Git, GitError, Mirrors};
use crate::sandbox::{self, Executor, ExecutorKind, SandboxError, SandboxSettings, WorkDirectory};

/// `http` is for a GitHub on the same machine; the server chooses the address.
const PROTOCOLS: &[&str] = &["https", "http"];
const GIT_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// Installed dependencies kept per worker.
const CACHE_LIMIT_BYTES: u64 = 10 * 1024 * 1024 * 1024;

/// Why the worker's directory or sandbox cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Cache(#[from] CacheError),
}

pub(crate) struct Machine {
    pub(crate) work: WorkDirectory,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) mirrors: Mirrors,
    pub(crate) cache: Cache,
    /// What `node --version` and its like answered in a sandbox: part of the cache's keys.
    pub(crate) node_versions: OnceCell<String>,
    /// What a job waits before it tries again what passes by itself, each time.
    pub(crate) retry_waits: Vec<Duration>,
}

impl Machine {
    pub(crate) async fn open(
        directory: &Path,
        cache: Option<PathBuf>,
        executor: ExecutorKind,
        slots: u16,
        retry_waits: Vec<Duration>,
    ) -> Result<Self, MachineError> {
        let work = WorkDirectory::open(directory)?;
        let settings = SandboxSettings { executor, ..SandboxSettings::default() };
        let executor = sandbox::open(&settings, &work, slots).await?;
        let git = Git::new(work.git_home(), PROTOCOLS, GIT_TIMEOUT);
        let mirrors = Mirrors::open(work.mirrors(), git)?;
        mirrors.reap()?;
        let cache = Cache::open(cache.unwrap_or_else(|| work.cache()), CACHE_LIMIT_BYTES)?;
        Ok(Self { work, executor, mirrors, cache, node_versions: OnceCell::new(), retry_waits })
    }
}
