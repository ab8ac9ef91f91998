//! Where steps run: what they may see, what they may use up, and that nothing of them outlives them.
//!
//! [`Executor`] is the one trait a job's steps are run through: [`Bubblewrap`] on this machine,
//! [`Host`] where an operator wrote `executor = "host"`, others later. The contract of each:
//! the room's workspace and home, an environment that starts empty, limits, output into the pipes
//! it is given, and the end of the whole process tree, daemons included.
//!
//! What bubblewrap's steps see: their workspace (`/workspace`) and home (`/home/step`), writable;
//! the system's programs and certificates, the job's mirror, read-only; a `/tmp`, `/dev` and
//! `/proc` of their own. Nothing else of the machine's files or processes. The network is the
//! host's, for package managers need it: services that listen on the worker's loopback, and a
//! cloud's metadata address, can be reached by steps and must not trust them.
//!
//! After a crash of the worker the kernel ends the steps (`--die-with-parent`); rooms and
//! cgroups that were left behind are removed at the next start.

mod bubblewrap;
mod cgroup;
mod files;
mod host;
mod probe;
mod room;
mod spawner;
mod tools;

use std::collections::BTreeMap;
use std::io::PipeWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;

pub use bubblewrap::Bubblewrap;
pub use files::{StepUser, remove_tree};
pub use host::Host;
pub use probe::open;
pub use room::{Room, WorkDirectory};

/// Which executor the operator chose, and how.
#[derive(Debug, Clone)]
pub struct SandboxSettings {
    pub executor: ExecutorKind,
    /// With a root worker, slot N's steps run as user and group `first_uid + N`. These need no
    /// entry in the machine's passwd file, and should be used by nothing else.
    pub first_uid: u32,
    /// Files and directories that steps may read at the same path, besides the system's.
    pub readable: Vec<PathBuf>,
    /// Names of the worker's own environment variables that steps inherit.
    pub inherit: Vec<String>,
}

impl Default for SandboxSettings {
    fn default() -> Self {
        let inherit = [
            "NODE_EXTRA_CA_CERTS",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "REQUESTS_CA_BUNDLE",
            "http_proxy",
            "https_proxy",
            "no_proxy",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "NO_PROXY",
        ];
        Self {
            executor: ExecutorKind::Bubblewrap,
            first_uid: 64_000,
            readable: Vec::new(),
            inherit: inherit.map(str::to_owned).to_vec(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutorKind {
    Bubblewrap,
    Host,
}

/// What a step may use up.
#[derive(Debug, Clone)]
pub struct Limits {
    pub wall: Duration,
    /// Between the request to end and the end.
    pub grace: Duration,
    pub memory_bytes: u64,
    /// Processes and threads.
    pub processes: u32,
    /// The largest file it may write.
    pub file_bytes: u64,
    pub tmp_bytes: u64,
    /// What it may print.
    pub output_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const GIB: u64 = 1024 * 1024 * 1024;
        Self {
            wall: Duration::from_hours(1),
            grace: Duration::from_secs(10),
            memory_bytes: 4 * GIB,
            processes: 4096,
            file_bytes: 8 * GIB,
            tmp_bytes: 2 * GIB,
            output_bytes: 256 * 1024 * 1024,
        }
    }
}

/// A command to run in a room.
#[derive(Debug, Clone)]
pub struct Invocation {
    pub argv: Vec<String>,
    /// Relative to the workspace; checked by [`crate::git::Workspace::directory`] or refused by
    /// the executor.
    pub cwd: PathBuf,
    /// Added to the executor's own small environment, which it overrides.
    pub env: BTreeMap<String, String>,
    pub limits: Limits,
}

/// Runs commands of jobs.
#[async_trait]
pub trait Executor: Send + Sync {
    /// What this executor can do, for the log at the start and the workers' page.
    fn describe(&self) -> String;

    /// The user that steps of this slot run as, when it is not the worker's own.
    fn user(&self, slot: u16) -> Option<StepUser>;

    /// Whether steps find this program.
    fn finds(&self, program: &str) -> bool;

    /// The name that steps know a file of the room by; `None` if they cannot see it.
    fn inside(&self, room: &Room, path: &Path) -> Option<PathBuf>;

    /// Starts a command. The pipes are the command's standard output and standard error.
    async fn start(
        &self,
        room: &Room,
        invocation: &Invocation,
        stdout: PipeWriter,
        stderr: PipeWriter,
    ) -> Result<Box<dyn Running>, SandboxError>;
}

/// A command that was started. Dropped, it is killed.
#[async_trait]
pub trait Running: Send {
    /// Waits for the command; may be dropped and called again.
    async fn wait(&mut self) -> Result<Ending, SandboxError>;

    /// Asks every process of the command to end.
    fn terminate(&mut self);

    /// Ends what is left of the command: every process it started. To be called once, always.
    async fn end(&mut self) -> Result<(), SandboxError>;
}

/// How a command ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Exited(i32),
    Signaled(i32),
    MemoryLimit,
}

/// Why there is no sandbox, or why a command could not be started in it.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error(
        "{program} is not installed: install the package {package}, or write executor = \"host\" \
         to run steps without a sandbox"
    )]
    Missing { program: &'static str, package: &'static str },
    #[error("steps cannot be sandboxed on this machine: {reason}. {remedy}")]
    Unavailable { reason: String, remedy: String },
    #[error("the worker directory {0} is in use by another worker: give each its own")]
    DirectoryInUse(PathBuf),
    #[error("{0:?} is no name of an environment variable: use letters, digits and underscores")]
    BadVariable(String),
    #[error("the value of {0} contains a zero byte")]
    BadValue(String),
    #[error("{0:?} leads out of the repository: use a path inside it")]
    BadDirectory(PathBuf),
    #[error("the step has no command")]
    NoCommand,
    #[error("{context}: {source}")]
    Io { context: String, source: std::io::Error },
}

impl SandboxError {
    fn io(context: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let context = context.into();
        |source| Self::Io { context, source }
    }
}

impl Invocation {
    /// What no executor should have to cope with.
    fn check(&self) -> Result<(), SandboxError> {
        if self.argv.is_empty() {
            return Err(SandboxError::NoCommand);
        }
        let plain = |part: std::path::Component<'_>| {
            matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir)
        };
        if !self.cwd.components().all(plain) {
            return Err(SandboxError::BadDirectory(self.cwd.clone()));
        }
        for (name, value) in &self.env {
            let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty()
                || !name.chars().all(valid)
                || name.starts_with(|c: char| c.is_ascii_digit())
            {
                return Err(SandboxError::BadVariable(name.clone()));
            }
            if value.contains('\0') {
                return Err(SandboxError::BadValue(name.clone()));
            }
        }
        match self.argv.iter().find(|argument| argument.contains('\0')) {
            Some(_) => Err(SandboxError::BadValue("the command".to_owned())),
            None => Ok(()),
        }
    }
}

/// The environment every step begins with.
fn base_environment(home: &Path, path: &str) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> = [
        ("CI", "true"),
        ("GREENROOM", "true"),
        ("LANG", "C.UTF-8"),
        ("TERM", "dumb"),
        ("TZ", "UTC"),
        ("TMPDIR", "/tmp"),
        ("USER", "step"),
        ("LOGNAME", "step"),
        ("SHELL", "/bin/bash"),
        ("PATH", path),
        ("GIT_TERMINAL_PROMPT", "0"),
        // The worker's own cloud identity, should it have one, is not for steps.
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    env.insert("HOME".to_owned(), home.to_string_lossy().into_owned());
    env
}
