//! Handing directories to a step's user, and taking them away again.
//!
//! What always holds: no symbolic link is followed. No process of the step's user runs meanwhile.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::Path;

/// The unprivileged user that one slot's steps run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepUser {
    pub uid: u32,
    pub gid: u32,
}

impl StepUser {
    /// Makes this user the owner of `path` and everything below it.
    pub fn own(self, path: &Path) -> io::Result<()> {
        lchown(path, Some(self.uid), Some(self.gid))?;
        if path.symlink_metadata()?.is_dir() {
            for entry in std::fs::read_dir(path)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    self.own(&entry.path())?;
                } else {
                    lchown(entry.path(), Some(self.uid), Some(self.gid))?;
                }
            }
        }
        Ok(())
    }
}

/// Removes a directory that steps wrote in, which may have left directories nobody may write to.
/// That nothing is there is no error.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path)?;
            std::fs::remove_dir_all(path)
        }
        Err(error) => Err(error),
    }
}

fn open_up(directory: &Path) -> io::Result<()> {
    if !directory.symlink_metadata()?.is_dir() {
        return Ok(());
    }
    std::fs::set_permissions(directory, Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}
