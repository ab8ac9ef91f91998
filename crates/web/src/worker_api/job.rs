//! The calls a worker makes while it runs a job: heartbeat, log, checkout.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State as Extract};
use axum::http::StatusCode;
use chrono::TimeDelta;
use model::JobId;
use model::worker_api::{Checkout, Directive, Heartbeat, Held, LogHead, MAX_LOG_GROUPS};
use secrecy::ExposeSecret;
use serde::Deserialize;
use store::signals::Topic;

use crate::error::{Error, Result};
use crate::extract::segment;
use crate::measure;
use crate::state::State;

/// What a configured token (which says no end of its own) is trusted for.
const TOKEN_LIFE: TimeDelta = TimeDelta::hours(1);

pub(super) async fn heartbeat(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    Json(held): Json<Held>,
) -> Result<Json<Heartbeat>> {
    let id: JobId = segment("job", &id)?;
    let lease = TimeDelta::from_std(state.settings.lease).map_err(Error::internal)?;
    let mut conn = state.db.acquire().await?;
    let beat = store::job::heartbeat(&mut conn, id, held.attempt, state.now() + lease).await?;
    Ok(Json(Heartbeat {
        lease_expires_at: beat.expires_at,
        directive: match beat.cancel {
            Some(reason) => Directive::Cancel { reason },
            None => Directive::Continue,
        },
    }))
}

#[derive(Deserialize)]
pub(super) struct Chunk {
    attempt: i32,
    seq: i64,
    /// So many bytes before the chunk's are a [`LogHead`].
    #[serde(default)]
    head: usize,
}

pub(super) async fn log(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    Query(chunk): Query<Chunk>,
    bytes: Bytes,
) -> Result<StatusCode> {
    let id: JobId = segment("job", &id)?;
    if chunk.seq < 0 {
        return Err(Error::invalid("seq", "count chunks from 0"));
    }
    if chunk.head > bytes.len() {
        return Err(Error::invalid("head", "it is longer than the body"));
    }
    let (head, bytes) = bytes.split_at(chunk.head);
    let head: LogHead = match head {
        [] => LogHead::default(),
        head => serde_json::from_slice(head)
            .map_err(|error| Error::invalid("head", error.to_string()))?,
    };
    if head.groups.iter().any(|group| group.ordinal >= MAX_LOG_GROUPS || group.first_line == 0) {
        return Err(Error::invalid("head", "a group is numbered as no worker numbers them"));
    }
    let mut conn = state.db.acquire().await?;
    let place = (chunk.attempt, chunk.seq);
    let kind = store::log::append(&mut conn, id, place, bytes, &head, state.now()).await?;
    drop(conn);
    measure::steps(kind, &head);
    state.signals.touched(Topic::Log(id));
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn checkout(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    Json(held): Json<Held>,
) -> Result<Json<Checkout>> {
    let id: JobId = segment("job", &id)?;
    let app = {
        let mut conn = state.db.acquire().await?;
        let job = store::job::held(&mut conn, id, held.attempt).await?;
        let build = store::build::get(&mut conn, job.build_id).await?;
        store::app::get(&mut conn, build.app_id).await?
    };
    let github = state.github.get().ok_or_else(|| {
        Error::Unavailable(
            "the server has no identity on GitHub to check out with: set `github.token`, or \
             `github.app_id` and `github.private_key_file`"
                .into(),
        )
    })?;
    let minted = github.checkout_token(&app.repository).await?;
    let base = state.settings.git_url.trim_end_matches('/');
    Ok(Json(Checkout {
        url: format!("{base}/{}.git", app.repository),
        token: minted.token.expose_secret().to_owned(),
        expires_at: minted.expires_at.unwrap_or_else(|| state.now() + TOKEN_LIFE),
    }))
}
