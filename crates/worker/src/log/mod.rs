//! The log of one job: what its steps print and the lines we add, masked, in ordered chunks.
//!
//! What always holds: bytes reach the [`ChunkSink`] in the order they were written, under
//! consecutive numbers, each chunk once it was masked; memory is bounded (a writer waits when the
//! sink is slow); a line is sent at once when nothing is under way, and together with what
//! gathered meanwhile when something is. Past its limit the log says so and drops the rest.
//! Steps, and the groups they make, are told beside the bytes and never by them.
//!
//! After a crash of the worker the chunks that were sent stay; the job's next attempt has a log
//! of its own.

mod deliver;
mod masker;
mod needle;
mod outline;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use model::terminal::Tracker;
use model::worker_api::{GroupOutcome, LogHead};
use secrecy::SecretString;
use tokio::sync::{Mutex, MutexGuard, Notify};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use outline::Outline;

pub use masker::{MaskError, Masker};

/// The most that one chunk holds.
pub const CHUNK_BYTES: usize = 256 * 1024;
/// The most that waits for the sink; a writer waits beyond it.
const PENDING_BYTES: usize = 1024 * 1024;
/// Ends whatever look, link or title a step left open.
const PLAIN: &[u8] = b"\x1b[0m";
/// Where the chunks go: the server, or a test's memory.
///
/// `send` repeats what fails until it succeeds, or until the job is lost; an error ends the log.
#[async_trait]
pub trait ChunkSink: Send + Sync + 'static {
    async fn send(&self, seq: i64, chunk: Chunk) -> Result<(), SinkError>;
}

/// A piece of the log. One without bytes only says what became of its groups.
#[derive(Debug, Clone)]
pub struct Chunk {
    pub head: LogHead,
    pub bytes: Bytes,
}

/// The sink takes no more chunks of this job.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the log could not be sent: {0}")]
pub struct SinkError(pub String);

/// What a log may take, and how it knows the time.
#[derive(Clone)]
pub struct LogSettings {
    pub total_bytes: u64,
    pub clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
}

impl LogSettings {
    pub fn new(clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>) -> Self {
        Self { total_bytes: 64 * 1024 * 1024, clock }
    }
}

/// How a log ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogEnd {
    /// Bytes that were sent.
    pub bytes: u64,
    /// Bytes that the limit cut off.
    pub dropped: u64,
    /// The number the next chunk would have had.
    pub next_seq: i64,
}

/// A job's log. Clones write to the same log.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
    settings: LogSettings,
}

struct Shared {
    state: Mutex<State>,
    /// Something is pending, or the log is closed.
    filled: Notify,
    /// Something was taken, or the sink refused.
    drained: Notify,
}

struct State {
    masker: Masker,
    pending: BytesMut,
    at_line_start: bool,
    /// How the next text would look.
    look: Tracker,
    outline: Outline,
    accepted: u64,
    /// How long the notice is that the log is over its limit.
    noticed: u64,
    dropped: u64,
    closed: bool,
    refused: Option<SinkError>,
}

/// Sends a [`Log`]'s chunks until [`LogTask::finish`]; dropped without it, it sends no more.
pub struct LogTask {
    log: Log,
    task: AbortOnDropHandle<i64>,
}

impl Log {
    /// Begins a log whose chunks are numbered from 0.
    pub fn start(
        sink: Arc<dyn ChunkSink>,
        secrets: &[SecretString],
        settings: LogSettings,
    ) -> Result<(Self, LogTask), MaskError> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                masker: Masker::new(secrets)?,
                pending: BytesMut::new(),
                at_line_start: true,
                look: Tracker::default(),
                outline: Outline::default(),
                accepted: 0,
                noticed: 0,
                dropped: 0,
                closed: false,
                refused: None,
            }),
            filled: Notify::new(),
            drained: Notify::new(),
        });
        let log = Self { shared: Arc::clone(&shared), settings };
        let task =
            AbortOnDropHandle::new(tokio::spawn(deliver::deliver(shared, sink).in_current_span()));
        Ok((log.clone(), LogTask { log, task }))
    }

    /// Masks these secrets too in everything written from now on.
    pub async fn mask(&self, secrets: &[SecretString]) -> Result<(), MaskError> {
        self.shared.state.lock().await.masker.add(secrets)
    }

    /// A text as it would stand in the log: without the secrets that the log knows by now.
    pub async fn masked(&self, text: &str) -> String {
        let mut out = Vec::new();
        self.shared.state.lock().await.masker.whole(text.as_bytes(), &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Adds what a step printed. Waits while the sink is behind.
    pub async fn write(&self, bytes: &[u8]) {
        for piece in bytes.chunks(CHUNK_BYTES) {
            let mut state = self.room().await;
            let mut out = Vec::new();
            state.masker.push(piece, &mut out);
            self.accept(state, &out);
        }
    }

    /// Adds a heading of ours: `▶ 12:30:05 npm test`.
    pub async fn heading(&self, text: &str) {
        let state = self.own_state().await;
        self.own_line(state, &self.headed(text));
    }

    /// Adds a remark of ours, on a line of its own.
    pub async fn note(&self, text: &str) {
        let state = self.own_state().await;
        self.own_line(state, text);
    }

    /// Adds a heading, under which everything up to [`Log::end_step`] belongs.
    pub async fn begin_step(&self, name: &str) {
        let mut state = self.own_state().await;
        // a secret in a command is one in a name
        let mut masked = Vec::new();
        state.masker.whole(name.as_bytes(), &mut masked);
        let at = state.length();
        state.outline.begin(&String::from_utf8_lossy(&masked), at, self.now());
        self.own_line(state, &self.headed(name));
    }

    /// Says how the step ended that began last.
    pub async fn end_step(&self, outcome: GroupOutcome) {
        let mut state = self.own_state().await;
        let at = state.length();
        state.outline.end(outcome, at, self.now());
        drop(state);
        self.shared.filled.notify_one();
    }

    fn headed(&self, text: &str) -> String {
        format!("▶ {} {text}", self.now().format("%H:%M:%S"))
    }

    fn now(&self) -> DateTime<Utc> {
        (self.settings.clock)()
    }

    /// The log at the beginning of a line, and plain: our lines never join what a step printed, nor
    /// look like it.
    async fn own_state(&self) -> MutexGuard<'_, State> {
        let mut state = self.room().await;
        let mut rest = Vec::new();
        state.masker.finish(&mut rest);
        let broken = rest.last().map_or(state.at_line_start, |last| *last == b'\n');
        if !broken {
            rest.push(b'\n');
        }
        let now = self.now();
        state.accept(&rest, self.settings.total_bytes, now);
        if !state.look.is_plain() {
            state.accept(PLAIN, self.settings.total_bytes, now);
            // nothing that is seen stands there
            state.at_line_start = true;
        }
        state
    }

    /// Their secrets are masked like any other.
    fn own_line(&self, mut state: MutexGuard<'_, State>, line: &str) {
        let mut out = Vec::new();
        state.masker.push(line.as_bytes(), &mut out);
        state.masker.finish(&mut out);
        out.push(b'\n');
        self.accept(state, &out);
    }

    fn accept(&self, mut state: MutexGuard<'_, State>, bytes: &[u8]) {
        state.accept(bytes, self.settings.total_bytes, self.now());
        drop(state);
        self.shared.filled.notify_one();
    }

    /// Waits until there is room for more.
    async fn room(&self) -> MutexGuard<'_, State> {
        loop {
            let drained = self.shared.drained.notified();
            let state = self.shared.state.lock().await;
            if state.pending.len() < PENDING_BYTES || state.refused.is_some() {
                return state;
            }
            drop(state);
            drained.await;
        }
    }
}

impl State {
    fn accept(&mut self, bytes: &[u8], total: u64, now: DateTime<Utc>) {
        if self.refused.is_some() || self.closed {
            return;
        }
        let room = usize::try_from(total - self.accepted.min(total)).unwrap_or(usize::MAX);
        let (kept, cut) = bytes.split_at(bytes.len().min(room));
        self.add(kept, now);
        self.accepted += kept.len() as u64;
        if !cut.is_empty() && self.dropped == 0 {
            let notice =
                format!("\n▶ The log is longer than {total} bytes: the rest is not kept.\n");
            self.noticed = notice.len() as u64;
            self.add(notice.as_bytes(), now);
        }
        self.dropped += cut.len() as u64;
    }

    fn add(&mut self, bytes: &[u8], now: DateTime<Utc>) {
        self.outline.take(bytes, self.accepted, now);
        self.look.feed(bytes);
        self.pending.extend_from_slice(bytes);
        if let Some(last) = bytes.last() {
            self.at_line_start = *last == b'\n';
        }
    }

    /// How many bytes the log has, our notice among them.
    fn length(&self) -> u64 {
        self.accepted + self.noticed
    }
}

impl LogTask {
    /// Sends what is left and waits until the sink has all of it.
    pub async fn finish(self) -> Result<LogEnd, SinkError> {
        let mut state = self.log.room().await;
        let mut rest = Vec::new();
        state.masker.finish(&mut rest);
        state.accept(&rest, self.log.settings.total_bytes, self.log.now());
        let at = state.length();
        state.outline.end(GroupOutcome::Canceled, at, self.log.now());
        state.closed = true;
        drop(state);
        self.log.shared.filled.notify_one();
        let next_seq = self.task.await.map_err(|error| SinkError(error.to_string()))?;
        let state = self.log.shared.state.lock().await;
        match &state.refused {
            Some(error) => Err(error.clone()),
            None => Ok(LogEnd { bytes: state.accepted, dropped: state.dropped, next_seq }),
        }
    }
}
