//! A worker presents itself, and asks for work.
//!
//! What always holds: the slots of a worker do not wait for each other; a job that cannot be
//! assigned (a secret that does not open, an artifact that is missing) fails with the reason
//! instead of being offered for ever; a change's deployment row is committed before its worker hears of it.
//! After a crash between the claim and the answer the lease runs out and the job is offered again.

use std::time::Duration;

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use model::WorkerId;
use model::worker_api::{Assignment, Claim, Register, Registered};
use store::signals::Topic;
use tokio::time::Instant;

use super::assignment::{self, Unassignable};
use super::finish;
use crate::error::{Error, Result};
use crate::measure;
use crate::request;
use crate::state::State;

/// The longest a claim is held open.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How often a waiting claim looks by itself: the wake-up may have been another process's.
const POLL: Duration = Duration::from_secs(2);

pub(super) async fn register(
    Extract(state): Extract<State>,
    Json(register): Json<Register>,
) -> Result<Json<Registered>> {
    if register.name.is_empty() || register.name.len() > 100 {
        return Err(Error::invalid("name", "use 1 to 100 characters"));
    }
    let now = state.now();
    let mut tx = state.db.begin().await?;
    let worker = store::worker::register(&mut tx, WorkerId(state.id()), &register, now).await?;
    // whoever had this name is gone: a worker locks its directory
    let released = store::job::release(&mut tx, worker.id, now).await?;
    tx.commit().await.map_err(Error::internal)?;
    tracing::info!(name = register.name, released = released.len(), "a worker registered");
    if !released.is_empty() {
        state.signals.wake_engine();
        state.signals.wake_workers();
    }
    Ok(Json(Registered { worker: worker.id, lease_seconds: lease_seconds(&state) }))
}

fn lease_seconds(state: &State) -> u32 {
    u32::try_from(state.settings.lease.as_secs()).unwrap_or(u32::MAX)
}

pub(super) async fn claim(
    Extract(state): Extract<State>,
    Json(claim): Json<Claim>,
) -> Result<Response> {
    known(&state, &claim).await?;
    let wait = Duration::from_secs(claim.wait_seconds.into()).min(LONGEST_WAIT);
    let until = Instant::now() + wait;
    loop {
        // registered before the rows are read: what comes in between is not missed
        let woken = state.signals.workers_woken();
        let claimed = one(&state, claim.worker).await?;
        measure::claim(claimed.as_str());
        match claimed {
            Claimed::Assigned(assignment) => return Ok(Json(assignment).into_response()),
            Claimed::Failed => continue,
            Claimed::Nothing => {}
        }
        let now = Instant::now();
        if now >= until {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        // a time-out only means to look again
        let _ = tokio::time::timeout((until - now).min(POLL), woken).await;
    }
}

/// How long a worker may be heard of without a word about it. Its slots share that row: written by
/// each claim, they would queue up for it, one flush of the disk after another.
const HEARD: TimeDelta = TimeDelta::seconds(10);

/// Two processes under one name would take turns at losing each other's jobs.
async fn known(state: &State, claim: &Claim) -> Result<()> {
    let mut conn = state.db.acquire().await?;
    let worker = store::worker::find(&mut conn, claim.worker).await?;
    match worker {
        Some(worker) if worker.incarnation == claim.incarnation => {
            let now = state.now();
            if now - worker.seen_at >= HEARD {
                store::worker::seen(&mut conn, claim.worker, now).await?;
            }
            Ok(())
        }
        Some(_) => Err(Error::Conflict(
            "another process registered under this worker's name since: give each its own".into(),
        )),
        None => Err(Error::Conflict("this worker is not known here: register again".into())),
    }
}

enum Claimed {
    Assigned(Box<Assignment>),
    /// One was claimed and had to fail at once; there may be others.
    Failed,
    Nothing,
}

impl Claimed {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Assigned(_) => "assigned",
            Self::Failed => "failed",
            Self::Nothing => "nothing",
        }
    }
}

async fn one(state: &State, worker: WorkerId) -> Result<Claimed> {
    let now = state.now();
    let lease = TimeDelta::from_std(state.settings.lease).map_err(Error::internal)?;
    let mut conn = state.db.acquire().await?;
    let Some(job) = store::job::claim(&mut conn, worker, now + lease, now).await? else {
        return Ok(Claimed::Nothing);
    };
    measure::job_waited(&job, now);
    request::is_about(job.build_id);
    let assigned = if job.kind.changes_stack() {
        drop(conn);
        let mut tx = state.db.begin().await?;
        let assigned = assignment::build(state, &mut tx, &job).await;
        if assigned.is_ok() {
            tx.commit().await.map_err(Error::internal)?;
        }
        assigned
    } else {
        assignment::build(state, &mut conn, &job).await
    };
    let claimed = match assigned {
        Ok(assignment) => Claimed::Assigned(Box::new(assignment)),
        Err(Unassignable::Fails(message)) => {
            finish::fail(state, &job, message).await?;
            Claimed::Failed
        }
        Err(Unassignable::Store(error)) => return Err(error.into()),
    };
    state.signals.wake_engine();
    state.signals.touched(Topic::Build(job.build_id));
    state.signals.touched(Topic::Board);
    Ok(claimed)
}
