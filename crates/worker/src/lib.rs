//! Runs jobs: claims them from the server, does them on this machine, reports how they ended.
//!
//! [`run`] is the whole of a worker process: it takes its directory, tries its sandbox out,
//! registers, and lets each slot claim (`claim`). A job goes from assignment to report in `job`,
//! one file per kind; `hold` keeps its lease and says when it must stop; [`client`] is the worker
//! API. `detect`, `node` and `framework` know what a commit's files mean.
//!
//! What the machine does for a job: [`git`] brings the source, [`sandbox`] holds the steps,
//! [`step`] runs one, [`log`] carries what it prints, [`cache`] saves installed dependencies,
//! [`archive`] packs what it made.
//!
//! What always holds: a worker has no identity at AWS, no credential of GitHub and no database.
//! What it needs for a job it asks the server for, job by job. After a crash the next start clears
//! the directory, and the new incarnation's registration gives back what the old one held.

pub mod archive;
pub mod cache;
mod claim;
pub mod client;
mod detect;
mod framework;
pub mod git;
mod hold;
mod job;
pub mod log;
mod machine;
mod node;
mod retry;
pub mod sandbox;
pub mod step;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use client::{CallError, Client};
use machine::Machine;
pub use machine::MachineError;
pub use sandbox::ExecutorKind;

/// How a worker process is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the server answers, such as `https://greenroom.example.com`.
    pub server_url: String,
    pub token: SecretString,
    /// Unique among the server's workers: a second one of the name takes the first one's jobs.
    pub name: String,
    /// This process's own directory: mirrors, rooms of jobs.
    pub work_dir: PathBuf,
    /// Cached installs, which several processes may share; below `work_dir` if none is named.
    pub cache_dir: Option<PathBuf>,
    /// How many jobs run at once.
    pub slots: u16,
    pub executor: ExecutorKind,
    /// What a job waits before it tries again what AWS is known to refuse for a moment only, as
    /// often as there are waits: [`model::transient::WAITS`].
    pub retry_waits: Vec<Duration>,
}

/// Why a worker does not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Server(CallError),
    #[error(
        "the server did not take this worker: {0}; check the worker's token and that server and worker are of one version"
    )]
    Register(CallError),
    #[error(
        "another worker process has taken this one's name ({detail}): give each worker its own name"
    )]
    Replaced { detail: String },
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error("a slot of the worker failed: {0}")]
    Slot(String),
}

/// Runs jobs until `shutdown`. Jobs that run then may end within a grace period.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    let Config { server_url, token, name, work_dir, cache_dir, slots, executor, retry_waits } =
        config;
    let client = Client::new(&server_url, token).map_err(Error::Server)?;
    let machine = Machine::open(&work_dir, cache_dir, executor, slots, retry_waits).await?;
    let machine = Arc::new(machine);
    let presented = claim::presentation(name, slots, machine.executor.describe());
    let Some(registered) = claim::register(&client, &presented, &shutdown).await? else {
        return Ok(());
    };
    tracing::info!(
        worker = %registered.worker, slots, executor = presented.executor, "the worker takes jobs"
    );
    claim::run(machine, client, presented, registered, shutdown).await
}
