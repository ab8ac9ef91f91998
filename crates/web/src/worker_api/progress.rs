//! How far a running job is, as its worker counts it.
//!
//! What always holds: only the attempt that holds the job is heard; whoever looks at the build's
//! page sees it at once.

use axum::Json;
use axum::extract::{Path, Query, State as Extract};
use axum::http::StatusCode;
use model::JobId;
use model::worker_api::{Held, Progress};
use store::signals::Topic;

use crate::error::{Error, Result};
use crate::extract::segment;
use crate::state::State;

/// A word and a name of CloudFormation's, which has 255 letters at most.
const MAX_DOING_BYTES: usize = 400;

pub(super) async fn report(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    Query(held): Query<Held>,
    Json(progress): Json<Progress>,
) -> Result<StatusCode> {
    let id: JobId = segment("job", &id)?;
    if progress.done > progress.total {
        return Err(Error::invalid("done", "no more can be done than there is in all"));
    }
    if progress.doing.as_ref().is_some_and(|doing| doing.len() > MAX_DOING_BYTES) {
        return Err(Error::invalid("doing", "say it in a few words"));
    }
    let mut conn = state.db.acquire().await?;
    let build =
        store::progress::report(&mut conn, id, held.attempt, &progress, state.now()).await?;
    drop(conn);
    state.signals.touched(Topic::Build(build));
    Ok(StatusCode::NO_CONTENT)
}
