//! The log of one job: what its steps print and the lines we add, masked, in ordered chunks.
//!
//! What always holds: bytes reach the [`ChunkSink`] in the order they were written, under
//! consecutive numbers, each chunk once it was masked; memory is bounded (a writer waits when the
//! sink is slow); a line is sent at once when nothing is under way, and together with what
//! gathered meanwhile when something is. Past its limit the log says so and drops the rest.
//!
//! After a crash of the worker the chunks that were sent stay; the job's next attempt has a log
//! of its own.

mod masker;
mod needle;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

pub use masker::{MaskError, Masker};

/// The most that one chunk holds.
pub const CHUNK_BYTES: usize = 256 * 1024;
/// The most that waits for the sink; a writer waits beyond it.
const PENDING_BYTES: usize = 1024 * 1024;
/// After one chunk the next waits this long for company, so that a chatty step does not cost a
/// database commit a line.
const GATHER: Duration = Duration::from_millis(4);

/// Where the chunks go: the server, or a test's memory.
///
/// `send` repeats what fails until it succeeds, or until the job is lost; an error ends the log.
#[async_trait]
pub trait ChunkSink: Send + Sync + 'static {
    async fn send(&self, seq: i64, bytes: Bytes) -> Result<(), SinkError>;
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
    accepted: u64,
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
                accepted: 0,
                dropped: 0,
                closed: false,
                refused: None,
            }),
            filled: Notify::new(),
            drained: Notify::new(),
        });
        let log = Self { shared: Arc::clone(&shared), settings };
        let task = AbortOnDropHandle::new(tokio::spawn(deliver(shared, sink)));
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
            self.append(|_, masker, out| masker.push(piece, out)).await;
        }
    }

    /// Adds a heading of ours: `▶ 12:30:05 npm test`.
    pub async fn heading(&self, text: &str) {
        let time = (self.settings.clock)().format("%H:%M:%S");
        self.own_line(&format!("▶ {time} {text}\n")).await;
    }

    /// Adds a remark of ours, on a line of its own.
    pub async fn note(&self, text: &str) {
        self.own_line(&format!("{text}\n")).await;
    }

    /// Our lines never join what a step printed, and their secrets are masked like any other.
    async fn own_line(&self, line: &str) {
        self.append(|at_line_start, masker, out| {
            let mut tail = Vec::new();
            masker.finish(&mut tail);
            let broken = tail.last().map_or(at_line_start, |last| *last == b'\n');
            out.append(&mut tail);
            if !broken {
                out.push(b'\n');
            }
            masker.push(line.as_bytes(), out);
            masker.finish(out);
        })
        .await;
    }

    async fn append(&self, produce: impl FnOnce(bool, &mut Masker, &mut Vec<u8>)) {
        let mut state = loop {
            let drained = self.shared.drained.notified();
            let state = self.shared.state.lock().await;
            if state.pending.len() < PENDING_BYTES || state.refused.is_some() {
                break state;
            }
            drop(state);
            drained.await;
        };
        let mut out = Vec::new();
        let at_line_start = state.at_line_start;
        produce(at_line_start, &mut state.masker, &mut out);
        state.accept(&out, self.settings.total_bytes);
        drop(state);
        self.shared.filled.notify_one();
    }
}

impl State {
    fn accept(&mut self, bytes: &[u8], total: u64) {
        if self.refused.is_some() || self.closed {
            return;
        }
        let room = usize::try_from(total - self.accepted.min(total)).unwrap_or(usize::MAX);
        let (kept, cut) = bytes.split_at(bytes.len().min(room));
        self.pending.extend_from_slice(kept);
        self.accepted += kept.len() as u64;
        if let Some(last) = kept.last() {
            self.at_line_start = *last == b'\n';
        }
        if !cut.is_empty() && self.dropped == 0 {
            let notice =
                format!("\n▶ The log is longer than {total} bytes: the rest is not kept.\n");
            self.pending.extend_from_slice(notice.as_bytes());
            self.at_line_start = true;
        }
        self.dropped += cut.len() as u64;
    }
}

impl LogTask {
    /// Sends what is left and waits until the sink has all of it.
    pub async fn finish(self) -> Result<LogEnd, SinkError> {
        self.log.append(|_, masker, out| masker.finish(out)).await;
        self.log.shared.state.lock().await.closed = true;
        self.log.shared.filled.notify_one();
        let next_seq = self.task.await.map_err(|error| SinkError(error.to_string()))?;
        let state = self.log.shared.state.lock().await;
        match &state.refused {
            Some(error) => Err(error.clone()),
            None => Ok(LogEnd { bytes: state.accepted, dropped: state.dropped, next_seq }),
        }
    }
}

/// Takes what is pending and sends it, until the log is closed or the sink refuses.
async fn deliver(shared: Arc<Shared>, sink: Arc<dyn ChunkSink>) -> i64 {
    let mut seq = 0;
    let mut last_sent: Option<Instant> = None;
    loop {
        let filled = shared.filled.notified();
        let mut state = shared.state.lock().await;
        if state.pending.is_empty() {
            if state.closed {
                return seq;
            }
            drop(state);
            filled.await;
            continue;
        }
        if let Some(sent) = last_sent.filter(|_| state.pending.len() < CHUNK_BYTES && !state.closed)
            && sent.elapsed() < GATHER
        {
            drop(state);
            tokio::time::sleep_until(sent + GATHER).await;
            last_sent = None;
            continue;
        }
        let length = state.pending.len().min(CHUNK_BYTES);
        let chunk = state.pending.split_to(length).freeze();
        drop(state);
        shared.drained.notify_waiters();
        if let Err(error) = sink.send(seq, chunk).await {
            let mut state = shared.state.lock().await;
            state.refused = Some(error);
            state.pending.clear();
            drop(state);
            shared.drained.notify_waiters();
            return seq;
        }
        seq += 1;
        last_sent = Some(Instant::now());
    }
}
