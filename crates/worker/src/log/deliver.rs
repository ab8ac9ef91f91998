//! Takes what is pending of a log and sends it, chunk by chunk.

use std::sync::Arc;
use std::time::Duration;

use model::terminal::Tracker;
use model::worker_api::LogHead;
use tokio::time::Instant;

use super::{CHUNK_BYTES, Chunk, ChunkSink, Shared};

/// After one chunk the next waits this long for company, so that a chatty step does not cost a
/// database commit a line.
const GATHER: Duration = Duration::from_millis(4);
/// The end of a step waits this long for the line that mostly follows it.
const QUIET: Duration = Duration::from_millis(100);

/// Sends until the log is closed or the sink refuses; answers the number of the next chunk.
pub(super) async fn deliver(shared: Arc<Shared>, sink: Arc<dyn ChunkSink>) -> i64 {
    let mut seq = 0;
    let mut sent_bytes = 0_u64;
    let mut sent_look = Tracker::default();
    let mut last_sent: Option<Instant> = None;
    let mut waited_in_vain = false;
    loop {
        let filled = shared.filled.notified();
        let mut state = shared.state.lock().await;
        let only_news = state.pending.is_empty();
        if only_news && !state.outline.has_news() {
            if state.closed {
                return seq;
            }
            drop(state);
            filled.await;
            continue;
        }
        if only_news && !state.closed && !waited_in_vain {
            drop(state);
            waited_in_vain = tokio::time::timeout(QUIET, filled).await.is_err();
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
        waited_in_vain = false;
        let length = state.pending.len().min(CHUNK_BYTES);
        let bytes = state.pending.split_to(length).freeze();
        sent_bytes += bytes.len() as u64;
        // what comes after the last byte is told once nothing else comes
        let until = if only_news { u64::MAX } else { sent_bytes };
        let groups = state.outline.tell(until);
        drop(state);
        shared.drained.notify_waiters();
        let head = LogHead { prelude: sent_look.prelude(), groups };
        sent_look.feed(&bytes);
        if let Err(error) = sink.send(seq, Chunk { head, bytes }).await {
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
