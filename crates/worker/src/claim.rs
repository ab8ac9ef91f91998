//! The claim loop: each slot asks for a job, runs it, asks again.
//!
//! What always holds: a server that is away is asked again for ever, with waits up to five
//! seconds; a worker whose name another process has taken stops; a shutdown ends the asking at
//! once, gives running jobs a grace period, and then ends them without a report: their leases run
//! out and other workers take them; mirrors are tidied only while no job runs, and a job that
//! comes in ends the tidying.

use std::sync::Arc;
use std::time::Duration;

use model::WorkerId;
use model::worker_api::{Claim, Register, Registered};
use tokio::sync::{Notify, RwLock};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::Error;
use crate::client::{CallError, Client};
use crate::hold::{Hold, Stop};
use crate::job;
use crate::machine::Machine;
use crate::retry::Backoff;

/// How long the server may hold a claim open: below the idle time of common proxies.
const WAIT_SECONDS: u16 = 25;
/// What running jobs get when the process is asked to end.
const GRACE: Duration = Duration::from_secs(30);
/// A lease shorter than this could not be kept over a slow line.
const SHORTEST_LEASE: Duration = Duration::from_secs(3);
/// A slot that tidies does not claim.
const LONGEST_TIDY: Duration = Duration::from_secs(5 * 60);

/// Presents this process to the server, waiting for it to come up. `None`: shut down before.
pub(crate) async fn register(
    client: &Client,
    register: &Register,
    shutdown: &CancellationToken,
) -> Result<Option<Registered>, Error> {
    let mut backoff = Backoff::server();
    let mut told = false;
    loop {
        let answer = tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            answer = client.register(register) => answer,
        };
        match answer {
            Ok(registered) => return Ok(Some(registered)),
            Err(CallError::Unavailable { reason }) => {
                if !told {
                    tracing::warn!(reason, "the server cannot be reached yet; asking again");
                    told = true;
                }
            }
            Err(
                error @ (CallError::Refused { .. }
                | CallError::Lost { .. }
                | CallError::Local { .. }),
            ) => {
                return Err(Error::Register(error));
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            () = tokio::time::sleep(backoff.wait()) => {}
        }
    }
}

/// Runs all slots until the shutdown, or until the server refuses this worker.
pub(crate) async fn run(
    machine: Arc<Machine>,
    client: Client,
    presented: Register,
    registered: Registered,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    // Canceled when one slot learns that all must end.
    let ending = shutdown.child_token();
    // Canceled when the grace is over.
    let over = CancellationToken::new();
    let slots = presented.slots;
    let worker = Arc::new(Worker {
        machine,
        client,
        worker: RwLock::new(registered.worker),
        lease: Duration::from_secs(registered.lease_seconds.into()).max(SHORTEST_LEASE),
        presented,
        ending: ending.clone(),
        over: over.clone(),
        jobs: RwLock::new(()),
        arrival: Notify::new(),
    });
    let mut loops = JoinSet::new();
    for slot in 0..slots {
        let worker = Arc::clone(&worker);
        loops.spawn(async move { worker.slot(slot).await });
    }
    let grace = async {
        ending.cancelled().await;
        tokio::time::sleep(GRACE).await;
        over.cancel();
        std::future::pending::<()>().await;
    };
    tokio::pin!(grace);
    let mut result = Ok(());
    loop {
        let joined = tokio::select! {
            joined = loops.join_next() => joined,
            () = &mut grace => continue,
        };
        let error = match joined {
            None => return result,
            Some(Ok(Ok(()))) => continue,
            Some(Ok(Err(error))) => error,
            Some(Err(panic)) => Error::Slot(panic.to_string()),
        };
        ending.cancel();
        if result.is_ok() {
            result = Err(error);
        }
    }
}

struct Worker {
    machine: Arc<Machine>,
    client: Client,
    worker: RwLock<WorkerId>,
    lease: Duration,
    presented: Register,
    ending: CancellationToken,
    over: CancellationToken,
    /// Held for reading by jobs, for writing by who tidies.
    jobs: RwLock<()>,
    /// A job is about to run.
    arrival: Notify,
}

impl Worker {
    async fn slot(&self, slot: u16) -> Result<(), Error> {
        let mut backoff = Backoff::server();
        loop {
            let claim = Claim {
                worker: *self.worker.read().await,
                incarnation: self.presented.incarnation,
                wait_seconds: WAIT_SECONDS,
            };
            let answer = tokio::select! {
                biased;
                () = self.ending.cancelled() => return Ok(()),
                answer = self.client.claim(&claim) => answer,
            };
            let wait = match answer {
                Ok(None) => {
                    backoff.reset();
                    self.tidy().await;
                    continue;
                }
                Ok(Some(assignment)) => {
                    backoff.reset();
                    self.work(slot, assignment).await;
                    continue;
                }
                Err(CallError::Lost { detail }) => return Err(Error::Replaced { detail }),
                Err(CallError::Refused { status: 404, .. }) => {
                    self.register_again(claim.worker).await?;
                    backoff.wait()
                }
                Err(error @ (CallError::Refused { .. } | CallError::Local { .. })) => {
                    tracing::error!(slot, %error, "the server refuses claims");
                    backoff.wait()
                }
                Err(CallError::Unavailable { reason }) => {
                    tracing::debug!(slot, reason, "the server cannot be reached");
                    backoff.wait()
                }
            };
            tokio::select! {
                () = self.ending.cancelled() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn work(&self, slot: u16, assignment: model::worker_api::Assignment) {
        let claimed_at = Instant::now();
        self.arrival.notify_waiters();
        let _running = self.jobs.read().await;
        let hold = Hold::new();
        let client = self.client.job(assignment.job, assignment.attempt);
        let span = job::span(&assignment);
        let attempt = Box::pin(job::attempt(
            Arc::clone(&self.machine),
            slot,
            client,
            assignment,
            self.lease,
            claimed_at,
            hold.clone(),
        ))
        .instrument(span);
        tokio::pin!(attempt);
        tokio::select! {
            () = &mut attempt => return,
            () = self.over.cancelled() => hold.stop(Stop::Shutdown),
        }
        attempt.await;
    }

    /// Tidies the mirrors that are due, if no job runs, until one comes in.
    async fn tidy(&self) {
        let arrival = self.arrival.notified();
        tokio::pin!(arrival);
        // From here on no arrival is missed.
        arrival.as_mut().enable();
        let Ok(_quiet) = self.jobs.try_write() else { return };
        let tidying = self.machine.mirrors.tidy(job::now());
        tokio::select! {
            biased;
            () = self.ending.cancelled() => {}
            () = arrival => {}
            tidied = tokio::time::timeout(LONGEST_TIDY, tidying) => match tidied {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the mirrors were not tidied"),
                Err(_) => tracing::warn!("tidying the mirrors takes long; it goes on another time"),
            }
        }
    }

    /// The server does not know this worker any more (its database is another): present it again.
    async fn register_again(&self, known: WorkerId) -> Result<(), Error> {
        let mut worker = self.worker.write().await;
        // Another slot may have done it while this one waited.
        if *worker == known
            && let Some(registered) = register(&self.client, &self.presented, &self.ending).await?
        {
            *worker = registered.worker;
        }
        Ok(())
    }
}

/// What this process says of itself.
#[expect(
    clippy::disallowed_methods,
    reason = "an incarnation is no row's id: it only has to differ"
)]
pub(crate) fn presentation(name: String, slots: u16, executor: String) -> Register {
    Register {
        name,
        incarnation: Uuid::new_v4(),
        slots,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        executor,
    }
}
