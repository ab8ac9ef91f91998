//! A running job's tools: its room, its source, its steps, its credentials.
//!
//! What always holds: everything that waits here ends when the job must stop; a token or
//! credential is masked in the log before anything could print it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::job::FailureKind;
use model::pipeline::Service;
use model::worker_api::{Assignment, AwsCredentials, Checkout, Target};
use secrecy::SecretString;

use super::environment;
use super::halt::Halt;
use crate::client::JobClient;
use crate::git::{Fetch, Fetched, Mirror, Reference, Workspace, Worktree};
use crate::hold::Hold;
use crate::log::Log;
use crate::machine::Machine;
use crate::sandbox::{Limits, Room};
use crate::step::{self, Command, StepEnd, StepOutcome, StepSpec};

/// The directory in the steps' home where packages are written to and deployed from. Not in the
/// workspace: there a commit may have put a link in its place.
const PACKAGE_DIRECTORY: &str = "package";
const CA_BUNDLE: &str = "aws-ca.pem";

/// One attempt, as the job kinds see it.
pub(crate) struct Job {
    machine: Arc<Machine>,
    client: JobClient,
    assignment: Assignment,
    hold: Hold,
    log: Log,
    room: Room,
    worktree: Option<Worktree>,
}

/// Whether a step works with AWS.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Access<'a> {
    None,
    Aws(&'a AwsCredentials),
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
        Ok(Self { machine, client, assignment, hold, log, room, worktree: None })
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

    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// Names this attempt towards AWS, where the same name twice is the same order.
    pub(crate) fn token(&self) -> String {
        format!("{}-{}", self.assignment.job, self.assignment.attempt)
    }

    /// Ends early when the job must stop. What is dropped then must be harmless to drop.
    pub(crate) async fn or_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Halt> {
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

    /// Runs one step of a service; `name` is its heading.
    pub(crate) async fn step(
        &mut self,
        name: &str,
        command: Command,
        service: &Service,
        target: Option<&Target>,
        access: Access<'_>,
    ) -> Result<StepEnd, Halt> {
        let mut env = environment::of_step(&self.assignment, &service.name, target);
        if let (Access::Aws(credentials), Some(target)) = (access, target) {
            let bundle = self.ca_bundle()?;
            let endpoint = &self.assignment.aws;
            env = environment::with_aws(env, credentials, target, endpoint, bundle.as_deref());
        }
        let package = self.inside(&self.package_directory())?;
        env.insert("GREENROOM_PACKAGE_DIR".to_owned(), package.to_string_lossy().into_owned());
        let spec = StepSpec {
            name: name.to_owned(),
            command,
            cwd: PathBuf::from(&service.path),
            env,
            secrets: Vec::new(),
            limits: Limits::default(),
        };
        let executor = self.machine.executor.as_ref();
        let end = step::run(&spec, &self.room, executor, &self.log, self.hold.token()).await?;
        if end.outcome == StepOutcome::Canceled {
            return Err(Halt::Stopped);
        }
        Ok(end)
    }

    /// A step that must succeed.
    pub(crate) async fn expect_step(
        &mut self,
        name: &str,
        command: Command,
        service: &Service,
        target: Option<&Target>,
        access: Access<'_>,
    ) -> Result<(), Halt> {
        let end = self.step(name, command, service, target, access).await?;
        match failure(name, end.outcome) {
            None => Ok(()),
            Some(halt) => Err(halt),
        }
    }

    /// A line of the pipeline file that must succeed, or nothing where there is none.
    pub(crate) async fn expect_line(
        &mut self,
        line: Option<&str>,
        service: &Service,
        target: Option<&Target>,
        access: Access<'_>,
    ) -> Result<(), Halt> {
        let Some(line) = line else { return Ok(()) };
        self.expect_step(line, Command::Shell(line.to_owned()), service, target, access).await
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

    /// The certificate authority of a local AWS, as a file that steps can read.
    fn ca_bundle(&mut self) -> Result<Option<PathBuf>, Halt> {
        let Some(pem) = &self.assignment.aws.ca_bundle else { return Ok(None) };
        let path = self.room.home().with_file_name(CA_BUNDLE);
        if !path.exists() {
            std::fs::write(&path, pem)
                .and_then(|()| std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)))
                .map_err(Halt::internal)?;
            self.room.show(path.clone());
        }
        self.inside(&path).map(Some)
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

/// The failure that a step's end means; `None` when it succeeded.
pub(crate) fn failure(name: &str, outcome: StepOutcome) -> Option<Halt> {
    let (kind, what) = match outcome {
        StepOutcome::Exited(0) => return None,
        StepOutcome::Exited(126) => (
            FailureKind::Step,
            "could not be started (exit status 126): it is not executable".to_owned(),
        ),
        StepOutcome::Exited(127) => {
            (FailureKind::Step, "was not found (exit status 127)".to_owned())
        }
        StepOutcome::Exited(code) => (FailureKind::Step, format!("ended with exit status {code}")),
        StepOutcome::Signaled(signal) => {
            (FailureKind::Step, format!("was ended by signal {signal}"))
        }
        StepOutcome::TimedOut => (FailureKind::Limit, "took longer than a step may".to_owned()),
        StepOutcome::OutputLimit => (FailureKind::Limit, "printed more than a step may".to_owned()),
        StepOutcome::MemoryLimit => {
            (FailureKind::Limit, "needed more memory than a step may have".to_owned())
        }
        StepOutcome::Canceled => return Some(Halt::Stopped),
    };
    Some(Halt::failed(kind, format!("`{name}` {what}")))
}
