//! Finds out at the start whether steps can be sandboxed here, by running one; says what to do
//! when not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::JobId;
use tokio::io::AsyncReadExt;

use super::cgroup::Memory;
use super::spawner::Spawner;
use super::tools::{self, SearchPath};
use super::{
    Bubblewrap, Ending, Executor, ExecutorKind, Host, Invocation, Limits, SandboxError,
    SandboxSettings, WorkDirectory,
};

const PROBE_TIME: Duration = Duration::from_secs(20);

/// The executor that the settings ask for, tried out; `slots` jobs at once will use it.
pub async fn open(
    settings: &SandboxSettings,
    work: &WorkDirectory,
    slots: u16,
) -> Result<Arc<dyn Executor>, SandboxError> {
    let mut inherited: BTreeMap<String, String> = settings
        .inherit
        .iter()
        .filter_map(|name| Some((name.clone(), std::env::var(name).ok()?)))
        .collect();
    match settings.executor {
        ExecutorKind::Host => {
            let path =
                std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
            inherited.remove("PATH");
            Ok(Arc::new(Host { path, inherited, spawner: Spawner::start()? }))
        }
        ExecutorKind::Bubblewrap => {
            let executor = bubblewrap(settings, work, inherited)?;
            for slot in 0..slots {
                executor.furnish(slot)?;
            }
            try_out(&executor, work).await?;
            Ok(Arc::new(executor))
        }
    }
}

fn bubblewrap(
    settings: &SandboxSettings,
    work: &WorkDirectory,
    inherited: BTreeMap<String, String>,
) -> Result<Bubblewrap, SandboxError> {
    let root = nix::unistd::geteuid().is_root();
    require("bwrap", "bubblewrap")?;
    require("prlimit", "util-linux")?;
    if root {
        require("setpriv", "util-linux")?;
    }
    let path = SearchPath::of_worker(root);
    let mut readable: BTreeSet<PathBuf> = settings.readable.iter().cloned().collect();
    for directory in path.added() {
        readable.insert(prefix_of(directory));
        // `npm` is a link out of its `bin` on some systems.
        if let Ok(real) = directory.canonicalize() {
            readable.insert(prefix_of(&real));
        }
    }
    for value in inherited.values().filter(|value| value.starts_with('/')) {
        let path = Path::new(value);
        if path.exists() && !path.starts_with("/etc/ssl") && !path.starts_with("/usr") {
            readable.insert(path.to_owned());
        }
    }
    Ok(Bubblewrap {
        memory: Memory::probe(),
        first_uid: root.then_some(settings.first_uid),
        slots: work.slots(),
        readable: readable.into_iter().collect(),
        path,
        inherited,
        spawner: Spawner::start()?,
    })
}

fn require(program: &'static str, package: &'static str) -> Result<(), SandboxError> {
    if !tools::is_installed(program) {
        return Err(SandboxError::Missing { program, package });
    }
    Ok(())
}

/// What a tool needs beside its own directory: `…/v20.1.0` for `…/v20.1.0/bin`.
fn prefix_of(directory: &Path) -> PathBuf {
    match directory.parent() {
        Some(prefix) if directory.ends_with("bin") && prefix.components().count() > 2 => {
            prefix.to_owned()
        }
        _ => directory.to_owned(),
    }
}

/// Runs `true` as a step would be.
async fn try_out(executor: &Bubblewrap, work: &WorkDirectory) -> Result<(), SandboxError> {
    let user = executor.user(0);
    let room = work.room(JobId(uuid::Uuid::nil()), 0, 0, user)?;
    std::fs::create_dir_all(room.workspace())
        .map_err(SandboxError::io("making the probe's workspace"))?;
    room.give(user, &room.workspace())?;
    let (reader, writer) = std::io::pipe().map_err(SandboxError::io("making a pipe"))?;
    let stderr = writer.try_clone().map_err(SandboxError::io("making a pipe"))?;
    let argv = ["bash", "-c", "test -w . && test -w \"$HOME\""].map(str::to_owned).to_vec();
    let invocation =
        Invocation { argv, cwd: PathBuf::new(), env: BTreeMap::new(), limits: Limits::default() };
    let mut running = executor.start(&room, &invocation, writer, stderr).await?;
    let ending = tokio::time::timeout(PROBE_TIME, running.wait()).await;
    running.end().await?;
    let mut said = String::new();
    tokio::net::unix::pipe::Receiver::from_owned_fd(reader.into())
        .map_err(SandboxError::io("reading from bubblewrap"))?
        .read_to_string(&mut said)
        .await
        .map_err(SandboxError::io("reading from bubblewrap"))?;
    room.remove()?;
    match ending {
        Ok(Ok(Ending::Exited(0))) => Ok(()),
        Ok(Ok(ending)) => Err(explain(said.trim(), ending, work)),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(SandboxError::Unavailable {
            reason: "a trial run did not end".to_owned(),
            remedy: "Look at the machine's load".to_owned(),
        }),
    }
}

fn explain(said: &str, ending: Ending, work: &WorkDirectory) -> SandboxError {
    let off = |path: &str, value: &str| {
        std::fs::read_to_string(path).is_ok_and(|content| content.trim() == value)
    };
    let remedy = if off("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        "Allow user namespaces: sysctl kernel.unprivileged_userns_clone=1".to_owned()
    } else if off("/proc/sys/user/max_user_namespaces", "0") {
        "Allow user namespaces: sysctl user.max_user_namespaces=15000".to_owned()
    } else if off("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        "Allow bubblewrap user namespaces: sysctl kernel.apparmor_restrict_unprivileged_userns=0, \
         or an AppArmor profile for /usr/bin/bwrap with the rule userns"
            .to_owned()
    } else if said.contains("Permission denied") || said.contains("Can't find source path") {
        format!(
            "The steps' user must be able to reach {} and the tools it needs: put the data \
             directory below /var/lib, and tools below /usr or /opt, not in a home directory",
            work.root().display()
        )
    } else if said.contains("Unknown option") {
        "Install bubblewrap 0.5 or newer".to_owned()
    } else {
        "Inside a container, allow it user namespaces and mounts (for example --security-opt \
         seccomp=unconfined), or write executor = \"host\" to run steps without a sandbox"
            .to_owned()
    };
    let reason = if said.is_empty() {
        format!("a trial run ended with {ending:?}")
    } else {
        said.to_owned()
    };
    SandboxError::Unavailable { reason, remedy }
}
