//! A log as server-sent events: `event: log`, data `{"text": …}`, id `attempt.seq`; at the end
//! `event: end`, data `{"complete": true, "outcome": …}`.
//!
//! What always holds: an id is that of the last chunk in the event, so `Last-Event-ID` resumes
//! without a gap or a repetition; `end` comes only when the job has ended and all was sent.

use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;
use model::JobId;
use model::job::JobState;
use serde_json::json;
use store::log::LogCursor;
use store::signals::Topic;

use super::jobs::last_seen;
use crate::error::Result;
use crate::live::{self, Next, Source};
use crate::state::State;

const READ_BYTES: i64 = 256 * 1024;

pub(super) async fn follow(state: State, id: JobId, headers: &HeaderMap) -> Result<Response> {
    let source = Follow { id, cursor: last_seen(headers)?, cut: Vec::new() };
    Ok(live::whole(state, source))
}

struct Follow {
    id: JobId,
    cursor: LogCursor,
    /// The beginning of a character whose end is in the next chunk.
    cut: Vec<u8>,
}

impl Source for Follow {
    fn concerns(&self, topic: Topic) -> bool {
        topic == Topic::Log(self.id)
    }

    async fn next(&mut self, state: &State) -> Result<Next> {
        let mut conn = state.db.acquire().await?;
        // the job first: what is read after its end is all there is
        let job = store::job::get(&mut conn, self.id).await?;
        let chunks = store::log::read(&mut conn, self.id, self.cursor, READ_BYTES).await?;
        drop(conn);
        let Some(last) = chunks.last().map(store::log::LogChunk::cursor) else {
            return Ok(match job.state {
                JobState::Finished(outcome) => {
                    let data = json!({ "complete": true, "outcome": outcome.as_str() });
                    Next::End(Event::default().event("end").data(data.to_string()))
                }
                JobState::Blocked
                | JobState::Waiting
                | JobState::Queued { .. }
                | JobState::Running(_) => Next::Nothing,
            });
        };
        self.cursor = last;
        let mut bytes = std::mem::take(&mut self.cut);
        bytes.extend(chunks.into_iter().flat_map(|chunk| chunk.bytes));
        self.cut = bytes.split_off(whole_characters(&bytes));
        let data = json!({ "text": String::from_utf8_lossy(&bytes) });
        let id = format!("{}.{}", last.attempt, last.seq);
        Ok(Next::Event(Event::default().event("log").id(id).data(data.to_string())))
    }
}

/// How many bytes hold whole characters; at most three at the end may be the beginning of one.
fn whole_characters(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Ok(_) => bytes.len(),
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(_) => {
            let tail = bytes.len().saturating_sub(3);
            let start = (tail..bytes.len()).rev().find(|&at| bytes[at] >= 0xc0);
            match start {
                Some(at) if std::str::from_utf8(&bytes[at..]).is_err() => at,
                Some(_) | None => bytes.len(),
            }
        }
    }
}
