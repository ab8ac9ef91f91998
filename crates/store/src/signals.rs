//! Wake-ups: in the process at once, between processes by coalesced notifications.
//!
//! What always holds: a signal says only "look again"; what there is to see stands in rows. No
//! notification is sent inside a transaction that writes rows, which would make commits queue up
//! behind each other: one task sends them, at most one statement per [`INTERVAL`].
//!
//! A wake-up reaches those who wait at that moment. Take the future before looking, await it after:
//! `let woken = signals.workers_woken(); look().await; woken.await;`. After a crash, or when the
//! connection was lost, signals are lost too: every waiter also polls.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{BuildId, JobId};
use sqlx::PgConnection;
use sqlx::postgres::PgListener;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, broadcast};

use crate::database::Database;
use crate::error::Result;

const CHANNEL: &str = "greenroom";
/// The least time between two notifications to other processes.
const INTERVAL: Duration = Duration::from_millis(20);
/// How long to wait before a lost connection is tried again.
const RECONNECT: Duration = Duration::from_secs(1);
/// A subscriber that falls behind by more is told so and reads everything again.
const TOPICS_KEPT: usize = 1024;

/// What changed, for pages that show it live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    Build(BuildId),
    Log(JobId),
    Board,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Signal {
    Engine,
    Workers,
    Touched(Topic),
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine => f.write_str("engine"),
            Self::Workers => f.write_str("workers"),
            Self::Touched(Topic::Build(id)) => write!(f, "build {id}"),
            Self::Touched(Topic::Log(id)) => write!(f, "log {id}"),
            Self::Touched(Topic::Board) => f.write_str("board"),
        }
    }
}

impl FromStr for Signal {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.split_once(' ') {
            None if text == "engine" => Ok(Self::Engine),
            None if text == "workers" => Ok(Self::Workers),
            None if text == "board" => Ok(Self::Touched(Topic::Board)),
            Some(("build", id)) => {
                id.parse().map(|id| Self::Touched(Topic::Build(id))).map_err(drop)
            }
            Some(("log", id)) => id.parse().map(|id| Self::Touched(Topic::Log(id))).map_err(drop),
            None | Some(_) => Err(()),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Signals {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    engine: Notify,
    workers: Notify,
    topics: broadcast::Sender<Topic>,
    /// For other processes; `None` while no bridge runs, so that it cannot grow.
    outgoing: Mutex<Option<BTreeSet<Signal>>>,
    outgoing_filled: Notify,
}

impl Default for Signals {
    fn default() -> Self {
        Self::new()
    }
}

impl Signals {
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                engine: Notify::new(),
                workers: Notify::new(),
                topics: broadcast::channel(TOPICS_KEPT).0,
                outgoing: Mutex::new(None),
                outgoing_filled: Notify::new(),
            }),
        }
    }

    /// There is something for the engine's passes.
    pub fn wake_engine(&self) {
        self.raise(Signal::Engine);
    }

    /// There may be a job to claim.
    pub fn wake_workers(&self) {
        self.raise(Signal::Workers);
    }

    /// Something that pages show has changed.
    pub fn touched(&self, topic: Topic) {
        self.raise(Signal::Touched(topic));
    }

    /// Hears every wake-up from the moment of this call on, awaited or not.
    pub fn engine_woken(&self) -> Notified<'_> {
        self.shared.engine.notified()
    }

    /// Hears every wake-up from the moment of this call on, awaited or not.
    pub fn workers_woken(&self) -> Notified<'_> {
        self.shared.workers.notified()
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Topic> {
        self.shared.topics.subscribe()
    }

    /// Carries signals to and from other processes on the same database until `cancel` ends.
    pub async fn bridge(self, db: Database, cancel: impl Future<Output = ()>) {
        tokio::pin!(cancel);
        *self.outgoing() = Some(BTreeSet::new());
        loop {
            tokio::select! {
                () = &mut cancel => break,
                Err(error) = self.session(&db) => {
                    tracing::warn!(%error, "signals of other processes are not heard: trying again");
                }
            }
            tokio::select! {
                () = &mut cancel => break,
                () = tokio::time::sleep(RECONNECT) => {}
            }
        }
        *self.outgoing() = None;
    }

    fn raise(&self, signal: Signal) {
        self.deliver(signal);
        if let Some(outgoing) = &mut *self.outgoing()
            && outgoing.insert(signal)
        {
            self.shared.outgoing_filled.notify_one();
        }
    }

    /// To those who wait in this process.
    fn deliver(&self, signal: Signal) {
        match signal {
            Signal::Engine => self.shared.engine.notify_waiters(),
            Signal::Workers => self.shared.workers.notify_waiters(),
            Signal::Touched(topic) => {
                // an error means that nobody subscribed
                let _ = self.shared.topics.send(topic);
            }
        }
    }

    fn deliver_all(&self) {
        for signal in [Signal::Engine, Signal::Workers, Signal::Touched(Topic::Board)] {
            self.deliver(signal);
        }
    }

    fn outgoing(&self) -> MutexGuard<'_, Option<BTreeSet<Signal>>> {
        self.shared.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn session(&self, db: &Database) -> Result<Infallible> {
        let mut listener = PgListener::connect_with(db.pool()).await?;
        listener.listen(CHANNEL).await?;
        // taken out of the pool for good: no other statement must run with this setting
        let mut sender = db.acquire().await?.detach();
        sqlx::query("set synchronous_commit = off").execute(&mut sender).await?;
        let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut sender).await?;
        // whatever was signalled before this session listened
        self.deliver_all();
        let (never, _) = tokio::try_join!(self.receive(listener, pid), self.send(sender))?;
        Ok(never)
    }

    async fn receive(&self, mut listener: PgListener, own_pid: i32) -> Result<Infallible> {
        loop {
            match listener.try_recv().await? {
                Some(notification)
                    if i64::from(notification.process_id()) == i64::from(own_pid) => {}
                Some(notification) => match notification.payload().parse() {
                    Ok(signal) => self.deliver(signal),
                    // of a newer version beside this one
                    Err(()) => tracing::debug!(payload = notification.payload(), "unknown signal"),
                },
                // the connection was lost and is there again
                None => self.deliver_all(),
            }
        }
    }

    async fn send(&self, mut conn: PgConnection) -> Result<Infallible> {
        loop {
            self.shared.outgoing_filled.notified().await;
            let signals = self.outgoing().as_mut().map(std::mem::take).unwrap_or_default();
            if !signals.is_empty() {
                sqlx::query(
                    "select pg_notify($1, payload) from unnest($2::text[]) as row (payload)",
                )
                .bind(CHANNEL)
                .bind(signals.iter().map(Signal::to_string).collect::<Vec<_>>())
                .execute(&mut conn)
                .await?;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_reads_back_as_it_was_written() {
        let id = uuid::Uuid::from_u128(7);
        for signal in [
            Signal::Engine,
            Signal::Workers,
            Signal::Touched(Topic::Board),
            Signal::Touched(Topic::Build(BuildId(id))),
            Signal::Touched(Topic::Log(JobId(id))),
        ] {
            assert_eq!(signal.to_string().parse(), Ok(signal));
        }
    }
}
