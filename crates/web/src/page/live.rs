//! What keeps an open page true: a stream that says when it changed. The stream of a log:
//! [`super::logs`].
//!
//! What always holds: a page says which version it shows, so a change between its rendering and
//! its stream is told at once; the script then reads the page again, and nothing of it is rendered
//! twice in two ways.

use axum::extract::{Path, Query, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;
use chrono::{DateTime, Utc};
use model::BuildId;
use model::job::JobState;
use serde::Deserialize;
use store::PgConnection;
use store::signals::Topic;

use crate::error::Result;
use crate::extract::segment;
use crate::live::{Next, Source, stream, version};
use crate::state::State;

#[derive(Deserialize)]
pub(super) struct Seen {
    #[serde(default)]
    seen: u64,
}

fn last_seen(headers: &HeaderMap, seen: &Seen) -> u64 {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    last.unwrap_or(seen.seen)
}

pub(super) async fn board(
    Extract(state): Extract<State>,
    Query(seen): Query<Seen>,
    headers: HeaderMap,
) -> Response {
    stream(state, Changes { what: What::Board, seen: last_seen(&headers, &seen) })
}

pub(super) async fn build(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    Query(seen): Query<Seen>,
    headers: HeaderMap,
) -> Result<Response> {
    let id: BuildId = segment("build", &id)?;
    Ok(stream(state, Changes { what: What::Build(id), seen: last_seen(&headers, &seen) }))
}

enum What {
    Board,
    Build(BuildId),
}

struct Changes {
    what: What,
    seen: u64,
}

impl Source for Changes {
    fn concerns(&self, topic: Topic) -> bool {
        match (&self.what, topic) {
            (What::Board, Topic::Board) => true,
            (What::Build(id), Topic::Build(touched)) => *id == touched,
            (What::Board, Topic::Build(_) | Topic::Log(_))
            | (What::Build(_), Topic::Board | Topic::Log(_)) => false,
        }
    }

    async fn next(&mut self, state: &State) -> Result<Next> {
        let version = match self.what {
            What::Board => state.board.current(&state.db).await?,
            What::Build(id) => {
                let mut conn = state.db.acquire().await?;
                build_version(&mut conn, id, state.now()).await?
            }
        };
        if version == self.seen {
            return Ok(Next::Nothing);
        }
        self.seen = version;
        Ok(Next::Event(Event::default().event("changed").id(version.to_string()).data("{}")))
    }
}

/// While a job runs the page is another one every few seconds: its bars go on.
const BARS_EVERY_SECONDS: i64 = 10;

pub(super) async fn build_version(
    conn: &mut PgConnection,
    id: BuildId,
    now: DateTime<Utc>,
) -> Result<u64> {
    let build = store::build::get(conn, id).await?;
    let jobs = store::job::list(conn, id).await?;
    let running = jobs.iter().any(|job| matches!(job.state, JobState::Running(_)));
    let tick = running.then(|| now.timestamp() / BARS_EVERY_SECONDS);
    let states: Vec<_> = jobs
        .into_iter()
        .map(|job| (job.id, job.state.as_str(), job.attempt, job.cancel_requested_at))
        .collect();
    let decided: Vec<_> = store::approval::of_build(conn, id)
        .await?
        .into_iter()
        .map(|kept| (kept.id, kept.approval.state, kept.approval.overridden))
        .collect();
    let progress = store::progress::of_build(conn, id).await?;
    Ok(version(&(
        decided,
        build.state,
        build.outcome,
        build.planned.is_some(),
        build.cancel_requested_at,
        states,
        progress,
        tick,
    )))
}
