//! A running job's tools: its room, its source, its steps, its credentials.
//!
//! What always holds: everything that waits here ends when the job must stop; a token or
//! credential is masked in the log before anything could print it.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::job::FailureKind;
use model::pipeline::Service;
use model::worker_api::{Assignment, AwsCredentials, Checkout};
use secrecy::SecretString;

use super::halt::Halt;
use super::progress::Progress;
use crate::client::JobClient;
use crate::framework::Places;
use crate::git::{Fetch, Fetched, Mirror, Reference, Workspace, Worktree};
use crate::hold::Hold;
use crate::log::Log;
use crate::machine::Machine;
use crate::sandbox::Room;

/// The directory in the steps' home where packages are written to and deployed from. Not in the
/// workspace: there a commit may have put a link in its place.
const PACKAGE_DIRECTORY: &str = "package";
/// For frameworks that must write beside the package first.
const SCRATCH_DIRECTORY: &str = "made";
const CA_BUNDLE: &str = "aws-ca.pem";

/// One attempt, as the job kinds see it.
pub(crate) struct Job {
    machine: Arc<Machine>,
    client: JobClient,
    assignment: Assignment,
    hold: Hold,
    log: Log,
    progress: Progress,
    room: Room,
    worktree: Option<Worktree>,
}

impl Job {
    pub(super) fn new(
        machine: Arc<Machine>,
        slot: u16,
        client: JobClient,
        assignment: Assignment,
        hold: Hold,
        log: Log,
    ) -> Result<Self, Halt> {
        let user = machine.executor.user(slot);
        let room = machine.work.room(assignment.job, assignment.attempt, slot, user)?;
        let progress = Progress::start(client.clone());
        Ok(Self { machine, client, assignment, hold, log, progress, room, worktree: None })
    }

    pub(crate) fn machine(&self) -> &Machine {
        &self.machine
    }

    pub(crate) fn client(&self) -> &JobClient {
        &self.client
    }

    pub(crate) fn assignment(&self) -> &Assignment {
        &self.assignment
    }

    pub(crate) fn hold(&self) -> &Hold {
        &self.hold
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// How far its change of stacks is.
    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// Names this attempt towards AWS, where the same name twice is the same order.
    pub(crate) fn token(&self) -> String {
        format!("{}-{}", self.assignment.job, self.assignment.attempt)
    }

    /// Ends early when the job must stop. What is dropped then must be harmless to drop.
    pub(crate) async fn or_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Halt> {
        // a call of AWS is deep: it stands on the heap and not in the frames of all above it
        let work = Box::pin(work);
        tokio::select! {
            biased;
            () = self.hold.token().cancelled() => Err(Halt::Stopped),
            value = work => Ok(value),
        }
    }

    /// Where the source is, and what opens it.
    pub(crate) async fn source(&self) -> Result<(Checkout, SecretString), Halt> {
        let checkout =
            self.hold.ask(|| self.client.checkout()).await.map_err(|error| {
                Halt::unanswered(FailureKind::Checkout, "a checkout token", error)
            })?;
        let token = SecretString::from(checkout.token.clone());
        if !checkout.token.is_empty() {
            self.log.mask(std::slice::from_ref(&token)).await?;
        }
        Ok((checkout, token))
    }

    /// Brings the build's commit into the mirror.
    pub(crate) async fn fetch(&self) -> Result<(Mirror, Checkout, SecretString), Halt> {
        let (checkout, token) = self.source().await?;
        let mirror = self.machine.mirrors.of(&checkout.url);
        let source = &self.assignment.source;
        let fallback = match (source.pull_request, &source.tag, &source.branch) {
            (Some(number), _, _) => Some(Reference::PullRequest(number)),
            (None, Some(tag), _) => Some(Reference::Tag(tag.clone())),
            (None, None, Some(branch)) => Some(Reference::Branch(branch.clone())),
            (None, None, None) => None,
        };
        let fetched = self
            .or_stopped(mirror.fetch(&Fetch {
                url: &checkout.url,
                token: Some(&token),
                commit: &source.commit,
                fallback: fallback.as_ref(),
                build: self.assignment.build,
            }))
            .await??;
        let how = match fetched {
            Fetched::AlreadyKnown => "known already",
            Fetched::Transferred => "fetched",
        };
        let place = format!("{} at {}", self.assignment.repository, source.commit.short());
        self.log.heading(&format!("source: {place}, {how}")).await;
        Ok((mirror, checkout, token))
    }

    /// Checks the build's commit out into the room, for the steps.
    pub(crate) async fn checkout(&mut self) -> Result<Workspace, Halt> {
        let (mirror, _, _) = self.fetch().await?;
        let directory = self.room.workspace();
        let checkout = mirror.checkout(&self.assignment.source.commit, &directory);
        let worktree = self.or_stopped(checkout).await??;
        let user = self.machine.executor.user(self.room.slot());
        self.room.give(user, &directory)?;
        self.room.show(mirror.path().to_owned());
        let workspace = worktree.workspace.clone();
        self.worktree = Some(worktree);
        Ok(workspace)
    }

    /// Credentials of the stage's role, masked.
    pub(crate) async fn credentials(&self) -> Result<AwsCredentials, Halt> {
        let credentials = self
            .hold
            .ask(|| self.client.credentials())
            .await
            .map_err(|error| Halt::unanswered(FailureKind::Aws, "AWS credentials", error))?;
        let secrets: Vec<SecretString> = [
            &credentials.access_key_id,
            &credentials.secret_access_key,
            &credentials.session_token,
        ]
        .into_iter()
        .filter(|secret| !secret.is_empty())
        .map(|secret| SecretString::from(secret.clone()))
        .collect();
        self.log.mask(&secrets).await?;
        Ok(credentials)
    }

    /// Where packages are, as this process sees it.
    pub(crate) fn package_directory(&self) -> PathBuf {
        self.room.home().join(PACKAGE_DIRECTORY)
    }

    /// The steps' home, read safely.
    pub(crate) fn home(&self) -> Workspace {
        Workspace::new(self.room.home())
    }

    /// Its name in [`Self::home`].
    pub(crate) fn package_name(&self) -> &'static Path {
        Path::new(PACKAGE_DIRECTORY)
    }

    /// A path of the room as steps know it.
    pub(crate) fn inside(&self, path: &Path) -> Result<PathBuf, Halt> {
        self.machine
            .executor
            .inside(&self.room, path)
            .ok_or_else(|| Halt::internal(format!("steps cannot see {}", path.display())))
    }

    /// The package directory, read safely. For use until the next step runs.
    pub(crate) fn package_files(&self) -> Result<Workspace, Halt> {
        Ok(Workspace::new(self.home().directory(self.package_name())?))
    }

    /// Makes the package directory, before any step runs: later a link could stand in its place.
    pub(crate) fn make_package_directory(&self) -> Result<(), Halt> {
        let directory = self.package_directory();
        std::fs::create_dir(&directory).map_err(Halt::internal)?;
        let user = self.machine.executor.user(self.room.slot());
        Ok(self.room.give(user, &directory)?)
    }

    /// Puts a file of ours into the package, in the place of whatever has its name. No step may
    /// run meanwhile.
    pub(crate) fn write_packaged(&self, name: &str, content: &[u8]) -> Result<(), Halt> {
        let files = self.package_files()?;
        let path = match Path::new(name).parent() {
            Some(parent) if parent != Path::new("") => {
                let file = Path::new(name).file_name().unwrap_or_default();
                files.directory(parent)?.join(file)
            }
            Some(_) | None => files.root().join(name),
        };
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::IsADirectory => {
                return Err(Halt::failed(
                    FailureKind::Configuration,
                    format!(
                        "the package has a directory {name}; that name is Greenroom's, give it another"
                    ),
                ));
            }
            Err(error) => return Err(Halt::internal(error)),
        }
        // Never through a link that was put there.
        let mut file =
            OpenOptions::new().write(true).create_new(true).open(&path).map_err(Halt::internal)?;
        file.write_all(content).map_err(Halt::internal)
    }

    /// Whether steps find a program; a value of its own, for it outlives a look at the job.
    pub(crate) fn finder(&self) -> impl Fn(&str) -> bool + Send + Sync + 'static {
        let executor = Arc::clone(&self.machine.executor);
        move |program| executor.finds(program)
    }

    /// The directories of the room as steps know them.
    pub(crate) fn places(&self, service: &Service) -> Result<Places, Halt> {
        let workspace = self.inside(&self.room.workspace())?;
        let service = if service.path == "." { workspace } else { workspace.join(&service.path) };
        Ok(Places {
            service,
            package: self.inside(&self.package_directory())?,
            scratch: self.inside(&self.room.home().join(SCRATCH_DIRECTORY))?,
        })
    }

    /// A file of ours that steps can read and not change; its path as they know it.
    pub(crate) fn show_file(&mut self, name: &str, content: &[u8]) -> Result<PathBuf, Halt> {
        let path = self.room.home().with_file_name(name);
        let known = path.exists();
        std::fs::write(&path, content)
            .and_then(|()| std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)))
            .map_err(Halt::internal)?;
        if !known {
            self.room.show(path.clone());
        }
        self.inside(&path)
    }

    /// A directory of ours that steps can read and not change; its path as they know it.
    pub(crate) fn show_directory(
        &mut self,
        name: &str,
        files: &[(&str, &str)],
    ) -> Result<PathBuf, Halt> {
        let directory = self.room.home().with_file_name(name);
        let mode =
            |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode));
        let write = || {
            for (file, content) in files {
                let path = directory.join(file);
                if let Some(parent) = path.parent() {
                    std::fs::create_dir_all(parent)?;
                    mode(parent, 0o755)?;
                }
                std::fs::write(&path, content)?;
                mode(&path, 0o644)?;
            }
            Ok::<_, std::io::Error>(())
        };
        write().map_err(Halt::internal)?;
        self.room.show(directory.clone());
        self.inside(&directory)
    }

    /// The certificate authority of a local AWS, as a file that steps can read.
    pub(crate) fn ca_bundle(&mut self) -> Result<Option<PathBuf>, Halt> {
        let Some(pem) = self.assignment.aws.ca_bundle.clone() else { return Ok(None) };
        self.show_file(CA_BUNDLE, pem.as_bytes()).map(Some)
    }

    /// Gives the room back.
    pub(super) async fn leave(self) {
        let Self { room, worktree, log, .. } = self;
        drop(log);
        let cleared = tokio::task::spawn_blocking(move || {
            let removed = room.remove();
            let forgotten = worktree.map_or(Ok(()), Worktree::forget);
            (removed, forgotten)
        })
        .await;
        match cleared {
            Ok((removed, forgotten)) => {
                if let Err(error) = removed {
                    tracing::warn!(%error, "a job's room is left until the next start");
                }
                if let Err(error) = forgotten {
                    tracing::warn!(%error, "a mirror remembers a worktree until the next start");
                }
            }
            Err(error) => tracing::error!(%error, "clearing a room failed"),
        }
    }
}
