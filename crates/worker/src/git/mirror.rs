//! Bare mirrors: fetching, pinning, checking out.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use model::{BranchName, BuildId, CommitSha, TagName};
use secrecy::SecretString;

use super::command::{Git, Invocation};
use super::{GitError, Workspace};

const PINS: &str = "refs/greenroom";
const FALLBACKS: &str = "refs/greenroom-fallback";
/// Where a worktree's note is made and removed, out of git's sight.
const ASIDE: &str = "greenroom-aside";

/// Pins of older commits are dropped by [`Mirrors::tidy`]; a build that still wants one fetches it
/// again. A pin outlives its build: it is by the pins that the next fetch knows what is here.
const PIN_AGE: Duration = Duration::from_hours(30 * 24);

/// A mirror is tidied so often.
const TIDY_EVERY: chrono::TimeDelta = chrono::TimeDelta::days(1);
/// In the mirror: when it was last tidied, in seconds since 1970.
const TIDIED: &str = "greenroom-tidied";

/// The directory of all mirrors of this worker.
#[derive(Debug, Clone)]
pub struct Mirrors {
    directory: PathBuf,
    git: Git,
}

/// A bare repository that has the commits this worker was asked for.
#[derive(Debug, Clone)]
pub struct Mirror {
    pub(super) path: PathBuf,
    pub(super) git: Git,
    lock: PathBuf,
}

/// A ref of the remote that should contain the commit, should the remote not give out a commit
/// by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    Branch(BranchName),
    Tag(TagName),
    PullRequest(i64),
}

impl Reference {
    fn full_name(&self) -> String {
        match self {
            Self::Branch(name) => format!("refs/heads/{name}"),
            Self::Tag(name) => format!("refs/tags/{name}"),
            Self::PullRequest(number) => format!("refs/pull/{number}/head"),
        }
    }
}

/// What to fetch, and for which build.
#[derive(Debug)]
pub struct Fetch<'a> {
    pub url: &'a str,
    pub token: Option<&'a SecretString>,
    pub commit: &'a CommitSha,
    pub fallback: Option<&'a Reference>,
    pub build: BuildId,
}

/// Whether the remote had to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    AlreadyKnown,
    Transferred,
}

/// A mirror to oneself.
struct Lock {
    waited: bool,
    _file: File,
}

/// A checked-out commit. Its directory belongs to the job; what the mirror notes about it is
/// forgotten by [`Worktree::forget`], or at the next start.
#[derive(Debug)]
pub struct Worktree {
    pub workspace: Workspace,
    note: PathBuf,
}

impl Mirrors {
    /// Mirrors live in `directory`, which is made if it is missing.
    pub fn open(directory: PathBuf, git: Git) -> Result<Self, GitError> {
        make_traversable(&directory)?;
        Ok(Self { directory, git })
    }

    /// The mirror of the repository at `url`, which may not exist yet.
    pub fn of(&self, url: &str) -> Mirror {
        let name = hex::encode(&digest(&SHA256, url.as_bytes()).as_ref()[..16]);
        Mirror {
            path: self.directory.join(format!("{name}.git")),
            git: self.git.clone(),
            lock: self.directory.join(format!("{name}.lock")),
        }
    }

    /// Tidies the mirrors whose time has come. For quiet hours: no job may be using a mirror
    /// meanwhile. It may be dropped at any point; what it did not get to is due the next time.
    pub async fn tidy(&self, now: chrono::DateTime<chrono::Utc>) -> Result<(), GitError> {
        let context =
            || GitError::io(format!("looking for mirrors in {}", self.directory.display()));
        for entry in std::fs::read_dir(&self.directory).map_err(context())? {
            let path = entry.map_err(context())?.path();
            if !path.join("HEAD").exists() {
                continue;
            }
            let lock = path.with_extension("lock");
            let mirror = Mirror { path, git: self.git.clone(), lock };
            if mirror.is_due(now) {
                let tidied = mirror.tidy(now).await;
                // A mirror that cannot be tidied keeps neither the others from it nor the worker busy.
                mirror.note_tidied(now)?;
                if let Err(error) = tidied {
                    tracing::warn!(mirror = %mirror.path.display(), %error, "not tidied");
                }
            }
        }
        Ok(())
    }

    /// Forgets worktrees whose directory is gone, in every mirror. For the start of the worker.
    pub fn reap(&self) -> Result<(), GitError> {
        let context =
            || GitError::io(format!("looking for worktrees in {}", self.directory.display()));
        for mirror in std::fs::read_dir(&self.directory).map_err(context())? {
            let mirror = mirror.map_err(context())?.path();
            for left in std::fs::read_dir(mirror.join(ASIDE)).into_iter().flatten() {
                std::fs::remove_dir_all(left.map_err(context())?.path()).map_err(context())?;
            }
            let notes = mirror.join("worktrees");
            let Ok(notes) = std::fs::read_dir(notes) else { continue };
            for note in notes {
                let note = note.map_err(context())?.path();
                let alive = std::fs::read_to_string(note.join("gitdir"))
                    .is_ok_and(|path| Path::new(path.trim_end()).symlink_metadata().is_ok());
                if !alive {
                    std::fs::remove_dir_all(&note).map_err(context())?;
                }
            }
        }
        Ok(())
    }
}

impl Mirror {
    /// Where the mirror is: steps that call git need it readable at this very path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes sure that `fetch.commit` is here and stays while its build needs it.
    pub async fn fetch(&self, fetch: &Fetch<'_>) -> Result<Fetched, GitError> {
        let pin = format!("{PINS}/{}", fetch.build);
        if self.pinned(&pin, fetch.commit)
            || self.path.join("HEAD").exists() && self.pin(&pin, fetch.commit).await?
        {
            return Ok(Fetched::AlreadyKnown);
        }
        let lock = self.lock().await?;
        self.initialise().await?;
        // Another slot may have fetched it while this one waited for the lock.
        if lock.waited && self.pin(&pin, fetch.commit).await? {
            return Ok(Fetched::AlreadyKnown);
        }
        let by_name = self.transfer(fetch, &format!("+{}:{pin}", fetch.commit)).await;
        let error = match by_name {
            Ok(()) => return Ok(Fetched::Transferred),
            Err(error @ GitError::CommitGone { .. }) => error,
            Err(error) => return Err(error),
        };
        if let Some(reference) = fetch.fallback {
            let kept_as = format!("{FALLBACKS}/{}", fetch.build);
            self.transfer(fetch, &format!("+{}:{kept_as}", reference.full_name())).await?;
            let found = self.pin(&pin, fetch.commit).await?;
            let arguments = ["update-ref", "-d", &kept_as];
            self.git.expect(Invocation::new("update-ref", &self.path, arguments)).await?;
            if found {
                return Ok(Fetched::Transferred);
            }
        }
        Err(error)
    }

    /// Makes sure that all that came before `fetch.commit` is here too, should somebody have put
    /// a shallow repository in the mirror's place.
    pub async fn deepen(&self, fetch: &Fetch<'_>) -> Result<(), GitError> {
        let _lock = self.lock().await?;
        if !self.is_shallow() {
            return Ok(());
        }
        let refspec = format!("+{}:{PINS}/{}", fetch.commit, fetch.build);
        self.transfer_with(fetch, &refspec, &["--unshallow"]).await
    }

    async fn transfer(&self, fetch: &Fetch<'_>, refspec: &str) -> Result<(), GitError> {
        self.transfer_with(fetch, refspec, &[]).await
    }

    /// Fetches all of a commit's history: without it nobody could say what a branch changed.
    async fn transfer_with(
        &self,
        fetch: &Fetch<'_>,
        refspec: &str,
        options: &[&str],
    ) -> Result<(), GitError> {
        let arguments = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
        ];
        let place = ["--end-of-options", fetch.url, refspec];
        let arguments = arguments.iter().chain(options).chain(&place);
        let mut invocation = Invocation::new("fetch", &self.path, arguments);
        invocation.remote = Some((fetch.url, fetch.token));
        let output = self.git.run(invocation).await?;
        if output.success {
            return Ok(());
        }
        let url = fetch.url.to_owned();
        let says = |phrases: &[&str]| phrases.iter().any(|phrase| output.stderr.contains(phrase));
        Err(if says(&["not our ref", "couldn't find remote ref", "unadvertised object"]) {
            GitError::CommitGone { commit: fetch.commit.to_string(), url }
        } else if says(&[
            "Authentication failed",
            "could not read Username",
            "terminal prompts disabled",
            "error: 401",
            "error: 403",
            "not found",
        ]) {
            GitError::Refused { url, detail: output.stderr }
        } else {
            GitError::Failed { action: "fetch", detail: output.stderr }
        })
    }

    /// Whether an earlier job of the build did it here: a look at a file instead of a run of git.
    fn pinned(&self, pin: &str, commit: &CommitSha) -> bool {
        std::fs::read_to_string(self.path.join(pin))
            .is_ok_and(|text| text.trim_end() == commit.as_str())
    }

    /// Keeps `commit` under the name `pin`; false if the mirror does not have it.
    async fn pin(&self, pin: &str, commit: &CommitSha) -> Result<bool, GitError> {
        let arguments = ["update-ref", "--end-of-options", pin, commit.as_str()];
        Ok(self.git.run(Invocation::new("update-ref", &self.path, arguments)).await?.success)
    }

    /// Writes `commit` into `directory`, which must not exist, and nothing outside it.
    ///
    /// `git worktree add` would read the notes of all other worktrees, and fail when another slot
    /// is in the middle of writing or removing one; so the note is made aside and moved into place.
    pub async fn checkout(
        &self,
        commit: &CommitSha,
        directory: &Path,
    ) -> Result<Worktree, GitError> {
        std::fs::create_dir(directory)
            .map_err(GitError::io(format!("creating {}", directory.display())))?;
        set_mode(directory, 0o755)?;
        let note = self.note(commit, directory)?;
        let worktree = Worktree { workspace: Workspace::new(directory.to_owned()), note };
        let link = directory.join(".git");
        std::fs::write(&link, format!("gitdir: {}\n", worktree.note.display()))
            .map_err(GitError::io(format!("writing {}", link.display())))?;
        let arguments = ["read-tree", "--reset", "-u", "--end-of-options", commit.as_str()];
        let output = self.git.run(Invocation::new("checkout", directory, arguments)).await?;
        if output.success {
            return Ok(worktree);
        }
        worktree.forget()?;
        Err(if output.stderr.contains("failed to unpack tree object") {
            GitError::NotInMirror(commit.to_string())
        } else {
            GitError::Failed { action: "checkout", detail: output.stderr }
        })
    }

    /// Notes a worktree in the mirror, whole or not at all.
    fn note(&self, commit: &CommitSha, directory: &Path) -> Result<PathBuf, GitError> {
        let context = || GitError::io(format!("noting the worktree {}", directory.display()));
        let digest = digest(&SHA256, directory.as_os_str().as_bytes());
        let name = hex::encode(&digest.as_ref()[..16]);
        let (made, notes) = (self.path.join(ASIDE).join(&name), self.path.join("worktrees"));
        for directory in [&made, &notes] {
            std::fs::create_dir_all(directory).map_err(context())?;
            set_mode(directory, 0o755)?;
        }
        for (file, text) in [
            ("HEAD", format!("{commit}\n")),
            ("commondir", "../..\n".to_owned()),
            ("gitdir", format!("{}\n", directory.join(".git").display())),
        ] {
            std::fs::write(made.join(file), text).map_err(context())?;
            std::fs::set_permissions(made.join(file), PermissionsExt::from_mode(0o644))
                .map_err(context())?;
        }
        let note = notes.join(name);
        if note.exists() {
            // Of a directory that is gone: the one that was just made did not exist.
            std::fs::remove_dir_all(&note).map_err(context())?;
        }
        std::fs::rename(&made, &note).map_err(context())?;
        Ok(note)
    }

    fn is_due(&self, now: chrono::DateTime<chrono::Utc>) -> bool {
        let last = std::fs::read_to_string(self.path.join(TIDIED)).ok();
        let last = last.and_then(|text| text.trim().parse::<i64>().ok());
        // A clock that was set back must not put it off for ever.
        last.is_none_or(|last| (now.timestamp() - last).abs() >= TIDY_EVERY.num_seconds())
    }

    fn note_tidied(&self, now: chrono::DateTime<chrono::Utc>) -> Result<(), GitError> {
        let path = self.path.join(TIDIED);
        std::fs::write(&path, format!("{}\n", now.timestamp()))
            .map_err(GitError::io(format!("writing {}", path.display())))
    }

    /// Drops old pins and the objects nobody needs.
    async fn tidy(&self, now: chrono::DateTime<chrono::Utc>) -> Result<(), GitError> {
        let _lock = self.lock().await?;
        let format = "--format=%(committerdate:unix) %(refname)";
        let arguments = ["for-each-ref", format, PINS, FALLBACKS];
        let listed =
            self.git.expect(Invocation::new("for-each-ref", &self.path, arguments)).await?;
        let oldest = now.timestamp() - i64::try_from(PIN_AGE.as_secs()).unwrap_or(i64::MAX);
        let drop: String = String::from_utf8_lossy(&listed)
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter(|(date, _)| date.parse::<i64>().is_ok_and(|date| date < oldest))
            .map(|(_, name)| format!("delete {name}\n"))
            .collect();
        let mut deletion = Invocation::new("update-ref", &self.path, ["update-ref", "--stdin"]);
        deletion.input = drop.into_bytes();
        self.git.expect(deletion).await?;
        self.git.expect(Invocation::new("gc", &self.path, ["gc", "--quiet"])).await.map(|_| ())
    }

    async fn initialise(&self) -> Result<(), GitError> {
        if self.path.join("HEAD").exists() {
            return Ok(());
        }
        let parent = self.path.parent().unwrap_or(Path::new("/"));
        // Readable by steps, whatever the umask of the service is.
        let arguments: [OsString; 6] = [
            "init".into(),
            "--quiet".into(),
            "--bare".into(),
            "--shared=0644".into(),
            "--template=".into(),
            self.path.clone().into(),
        ];
        self.git.expect(Invocation::new("init", parent, arguments)).await?;
        set_mode(&self.path, 0o755)
    }

    /// One at a time per mirror, among slots and among processes; the kernel frees it at a crash.
    async fn lock(&self) -> Result<Lock, GitError> {
        let context = || GitError::io(format!("locking {}", self.lock.display()));
        let file = File::create(&self.lock).map_err(context())?;
        match file.try_lock() {
            Ok(()) => return Ok(Lock { waited: false, _file: file }),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(context()(error)),
        }
        let file = tokio::task::spawn_blocking(move || file.lock().map(|()| file))
            .await
            .map_err(|error| context()(error.into()))?
            .map_err(context())?;
        Ok(Lock { waited: true, _file: file })
    }
}

impl Worktree {
    /// Forgets the worktree in the mirror. Its directory is removed by who made it.
    pub fn forget(self) -> Result<(), GitError> {
        // Out of the way at once: another git must not find half of it.
        let aside = self.note.ancestors().nth(2).zip(self.note.file_name());
        let Some((mirror, name)) = aside else { return Ok(()) };
        let aside = mirror.join(ASIDE).join(name);
        let removed =
            std::fs::rename(&self.note, &aside).and_then(|()| std::fs::remove_dir_all(&aside));
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(GitError::io(format!("removing {}", self.note.display()))(error))
            }
            _ => Ok(()),
        }
    }
}

fn make_traversable(directory: &Path) -> Result<(), GitError> {
    std::fs::create_dir_all(directory)
        .map_err(GitError::io(format!("creating {}", directory.display())))?;
    set_mode(directory, 0o711)
}

fn set_mode(path: &Path, mode: u32) -> Result<(), GitError> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(GitError::io(format!("setting the mode of {}", path.display())))
}
