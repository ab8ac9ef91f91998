//! A worker's directory, a repository to fetch from, a log in memory.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use model::worker_api::{LogGroup, LogHead};
use model::{CommitSha, JobId};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use worker::log::{Chunk, ChunkSink, Log, LogSettings, LogTask, SinkError};
use worker::sandbox::{Executor, ExecutorKind, Limits, Room, SandboxSettings, WorkDirectory, open};
use worker::step::{Command as StepCommand, StepEnd, StepSpec, run};

/// An id that no other test has, and none of the last run: ext4 places a room by its name.
pub(crate) fn id() -> uuid::Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    uuid::Uuid::from_u64_pair(std::process::id().into(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A directory that the steps' users can pass through, as a worker's is.
pub(crate) fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o711)).unwrap();
    directory
}

/// A worker with a sandbox and nothing to do.
pub(crate) struct Bench {
    pub(crate) directory: TempDir,
    pub(crate) work: WorkDirectory,
    pub(crate) executor: Arc<dyn Executor>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(ExecutorKind::Bubblewrap).await
    }

    pub(crate) async fn with(executor: ExecutorKind) -> Self {
        let directory = directory();
        let work = WorkDirectory::open(&directory.path().join("work")).unwrap();
        let settings = SandboxSettings { executor, ..SandboxSettings::default() };
        let executor = open(&settings, &work, 2).await.unwrap();
        Self { directory, work, executor }
    }

    /// A room with an empty workspace.
    pub(crate) fn room(&self, slot: u16) -> Room {
        let room = self.bare_room(slot);
        std::fs::create_dir(room.workspace()).unwrap();
        room.give(self.executor.user(slot), &room.workspace()).unwrap();
        room
    }

    /// A room without a workspace.
    pub(crate) fn bare_room(&self, slot: u16) -> Room {
        let job = JobId(id());
        self.work.room(job, 1, slot, self.executor.user(slot)).unwrap()
    }

    pub(crate) async fn bash(&self, room: &Room, line: &str) -> (StepEnd, String) {
        self.step(room, &bash(line)).await
    }

    pub(crate) async fn step(&self, room: &Room, step: &StepSpec) -> (StepEnd, String) {
        let (log, task, chunks) = log();
        let cancel = CancellationToken::new();
        let end = run(step, room, &*self.executor, &log, &cancel).await.unwrap();
        task.finish().await.unwrap();
        (end, chunks.text())
    }
}

pub(crate) fn bash(line: &str) -> StepSpec {
    let limits = Limits { wall: Duration::from_secs(60), ..Limits::default() };
    StepSpec {
        name: "test".to_owned(),
        command: StepCommand::Shell(line.to_owned()),
        cwd: PathBuf::new(),
        env: BTreeMap::new(),
        secrets: Vec::new(),
        limits,
    }
}

/// Keeps what it is sent, and checks that the numbers follow each other.
#[derive(Default)]
pub(crate) struct Chunks(Mutex<Vec<Chunk>>);

impl Chunks {
    pub(crate) fn text(&self) -> String {
        let bytes: Vec<u8> =
            self.0.lock().unwrap().iter().flat_map(|chunk| chunk.bytes.to_vec()).collect();
        String::from_utf8(bytes).unwrap()
    }

    /// The groups as they were told last, and the preludes that were not empty.
    pub(crate) fn heads(&self) -> (Vec<LogGroup>, Vec<String>) {
        let heads: Vec<LogHead> =
            self.0.lock().unwrap().iter().map(|chunk| chunk.head.clone()).collect();
        let preludes = heads.iter().map(|head| head.prelude.clone());
        let preludes = preludes.filter(|prelude| !prelude.is_empty()).collect();
        let mut groups: BTreeMap<u32, LogGroup> = BTreeMap::new();
        for group in heads.into_iter().flat_map(|head| head.groups) {
            groups.insert(group.ordinal, group);
        }
        (groups.into_values().collect(), preludes)
    }

    pub(crate) fn sizes(&self) -> Vec<usize> {
        self.0.lock().unwrap().iter().map(|chunk| chunk.bytes.len()).collect()
    }
}

#[async_trait]
impl ChunkSink for Chunks {
    async fn send(&self, seq: i64, chunk: Chunk) -> Result<(), SinkError> {
        let mut chunks = self.0.lock().unwrap();
        assert_eq!(seq, i64::try_from(chunks.len()).unwrap(), "chunks are numbered from 0");
        assert!(!chunk.bytes.is_empty() || !chunk.head.groups.is_empty(), "it says nothing");
        chunks.push(chunk);
        Ok(())
    }
}

pub(crate) fn settings() -> LogSettings {
    LogSettings::new(Arc::new(|| chrono::DateTime::UNIX_EPOCH))
}

pub(crate) fn log() -> (Log, LogTask, Arc<Chunks>) {
    let chunks = Arc::new(Chunks::default());
    let (log, task) = Log::start(chunks.clone(), &[], settings()).unwrap();
    (log, task, chunks)
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a process with this text in its command line runs on the machine.
pub(crate) fn runs(marker: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|process| {
        let arguments = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(marker)
    })
}

/// A repository with a working tree to make commits in.
pub(crate) struct Origin {
    directory: TempDir,
}

impl Origin {
    pub(crate) fn new() -> Self {
        let origin = Self { directory: directory() };
        origin.git(&["init", "--quiet", "--initial-branch=master"]);
        origin
    }

    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(self.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs(
                ["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_DATE"), "1700000000 +0000")),
            )
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "a")))
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "a@b.c")))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn commit(&self) -> CommitSha {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "a change"]);
        self.git(&["rev-parse", "HEAD"]).parse().unwrap()
    }
}
