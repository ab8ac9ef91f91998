//! Steps without a sandbox, for machines that are themselves thrown away after a job.
//!
//! Steps run as the worker's own user and see all it sees; the operator asked for it. Still held:
//! the environment starts empty, time and output are limited, and the whole tree is ended:
//! daemons are found by a mark in their environment.

use std::collections::BTreeMap;
use std::io::PipeWriter;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use async_trait::async_trait;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use super::spawner::Spawner;
use super::{
    Ending, Executor, Invocation, Room, Running, SandboxError, StepUser, base_environment,
};

const MARK: &str = "GREENROOM_STEP";

/// Runs steps as plain processes.
#[derive(Debug)]
pub struct Host {
    pub(super) path: String,
    pub(super) inherited: BTreeMap<String, String>,
    pub(super) spawner: Spawner,
}

#[async_trait]
impl Executor for Host {
    fn describe(&self) -> String {
        "host: no sandbox, no memory limit".to_owned()
    }

    fn user(&self, _slot: u16) -> Option<StepUser> {
        None
    }

    fn finds(&self, program: &str) -> bool {
        std::env::split_paths(&self.path).any(|place| place.join(program).is_file())
    }

    fn inside(&self, _room: &Room, path: &Path) -> Option<PathBuf> {
        Some(path.to_owned())
    }

    async fn start(
        &self,
        room: &Room,
        invocation: &Invocation,
        stdout: PipeWriter,
        stderr: PipeWriter,
    ) -> Result<Box<dyn Running>, SandboxError> {
        invocation.check()?;
        let mut mark = [0; 16];
        aws_lc_rs::rand::fill(&mut mark).map_err(|_| {
            SandboxError::io("marking a step")(std::io::Error::other("no randomness"))
        })?;
        let mark = hex::encode(mark);
        let mut env = base_environment(&room.home(), &self.path);
        env.extend(self.inherited.clone());
        env.extend(invocation.env.clone());
        env.insert(MARK.to_owned(), mark.clone());
        let mut command = Command::new(&invocation.argv[0]);
        command
            .args(&invocation.argv[1..])
            .current_dir(room.workspace().join(&invocation.cwd))
            .env_clear()
            .envs(env)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .kill_on_drop(true);
        let context = format!("starting {}", invocation.argv[0]);
        let child = self.spawner.spawn(command).await.map_err(SandboxError::io(context))?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        Ok(Box::new(Loose { child, group, mark: format!("{MARK}={mark}").into_bytes() }))
    }
}

#[derive(Debug)]
struct Loose {
    child: Child,
    group: Option<Pid>,
    mark: Vec<u8>,
}

impl Loose {
    fn signal_group(&self, signal: Signal) {
        if let Some(group) = self.group {
            // Nobody left to signal is what we want.
            let _ = killpg(group, signal);
        }
    }

    /// Kills every process that carries the mark, until none is found: a process may fork while
    /// the list is read.
    fn kill_marked(&self) {
        while std::fs::read_dir("/proc").into_iter().flatten().flatten().any(|process| {
            let pid = process.file_name().to_string_lossy().parse::<i32>().ok();
            let environment = pid.and_then(|_| std::fs::read(process.path().join("environ")).ok());
            let marked = environment
                .is_some_and(|all| all.split(|byte| *byte == 0).any(|one| one == self.mark));
            marked && pid.is_some_and(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok())
        }) {}
    }
}

#[async_trait]
impl Running for Loose {
    async fn wait(&mut self) -> Result<Ending, SandboxError> {
        let status = self.child.wait().await.map_err(SandboxError::io("waiting for a step"))?;
        Ok(match (status.code(), status.signal()) {
            (Some(code @ 129..=192), _) => Ending::Signaled(code - 128),
            (Some(code), _) => Ending::Exited(code),
            (None, signal) => Ending::Signaled(signal.unwrap_or(Signal::SIGKILL as i32)),
        })
    }

    fn terminate(&mut self) {
        self.signal_group(Signal::SIGTERM);
    }

    async fn end(&mut self) -> Result<(), SandboxError> {
        self.signal_group(Signal::SIGKILL);
        self.kill_marked();
        self.group = None;
        self.child.wait().await.map(drop).map_err(SandboxError::io("ending a step"))
    }
}

impl Drop for Loose {
    fn drop(&mut self) {
        if self.group.is_some() {
            self.signal_group(Signal::SIGKILL);
            self.kill_marked();
        }
    }
}
