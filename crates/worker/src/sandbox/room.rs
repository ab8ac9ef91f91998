//! The directories of a worker, and the room of one job among them.
//!
//! What always holds: one process uses a worker directory (the kernel frees its lock at a crash);
//! a room is named by ids, never by what a user wrote. What a crashed worker left behind is
//! removed at the next start.

use std::fs::{File, Permissions, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use model::JobId;

use super::{SandboxError, StepUser, remove_tree};

/// Where a worker keeps everything of its own. Other users may pass through it (steps of a root
/// worker run as other users), not look around.
#[derive(Debug)]
pub struct WorkDirectory {
    root: PathBuf,
    lock: File,
}

impl Drop for WorkDirectory {
    fn drop(&mut self) {
        // Closing is not enough: a child between its fork and its exec holds the same open file,
        // and the lock with it. A lock that cannot be given back goes with the process.
        let _ = self.lock.unlock();
    }
}

/// The directories one attempt of a job has to itself.
#[derive(Debug)]
pub struct Room {
    root: PathBuf,
    slot: u16,
    readable: Vec<PathBuf>,
}

impl WorkDirectory {
    /// Takes the directory for this process and clears away what an earlier one left.
    pub fn open(root: &Path) -> Result<Self, SandboxError> {
        make(root, 0o711)?;
        let root =
            root.canonicalize().map_err(SandboxError::io(format!("opening {}", root.display())))?;
        let lock = root.join("lock");
        let context = || SandboxError::io(format!("locking {}", lock.display()));
        let file = File::create(&lock).map_err(context())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SandboxError::DirectoryInUse(root)),
            Err(TryLockError::Error(error)) => return Err(context()(error)),
        }
        let rooms = root.join("rooms");
        remove_tree(&rooms).map_err(SandboxError::io("removing the rooms of an earlier run"))?;
        make(&rooms, 0o711)?;
        spread(&rooms);
        let work = Self { root, lock: file };
        make(&work.slots(), 0o711)?;
        make(&work.git_home(), 0o700)?;
        Ok(work)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn mirrors(&self) -> PathBuf {
        self.root.join("mirrors")
    }

    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    pub fn git_home(&self) -> PathBuf {
        self.root.join("git-home")
    }

    pub(super) fn slots(&self) -> PathBuf {
        self.root.join("slots")
    }

    /// Makes the room of one attempt. Its workspace is still to be checked out.
    pub fn room(
        &self,
        job: JobId,
        attempt: i32,
        slot: u16,
        user: Option<StepUser>,
    ) -> Result<Room, SandboxError> {
        let root = self.root.join("rooms").join(format!("{job}-{attempt}"));
        make(&root, 0o711)?;
        let room = Room { root, slot, readable: Vec::new() };
        make(&room.home(), 0o700)?;
        room.give(user, &room.home())?;
        Ok(room)
    }
}

impl Room {
    pub fn slot(&self) -> u16 {
        self.slot
    }

    /// The job's working tree.
    pub fn workspace(&self) -> PathBuf {
        self.root.join("workspace")
    }

    /// The steps' home directory: kept from step to step, gone with the job.
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// A directory of ours in the room that steps cannot see.
    pub fn backstage(&self) -> Result<PathBuf, SandboxError> {
        let path = self.root.join("backstage");
        make(&path, 0o700)?;
        Ok(path)
    }

    /// Lets the steps read `path` where it is: the mirror, for steps that call git.
    pub fn show(&mut self, path: PathBuf) {
        self.readable.push(path);
    }

    pub(super) fn readable(&self) -> &[PathBuf] {
        &self.readable
    }

    /// Makes the steps' user the owner of something in the room, after the worker wrote it.
    pub fn give(&self, user: Option<StepUser>, path: &Path) -> Result<(), SandboxError> {
        match user {
            Some(user) => user
                .own(path)
                .map_err(SandboxError::io(format!("giving {} to the steps' user", path.display()))),
            None => Ok(()),
        }
    }

    /// Removes the room with all that steps wrote.
    pub fn remove(&self) -> Result<(), SandboxError> {
        remove_tree(&self.root)
            .map_err(SandboxError::io(format!("removing {}", self.root.display())))
    }
}

/// Tells ext4 to put each room into another part of the disk. It does not use the place of a
/// deleted file again for minutes and looks at each such place in vain: without this, filling a
/// room right after another was removed takes twenty times as long (measured: 9 s for 0.4 s).
fn spread(rooms: &Path) {
    let done = std::process::Command::new("chattr").arg("+T").arg(rooms).output();
    if !done.is_ok_and(|output| output.status.success()) {
        tracing::debug!(path = %rooms.display(), "this file system cannot spread the rooms");
    }
}

fn make(directory: &Path, mode: u32) -> Result<(), SandboxError> {
    let context = || SandboxError::io(format!("creating {}", directory.display()));
    std::fs::create_dir_all(directory).map_err(context())?;
    std::fs::set_permissions(directory, Permissions::from_mode(mode)).map_err(context())
}
