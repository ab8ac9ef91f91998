//! The worker API, `/worker/v1`: [`model::worker_api`] is its contract.
//!
//! What always holds: only a worker's token opens it; every call about a job names the attempt,
//! and one that no longer holds the job is answered 409; every call may be repeated. No
//! transaction is open while AWS, GitHub or the object store are spoken to.

mod approved;
mod artifact;
pub(crate) mod assignment;
mod change;
mod claim;
pub(crate) mod credentials;
mod effect;
mod finish;
mod job;
mod outside;
mod progress;
pub(crate) mod target;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State as Extract};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{post, put};
use model::permission::{Action, Scope};

use crate::auth;
use crate::error::Result;
use crate::state::State;

const MAX_LOG_CHUNK_BYTES: usize = 1024 * 1024;
const MAX_ARTIFACT_BYTES: usize = 512 * 1024 * 1024;
/// The end of a plan job lists every changed file.
const MAX_FINISH_BYTES: usize = 32 * 1024 * 1024;

pub(crate) fn routes(state: &State) -> Router<State> {
    let limit = DefaultBodyLimit::max;
    Router::new()
        .route("/register", post(claim::register))
        .route("/claim", post(claim::claim))
        .route("/jobs/{id}/heartbeat", post(job::heartbeat))
        .route("/jobs/{id}/log", post(job::log).layer(limit(MAX_LOG_CHUNK_BYTES)))
        .route("/jobs/{id}/progress", post(progress::report))
        .route("/jobs/{id}/checkout", post(job::checkout))
        .route("/jobs/{id}/credentials", post(credentials::mint))
        .route(
            "/jobs/{id}/artifact",
            put(artifact::store).get(artifact::load).layer(limit(MAX_ARTIFACT_BYTES)),
        )
        .route("/jobs/{id}/finish", post(finish::finish).layer(limit(MAX_FINISH_BYTES)))
        .route_layer(middleware::from_fn_with_state(state.clone(), workers_only))
}

async fn workers_only(
    Extract(state): Extract<State>,
    request: Request,
    next: Next,
) -> Result<Response> {
    auth::bearer(&state, request.headers()).await?.may(Action::Work, Scope::Server)?;
    Ok(next.run(request).await)
}
