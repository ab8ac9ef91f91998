//! Installed dependencies, and what is made of them alone, kept from build to build.
//!
//! One tar file per key and scope; a restored tree is a private copy, so nothing a step does to it
//! reaches the next build. Plain tar, because reading one file is several times faster than
//! copying ten thousand, and compression would cost more than it saves.
//!
//! What always holds: an entry belongs to one app and one trust: what a preview wrote is never
//! read by a long-lived stage; an entry is there whole or not at all (written beside, then
//! renamed); all entries together stay under a limit, the longest unused go first; trees are
//! packed and unpacked as the steps' own user, who can do no more by a crafted tree than it could
//! in a step. Several processes may share a directory: whoever writes an entry holds a lock on it.
//! After a crash, half-written entries, whose locks are gone, are removed at the next start. An
//! entry that cannot be unpacked is removed, and counts as not there.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest::{Context, SHA256};
use model::AppName;
use nix::sys::stat::futimens;
use nix::sys::time::TimeSpec;
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::sandbox::StepUser;

const PARTIAL: &str = "partial";

/// Who may read an entry: jobs of the same app with the same trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub app: AppName,
    /// As the server's assignment has it.
    pub trust: String,
}

/// What an install depends on.
#[derive(Debug, Clone)]
pub struct KeyParts<'a> {
    pub lock_file: &'a [u8],
    /// `npm 10.8.2`
    pub package_manager: &'a str,
    /// `v20.20.2`
    pub node: &'a str,
    /// Where in the repository: an install script may look around.
    pub directory: &'a str,
}

/// The name of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheKey(String);

impl CacheKey {
    pub fn new(scope: &Scope, parts: &KeyParts<'_>) -> Self {
        let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
        Self::of([
            scope.app.as_str().as_bytes(),
            scope.trust.as_bytes(),
            parts.lock_file,
            parts.package_manager.as_bytes(),
            parts.node.as_bytes(),
            parts.directory.as_bytes(),
            platform.as_bytes(),
        ])
    }

    /// The name of what is made of this entry, and of `more` besides.
    pub fn derived<'a>(&'a self, what: &'a str, more: impl IntoIterator<Item = &'a str>) -> Self {
        let first = [self.0.as_bytes(), what.as_bytes()];
        Self::of(first.into_iter().chain(more.into_iter().map(str::as_bytes)))
    }

    fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        Self(hex::encode(context.finish()))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    #[error("{context}: {source}")]
    Io { context: String, source: io::Error },
    #[error("tar failed: {0}")]
    Tar(String),
}

fn context(text: impl Into<String>) -> impl FnOnce(io::Error) -> CacheError {
    let context = text.into();
    |source| CacheError::Io { context, source }
}

/// The cache of one worker.
#[derive(Debug)]
pub struct Cache {
    directory: PathBuf,
    limit_bytes: u64,
    /// Names what is being written, with the process: two slots may save the same key.
    writes: AtomicU64,
    /// Held while entries appear and disappear, not while they are packed or unpacked.
    changing: Mutex<()>,
}

impl Cache {
    /// `limit_bytes` bounds all entries together, and so each.
    pub fn open(directory: PathBuf, limit_bytes: u64) -> Result<Self, CacheError> {
        let describe = || context(format!("opening the cache {}", directory.display()));
        fs::create_dir_all(&directory).map_err(describe())?;
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(&directory, private).map_err(describe())?;
        for entry in fs::read_dir(&directory).map_err(describe())? {
            let path = entry.map_err(describe())?.path();
            if path.extension() == Some(OsStr::new(PARTIAL)) && abandoned(&path) {
                removed(&path).map_err(describe())?;
            }
        }
        Ok(Self { directory, limit_bytes, writes: AtomicU64::new(0), changing: Mutex::new(()) })
    }

    fn entry(&self, key: &CacheKey) -> PathBuf {
        self.directory.join(format!("{}.tar", key.0))
    }

    /// Unpacks what was saved under `key` into `directory`; false if nothing was.
    pub async fn restore(
        &self,
        key: &CacheKey,
        directory: &Path,
        user: Option<StepUser>,
    ) -> Result<bool, CacheError> {
        let path = self.entry(key);
        let describe = || context(format!("reading {}", path.display()));
        // Once it is open it may be evicted without harm.
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other.map_err(describe())?,
        };
        // The file system's clock says when it was last used.
        futimens(&file, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW)
            .map_err(|errno| describe()(errno.into()))?;
        let mut command = tar(user);
        command.args(["--extract", "--file=-", "--no-same-owner", "--preserve-permissions"]);
        command.arg("--directory").arg(directory).stdin(file).stdout(Stdio::null());
        let ended = finish(command).await;
        if let Err(CacheError::Tar(detail)) = ended {
            tracing::warn!(entry = %path.display(), detail, "a cache entry could not be unpacked: removed");
            removed(&path).map_err(describe())?;
            return Ok(false);
        }
        ended.map(|()| true)
    }

    /// Saves `names` (relative to `directory`, each inside it) under `key`. What is there already
    /// stays, and what is larger than the whole cache is not saved: then it says false.
    pub async fn save(
        &self,
        key: &CacheKey,
        directory: &Path,
        names: &[&str],
        user: Option<StepUser>,
    ) -> Result<bool, CacheError> {
        let path = self.entry(key);
        if path.exists() {
            return Ok(false);
        }
        let partial = self.directory.join(format!(
            "{}-{}-{}.{PARTIAL}",
            key.0,
            std::process::id(),
            self.writes.fetch_add(1, Ordering::Relaxed)
        ));
        let saved = self.write(&partial, &path, directory, names, user).await;
        if !matches!(saved, Ok(true)) {
            // Nothing may have been written yet.
            let _ = fs::remove_file(&partial);
        }
        saved
    }

    async fn write(
        &self,
        partial: &Path,
        path: &Path,
        directory: &Path,
        names: &[&str],
        user: Option<StepUser>,
    ) -> Result<bool, CacheError> {
        let describe = || context(format!("writing {}", partial.display()));
        let file = File::create(partial).map_err(describe())?;
        file.lock().map_err(describe())?;
        let _held = file.try_clone().map_err(describe())?;
        let mut command = Command::new("prlimit");
        // A sparse file of any size costs a step nothing; its copy here would.
        command.arg(format!("--fsize={}", self.limit_bytes)).arg("--");
        let mut tar = tar(user);
        tar.args(["--create", "--file=-", "--sparse", "--format=gnu"]);
        tar.arg("--directory").arg(directory).arg("--").args(names);
        let tar = tar.as_std();
        command.arg(tar.get_program()).args(tar.get_args()).current_dir("/");
        command.env_clear().env("PATH", PATH).env("LC_ALL", "C.UTF-8");
        command.stdin(Stdio::null()).stdout(file).kill_on_drop(true);
        finish(command).await?;
        let _changing = self.changing.lock().await;
        let size = fs::metadata(partial).map_err(describe())?.len();
        if !self.make_room(size)? {
            return Ok(false);
        }
        fs::rename(partial, path).map_err(describe())?;
        Ok(true)
    }

    /// Removes the longest unused entries until `size` more bytes fit.
    fn make_room(&self, size: u64) -> Result<bool, CacheError> {
        if size > self.limit_bytes {
            return Ok(false);
        }
        let describe = || context(format!("looking through {}", self.directory.display()));
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(describe())? {
            let path = entry.map_err(describe())?.path();
            if path.extension() == Some(OsStr::new("tar")) {
                let metadata = match path.metadata() {
                    // another process made room
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    other => other.map_err(describe())?,
                };
                entries.push((metadata.modified().map_err(describe())?, metadata.len(), path));
            }
        }
        entries.sort();
        let mut used: u64 = entries.iter().map(|(_, length, _)| length).sum();
        for (_, length, path) in entries {
            if used + size <= self.limit_bytes {
                break;
            }
            removed(&path).map_err(describe())?;
            used -= length;
        }
        Ok(true)
    }
}

/// Nobody writes it any more.
fn abandoned(partial: &Path) -> bool {
    File::open(partial).is_ok_and(|file| file.try_lock().is_ok())
}

/// Gone, whoever removed it.
fn removed(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

fn tar(user: Option<StepUser>) -> Command {
    let mut command = match user {
        Some(StepUser { uid, gid }) => {
            let mut command = Command::new("setpriv");
            command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}"));
            command.args(["--clear-groups", "--no-new-privs", "--", "tar"]);
            command
        }
        None => Command::new("tar"),
    };
    command.current_dir("/").env_clear().env("PATH", PATH).env("LC_ALL", "C.UTF-8");
    command.kill_on_drop(true);
    command
}

async fn finish(mut command: Command) -> Result<(), CacheError> {
    let child = command.stderr(Stdio::piped()).spawn().map_err(context("starting tar"))?;
    let output = child.wait_with_output().await.map_err(context("running tar"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    Err(CacheError::Tar(format!("{} ({last})", output.status)))
}
