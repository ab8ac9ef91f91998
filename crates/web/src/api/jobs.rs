//! A job's log: whole as text, or followed as server-sent events.

use axum::body::Body;
use axum::extract::{Path, Query, State as Extract};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, stream};
use model::JobId;
use serde::Deserialize;
use store::log::LogCursor;

use super::follow;
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::state::State;

const READ_BYTES: i64 = 1024 * 1024;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// As server-sent events, until the job has ended.
    #[serde(default)]
    follow: bool,
}

/// The log of a job
///
/// As it is now, as text; with `follow` as server-sent events: `log` with `{"text"}` and an id that
/// `Last-Event-ID` goes on from, and at the end `end` with `{"complete", "outcome"}`.
#[utoipa::path(
    get,
    path = "/jobs/{id}/log",
    operation_id = "getJobLog",
    tag = "jobs",
    params(
        Options,
        ("last-event-id" = Option<String>, Header,
            description = "The id of the last event that was seen."),
    ),
    responses(
        (status = 200, description = "The log", content((String = "text/plain"), (String = "text/event-stream"))),
    ),
)]
pub(super) async fn log(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    Query(options): Query<Options>,
    headers: HeaderMap,
) -> Result<Response> {
    let id: JobId = segment("job", &id)?;
    {
        let mut conn = state.db.acquire().await?;
        store::job::get(&mut conn, id).await?;
    }
    if options.follow {
        return follow::follow(state, id, &headers).await;
    }
    Ok(whole(state, id))
}

/// The log as it is now, read as the client takes it.
pub(crate) fn whole(state: State, id: JobId) -> Response {
    let body = Body::from_stream(chunks(state, id));
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response()
}

fn chunks(state: State, id: JobId) -> impl Stream<Item = std::result::Result<Bytes, store::Error>> {
    stream::try_unfold((state, LogCursor::default()), move |(state, cursor)| async move {
        let mut conn = state.db.acquire().await?;
        let chunks = store::log::read(&mut conn, id, cursor, READ_BYTES).await?;
        drop(conn);
        let Some(cursor) = chunks.last().map(store::log::LogChunk::cursor) else {
            return Ok(None);
        };
        let bytes: Vec<u8> = chunks.into_iter().flat_map(|chunk| chunk.bytes).collect();
        Ok(Some((Bytes::from(bytes), (state, cursor))))
    })
}

/// Where a reader that was cut off goes on.
pub(super) fn last_seen(headers: &HeaderMap) -> Result<LogCursor> {
    let Some(text) = headers.get("last-event-id").and_then(|value| value.to_str().ok()) else {
        return Ok(LogCursor::default());
    };
    text.split_once('.')
        .and_then(|(attempt, seq)| {
            Some(LogCursor { attempt: attempt.parse().ok()?, seq: seq.parse().ok()? })
        })
        .ok_or_else(|| Error::BadRequest("last-event-id is no id of this stream".into()))
}
