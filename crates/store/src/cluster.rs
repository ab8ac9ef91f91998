//! A private PostgreSQL below the data directory, on a unix socket, for servers that were given no
//! database.
//!
//! What always holds: one process at a time owns the directory (a lock file); the postmaster is a
//! child of a thread that lives as long as the [`Cluster`], and is told to shut down when that
//! thread ends, however it ends; `fsync` stays on. Started as root, PostgreSQL runs as the user
//! `postgres`, who must be able to reach the directory.
//!
//! After a crash: initialisation is done beside its place and renamed, so it is whole or begins
//! anew. A postmaster that outlives its owner for a moment is waited for, then asked to stop; a
//! stale `postmaster.pid` is cleared. A postmaster that dies under a living owner is started again.

mod directory;
mod install;
mod owner;
mod postmaster;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use directory::Directory;
use nix::fcntl::Flock;
use postmaster::Postmaster;

/// How often a running postmaster is looked at.
const WATCH: Duration = Duration::from_millis(200);

#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error(
        "no PostgreSQL server is installed (looked for /usr/lib/postgresql/*/bin/postgres): run \
         apt-get install postgresql, or set database.url"
    )]
    NotInstalled,
    #[error(
        "the database in {data} was made by PostgreSQL {version}, which is not installed: run \
         apt-get install postgresql-{version}, or upgrade the database with pg_upgrade"
    )]
    VersionNotInstalled { data: PathBuf, version: String },
    #[error(
        "started as root, PostgreSQL must run as the user postgres, which does not exist: run \
         apt-get install postgresql, start greenroom as an ordinary user, or set database.url"
    )]
    NoUser,
    #[error(
        "the user postgres, as which PostgreSQL runs when greenroom is started as root, cannot \
         enter {blocked} (mode {mode:o}), which {path} is below: set data_dir to a place that it \
         can reach, such as /var/lib/greenroom, or set database.url"
    )]
    Unreachable { path: PathBuf, blocked: PathBuf, mode: u32 },
    #[error("{path} is too long for a unix socket (107 bytes): set data_dir to a shorter path")]
    SocketPath { path: PathBuf },
    #[error("another greenroom process runs on {path}: stop it first, or set another data_dir")]
    Taken { path: PathBuf },
    #[error("the postmaster {pid} of an earlier run still holds {path} and does not stop")]
    Held { path: PathBuf, pid: i32 },
    #[error("{program} failed: {output}")]
    Failed { program: &'static str, output: String },
    #[error("PostgreSQL was not ready after {} seconds; see {log}", .waited.as_secs())]
    NotReady { waited: Duration, log: PathBuf },
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
}

impl ClusterError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.into(), source }
    }
}

/// A running private PostgreSQL. Dropping it stops it.
#[derive(Debug)]
pub struct Cluster {
    url: String,
    thread: Option<Owned>,
    /// Given back last, after the postmaster is gone.
    _lock: Flock<std::fs::File>,
}

#[derive(Debug)]
struct Owned {
    /// Dropping it asks the thread to stop the postmaster.
    stop: SyncSender<()>,
    handle: JoinHandle<()>,
}

impl Cluster {
    /// Starts the cluster of a data directory, made if it is new. Blocks until it answers.
    pub fn start(data_dir: &Path) -> Result<Self, ClusterError> {
        let directory = Directory::prepare(data_dir)?;
        let lock = directory.lock()?;
        postmaster::settle(&directory)?;
        directory.initialise()?;
        let url = directory.url();
        let (stop, stopped) = sync_channel(0);
        let (ready, started) = sync_channel(1);
        let handle = std::thread::Builder::new()
            .name("postgres".into())
            .spawn(move || own(&directory, &ready, &stopped))
            .map_err(ClusterError::io(data_dir))?;
        let thread = Some(Owned { stop, handle });
        match started.recv() {
            Ok(Ok(())) => Ok(Self { url, thread, _lock: lock }),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                Err(ClusterError::Failed { program: "postgres", output: "its thread ended".into() })
            }
        }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Shuts the cluster down and waits for it.
    pub fn stop(self) {
        drop(self);
    }

    /// The URL of the cluster that another process runs on this data directory, if one does.
    pub fn attach(data_dir: &Path) -> Option<String> {
        let directory = Directory::existing(data_dir)?;
        postmaster::is_ready(&directory).then(|| directory.url())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(Owned { stop, handle }) = self.thread.take() {
            drop(stop);
            if handle.join().is_err() {
                tracing::error!("the thread that owns PostgreSQL failed");
            }
        }
    }
}

/// The life of the thread whose end PostgreSQL does not outlive.
fn own(
    directory: &Directory,
    ready: &SyncSender<Result<(), ClusterError>>,
    stopped: &Receiver<()>,
) {
    let mut postmaster = match Postmaster::start(directory) {
        Ok(postmaster) => postmaster,
        Err(error) => {
            // nobody hears it only if the caller is gone
            let _ = ready.send(Err(error));
            return;
        }
    };
    let _ = ready.send(Ok(()));
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(WATCH) {
        let Some(status) = postmaster.ended() else { continue };
        tracing::error!(%status, "PostgreSQL ended by itself; starting it again");
        match postmaster::settle(directory).and_then(|()| Postmaster::start(directory)) {
            Ok(again) => postmaster = again,
            Err(error) => tracing::error!(%error, "PostgreSQL could not be started"),
        }
    }
    postmaster.stop();
}
