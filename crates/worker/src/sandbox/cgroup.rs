//! Memory limits for whole process trees, by cgroup v2 or v1, where the worker may make one.
//!
//! Under systemd that takes `Delegate=yes` and `DelegateSubgroup=worker` in the unit. Elsewhere
//! steps get `RLIMIT_DATA`, which holds each process to the limit instead of the tree.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracing::Instrument;

/// How memory is limited on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Memory {
    V2 {
        parent: PathBuf,
    },
    V1 {
        parent: PathBuf,
    },
    /// No cgroup can be made: each process by itself.
    PerProcess,
}

/// The cgroup of one step.
#[derive(Debug)]
pub(super) struct Cgroup {
    path: PathBuf,
    events: &'static str,
}

const PREFIX: &str = "greenroom-";

impl Memory {
    /// Finds out by making a cgroup and setting a limit; removes what dead workers left.
    pub(super) fn probe() -> Self {
        for memory in candidates() {
            if let Memory::V2 { parent } | Memory::V1 { parent } = &memory {
                sweep(parent);
            }
            if let Ok(Some(probe)) = memory.create(1024 * 1024 * 1024) {
                let removed = fs::remove_dir(&probe.path);
                if removed.is_ok() {
                    return memory;
                }
            }
        }
        Self::PerProcess
    }

    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::V2 { .. } => "cgroup v2",
            Self::V1 { .. } => "cgroup v1",
            Self::PerProcess => "per process (no cgroup can be made)",
        }
    }

    /// Makes the cgroup of a step; `None` where there are none.
    pub(super) fn create(&self, limit_bytes: u64) -> io::Result<Option<Cgroup>> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name =
            format!("{PREFIX}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (parent, limit, swap, events) = match self {
            Self::V2 { parent } => (parent, "memory.max", ("memory.swap.max", 0), "memory.events"),
            Self::V1 { parent } => {
                let swap = ("memory.memsw.limit_in_bytes", limit_bytes);
                (parent, "memory.limit_in_bytes", swap, "memory.oom_control")
            }
            Self::PerProcess => return Ok(None),
        };
        let group = Cgroup { path: parent.join(name), events };
        fs::create_dir(&group.path)?;
        if let Err(error) = fs::write(group.path.join(limit), limit_bytes.to_string()) {
            let _ = fs::remove_dir(&group.path);
            return Err(error);
        }
        // A kernel without swap accounting has no such file.
        let _ = fs::write(group.path.join(swap.0), swap.1.to_string());
        Ok(Some(group))
    }
}

impl Cgroup {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the kernel ended a process of the step for want of memory.
    pub(super) fn out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.path.join(self.events)).unwrap_or_default();
        events
            .lines()
            .filter_map(|line| line.strip_prefix("oom_kill "))
            .any(|count| count.trim() != "0")
    }

    /// Removes the cgroup once the kernel has let go of its last process, which no step waits for.
    pub(super) fn remove(self) {
        let gone = |path: &Path| {
            !fs::remove_dir(path).is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy)
        };
        if gone(&self.path) {
            return;
        }
        let later = async move {
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_millis(20)).await;
                if gone(&self.path) {
                    return;
                }
            }
            tracing::warn!(path = %self.path.display(), "the cgroup of a step could not be removed");
        };
        tokio::spawn(later.in_current_span());
    }
}

fn candidates() -> Vec<Memory> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut found = Vec::new();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let below = |root: &str| PathBuf::from(format!("{root}{}", path.trim_end_matches('/')));
        if controllers.is_empty() {
            let own = below("/sys/fs/cgroup");
            // With a subgroup for the worker, its parent is what systemd handed over.
            let delegated = own.parent().filter(|parent| {
                parent.extension().is_some_and(|kind| kind == "service" || kind == "scope")
            });
            for parent in [Some(own.as_path()), delegated].into_iter().flatten() {
                // Refused when the controller is on already, or not ours to turn on.
                let _ = fs::write(parent.join("cgroup.subtree_control"), "+memory");
                found.push(Memory::V2 { parent: parent.to_owned() });
            }
        } else if controllers.split(',').any(|controller| controller == "memory") {
            found.push(Memory::V1 { parent: below("/sys/fs/cgroup/memory") });
        }
    }
    found
}

fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if process.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}
