//! The passes that carry a build from a delivery to its end.
//!
//! What always holds: a pass re-reads the rows, does what is missing, and may be interrupted
//! anywhere; each piece of work is one short transaction, and no transaction spans an HTTP call.
//! One process at a time runs the passes, one reports and one reconciles: it holds a lock of the
//! database ([`store::leader`]).
//! After a crash the next process finds the same rows and goes on.
//!
//! | pass | does |
//! |---|---|
//! | [`intake`] | a delivery becomes builds, by the app's rules |
//! | [`settle`] | a build whose jobs changed: cancel, plan, unblock, finish, want statuses, deployments and comments |
//! | [`gates`] | builds that wait are looked at when time may let them go on |
//! | [`previews`] | a preview that nobody needs is removed, one that could not be is tried again |
//! | [`personal`] | a stage of somebody's own that nobody uses is removed if they were told |
//! | [`leases`] | a job whose worker fell silent is given to another |
//! | [`comments`] | what people ask for in comments is done, if they may |
//! | [`report`] | what GitHub should show is sent to GitHub |
//! | [`notify`] | people elsewhere are told what happened |
//! | [`reconcile`] | what GitHub has and no webhook told is put into intake's queue |
//! | [`lead`] | how far a stage is behind the one it is promoted from |
//! | [`inspect`] | stages and accounts are looked at on their schedule |

mod comments;
mod event;
mod gates;
mod inspect;
mod intake;
mod lead;
mod leases;
mod notify;
mod order;
mod personal;
mod previews;
mod reconcile;
mod report;
mod settle;
mod surface;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use model::people::ServerRoles;
use store::Database;
use store::leader::Leader;
use store::signals::Signals;
use store::vault::Vault;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use reconcile::Reconcile;

/// How long a pass waits for a wake-up before it looks by itself.
const POLL: Duration = Duration::from_secs(1);
/// How long after an error (the database is away) the passes try again.
const RECOVERY: Duration = Duration::from_secs(1);

/// What the passes work with.
#[derive(Clone)]
pub struct Parts {
    pub db: Database,
    pub signals: Signals,
    /// Without an identity on GitHub nothing is reported; the outbox keeps what is owed.
    pub github: github::Connection,
    pub public_url: String,
    pub clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    pub ids: Arc<dyn Fn() -> Uuid + Send + Sync>,
    /// How often the server looks by itself.
    pub reconcile: Reconcile,
    /// Opens the app's secrets, so that none of them is written on GitHub.
    pub vault: Vault,
    pub notify: ::notify::Sender,
    /// Who has which role in the whole server, as its configuration says.
    pub roles: ServerRoles,
}

/// The passes, ready to run.
#[derive(Clone)]
pub struct Engine {
    parts: Parts,
    /// Raised when the outbox wants something new.
    owed: Arc<Notify>,
    /// Raised when somebody may have asked for something in a comment.
    asked: Arc<Notify>,
}

impl Deref for Engine {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

/// Whether a pass found something to do; if so it is worth looking again at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Made,
    None,
}

impl Progress {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, Self::None) => Self::None,
            (Self::Made, Self::Made | Self::None) | (Self::None, Self::Made) => Self::Made,
        }
    }
}

impl Engine {
    pub fn new(parts: Parts) -> Self {
        Self { parts, owed: Arc::new(Notify::new()), asked: Arc::new(Notify::new()) }
    }

    /// Runs until `stop`. An error ends a turn, never the engine.
    pub async fn run(self, stop: CancellationToken) {
        tokio::join!(
            self.passes(&stop),
            self.reports(&stop),
            reconcile::run(&self, &stop),
            lead::run(&self, &stop),
            comments::run(&self, &stop),
            notify::run(&self, &stop)
        );
    }

    async fn passes(&self, stop: &CancellationToken) {
        while let Some(mut leader) = self.lead("engine", stop).await {
            while !stop.is_cancelled() {
                // registered before the rows are read: what comes in between is not missed
                let woken = self.signals.engine_woken();
                if let Err(error) = self.turns(&mut leader).await {
                    tracing::error!(
                        error = format!("{error:#}"),
                        "a pass failed; it is tried again"
                    );
                    pause(RECOVERY, stop).await;
                    break;
                }
                tokio::select! {
                    () = woken => {}
                    () = pause(POLL, stop) => {}
                }
            }
        }
    }

    async fn reports(&self, stop: &CancellationToken) {
        tokio::select! {
            _ = self.github.connected() => {}
            () = stop.cancelled() => return,
        }
        while let Some(mut leader) = self.lead("report", stop).await {
            while !stop.is_cancelled() {
                let owed = self.owed.notified();
                if let Err(error) = self.report(&mut leader).await {
                    tracing::error!(
                        error = format!("{error:#}"),
                        "GitHub could not be told; tried again"
                    );
                    pause(RECOVERY, stop).await;
                    break;
                }
                tokio::select! {
                    () = owed => {}
                    () = pause(POLL, stop) => {}
                }
            }
        }
    }

    /// Waits until this process leads in what `name` says; `None` when it is to stop.
    async fn lead(&self, name: &str, stop: &CancellationToken) -> Option<Leader> {
        while !stop.is_cancelled() {
            match Leader::acquire(&self.db, name).await {
                Ok(Some(leader)) => return Some(leader),
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "the database cannot be asked for the lead"),
            }
            pause(POLL, stop).await;
        }
        None
    }

    async fn turns(&self, leader: &mut Leader) -> anyhow::Result<()> {
        leader.confirm().await?;
        while self.turn().await? == Progress::Made {}
        Ok(())
    }

    async fn report(&self, leader: &mut Leader) -> anyhow::Result<()> {
        leader.confirm().await?;
        // asked for each time: the identity may be another by now
        let Some(github) = self.github.get() else { return Ok(()) };
        while report::pass(self, &github).await? == Progress::Made {}
        Ok(())
    }

    /// Every pass once.
    pub async fn turn(&self) -> anyhow::Result<Progress> {
        let intake = intake::pass(self).await?;
        let leases = leases::pass(self).await?;
        let gates = gates::pass(self).await?;
        let previews = previews::pass(self).await?;
        let personal = personal::pass(self).await?;
        let settled = settle::pass(self).await?;
        Ok(intake.and(leases).and(previews).and(personal).and(gates).and(settled))
    }

    /// One look at what no event tells of: at GitHub, and whether stacks are to be looked at.
    pub async fn look_around(&self) -> anyhow::Result<()> {
        inspect::pass(self).await?;
        if let Some(github) = self.github.get() {
            reconcile::look(self, &github, &mut reconcile::Memory::default()).await?;
            lead::pass(self, &github).await?;
        }
        Ok(())
    }

    /// Tells whoever is to be told now. Says whether there was anybody.
    pub async fn notify(&self) -> anyhow::Result<Progress> {
        notify::pass(self).await
    }

    /// Acts upon what people ask for in comments now. Says whether there was anything.
    pub async fn comments(&self) -> anyhow::Result<Progress> {
        match self.github.get() {
            Some(github) => comments::pass(self, &github).await,
            None => Ok(Progress::None),
        }
    }

    fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    fn id(&self) -> Uuid {
        (self.ids)()
    }
}

/// Does pieces of work until none is left, or until the other passes should get their turn.
async fn drain<Work>(per_turn: usize, mut one: impl FnMut() -> Work) -> anyhow::Result<Progress>
where
    Work: Future<Output = anyhow::Result<Progress>>,
{
    let mut progress = Progress::None;
    for _ in 0..per_turn {
        match one().await? {
            Progress::Made => progress = Progress::Made,
            Progress::None => break,
        }
    }
    Ok(progress)
}

/// Waits, but no longer than until the stop.
async fn pause(duration: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(duration) => {}
        () = stop.cancelled() => {}
    }
}
