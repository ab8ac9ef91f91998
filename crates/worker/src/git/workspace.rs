//! Reads a job's workspace from outside the sandbox.
//!
//! A step may leave anything there: links to the server's secrets, named pipes, files without an
//! end. What always holds: no path given here leads out of the workspace, through `..` or
//! through a symbolic link (the kernel resolves it, `openat2` with `RESOLVE_BENEATH`); only
//! ordinary files are read, and only up to a limit.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

/// A job's working tree on the worker.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
}

/// Why a path of the workspace was not read.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    #[error("{0} is not there")]
    Missing(PathBuf),
    #[error("{0} leads out of the repository: use a path inside it")]
    Outside(PathBuf),
    #[error("{path} is {what}, not {wanted}")]
    WrongKind { path: PathBuf, what: &'static str, wanted: &'static str },
    #[error("{path} is larger than {limit} bytes")]
    TooLarge { path: PathBuf, limit: u64 },
    #[error("reading {path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
}

impl Workspace {
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Reads the ordinary file at `path`, relative to the workspace.
    pub fn read(&self, path: impl AsRef<Path>, max_bytes: u64) -> Result<Vec<u8>, WorkspaceError> {
        let path = path.as_ref();
        let file = self.open_file(path)?;
        let mut bytes = Vec::new();
        file.take(max_bytes + 1).read_to_end(&mut bytes).map_err(io(path))?;
        if bytes.len() as u64 > max_bytes {
            return Err(WorkspaceError::TooLarge { path: path.to_owned(), limit: max_bytes });
        }
        Ok(bytes)
    }

    /// Opens the ordinary file at `path`, relative to the workspace.
    pub fn open_file(&self, path: &Path) -> Result<File, WorkspaceError> {
        // Without O_NONBLOCK a named pipe would hold us for ever.
        let file = File::from(self.open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?);
        let kind = file.metadata().map_err(io(path))?.file_type();
        if kind.is_file() {
            return Ok(file);
        }
        let what = if kind.is_dir() {
            "a directory"
        } else if kind.is_fifo() {
            "a named pipe"
        } else {
            "a special file"
        };
        Err(WorkspaceError::WrongKind { path: path.to_owned(), what, wanted: "a file" })
    }

    /// The real path of the directory at `path`, which lies inside the workspace. It may be used
    /// until the next step runs.
    pub fn directory(&self, path: impl AsRef<Path>) -> Result<PathBuf, WorkspaceError> {
        let path = path.as_ref();
        let handle = match self.open(path, OFlag::O_PATH | OFlag::O_DIRECTORY) {
            Err(WorkspaceError::Io { source, .. })
                if source.raw_os_error() == Some(Errno::ENOTDIR as i32) =>
            {
                let (path, what) = (path.to_owned(), "a file");
                return Err(WorkspaceError::WrongKind { path, what, wanted: "a directory" });
            }
            other => other?,
        };
        let fd = std::os::fd::AsRawFd::as_raw_fd(&handle);
        std::fs::read_link(format!("/proc/self/fd/{fd}")).map_err(io(path))
    }

    fn open(&self, path: &Path, flags: OFlag) -> Result<OwnedFd, WorkspaceError> {
        let root = File::open(&self.root).map_err(io(&self.root))?;
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        let relative = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        openat2(root.as_fd(), relative, how).map_err(|errno| match errno {
            Errno::EXDEV | Errno::ELOOP => WorkspaceError::Outside(path.to_owned()),
            Errno::ENOENT => WorkspaceError::Missing(path.to_owned()),
            Errno::ENXIO => WorkspaceError::WrongKind {
                path: path.to_owned(),
                what: "a socket",
                wanted: "a file",
            },
            errno => io(path)(errno.into()),
        })
    }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> WorkspaceError {
    let path = path.to_owned();
    |source| WorkspaceError::Io { path, source }
}
