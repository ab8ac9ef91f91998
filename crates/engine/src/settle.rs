//! A build whose jobs changed is brought as far as it can be: canceled work ended, the plan drawn,
//! jobs unblocked, the outcome found, and what GitHub is to show of it wanted.
//!
//! What always holds: this is the one place that plans and finishes builds. It works from the
//! rows alone, in one transaction a build, and leaves a settled build settled: a second look
//! changes nothing. Rows are read again only after they were written, and workers woken only when
//! a job may have become free. A missed wake-up costs a second, never a build.

mod cancel;
mod conclude;
mod gates;
mod ground;
mod plan;

use chrono::{DateTime, Utc};
use model::JobId;
use model::build::BuildOutcome;
use model::job::{JobEvent, JobKind, JobState};
use model::plan::{JobView, advance};
use store::PgConnection;
use store::build::Build;
use store::gate::Gates;
use store::job::Job;
use store::signals::Topic;
use tracing::Instrument;

use crate::surface::{self, Settled};
use crate::{Engine, Progress, drain};
use plan::Drawn;

/// Builds settled in one turn, so that the other passes get theirs.
const PER_TURN: usize = 100;

pub(crate) async fn pass(engine: &Engine) -> anyhow::Result<Progress> {
    drain(PER_TURN, || one(engine)).await
}

async fn one(engine: &Engine) -> anyhow::Result<Progress> {
    let mut tx = engine.db.begin_repeatable().await?;
    let Some(build) = store::build::take_dirty(&mut tx, 1).await?.pop() else {
        return Ok(Progress::None);
    };
    let span = tracing::info_span!(
        "build", app = %build.app, build = %build.id, number = build.number
    );
    let settling = settle(engine, &mut tx, &build).instrument(span);
    let done = settling.await.map_err(|error| {
        error.context(format!("settling build {} of {}", build.number, build.app))
    })?;
    tx.commit().await?;
    if let Some(outcome) = done.ended {
        count(&build, outcome, engine.now());
    }
    match done.jobs {
        Jobs::Moved => engine.signals.wake_workers(),
        Jobs::AsTheyWere => {}
    }
    engine.owed.notify_one();
    engine.signals.touched(Topic::Build(build.id));
    Ok(Progress::Made)
}

fn count(build: &Build, outcome: BuildOutcome, now: DateTime<Utc>) {
    let labels = [("purpose", build.purpose.as_str()), ("outcome", outcome.as_str())];
    metrics::counter!("greenroom_builds_finished_total", &labels).increment(1);
    let took = (now - build.created_at).as_seconds_f64().max(0.0);
    metrics::histogram!("greenroom_build_duration_seconds", &labels).record(took);
}

/// What came of settling a build.
struct Done {
    jobs: Jobs,
    /// The build came to its end.
    ended: Option<BuildOutcome>,
}

/// What settling a build did to its jobs, or to how they stand in others' way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Jobs {
    Moved,
    AsTheyWere,
}

async fn settle(engine: &Engine, conn: &mut PgConnection, build: &Build) -> anyhow::Result<Done> {
    let app = store::app::get(conn, build.app_id).await?;
    let was = build.outcome;
    let mut build = build.clone();
    let mut jobs = store::job::list(conn, build.id).await?;
    let mut held = None;
    let mut moved = false;
    if build.outcome.is_none() {
        if let Some(reason) = cancel::wanted(&build) {
            moved = cancel::carry_out(engine, conn, &build, &jobs, &reason).await?;
        } else if build.planned.is_none() && plan_succeeded(&jobs) {
            match plan::draw(engine, conn, &app, &build, &jobs).await? {
                Drawn::Planned(services) => {
                    build.planned = Some(services);
                    moved = true;
                }
                Drawn::Refused(outcome, reason) => {
                    build.outcome = Some(outcome);
                    build.reason = Some(reason);
                }
            }
        }
        if moved {
            jobs = store::job::list(conn, build.id).await?;
        }
        let gates = gates::load(engine, conn, &app, &build, &jobs).await?;
        if unblock(engine, conn, &build, &jobs, gates.as_ref()).await? {
            jobs = store::job::list(conn, build.id).await?;
            moved = true;
        }
        if build.outcome.is_none() {
            build.outcome = conclude::conclude(engine, conn, &build, &jobs).await?;
            gates::passed(conn, &build).await?;
        }
        if let Some(gates) = &gates {
            gates::stand(engine, conn, &build, gates, &jobs).await?;
            // one that came to wait for people stands in nobody's way any more
            moved = true;
            held = gates::held(gates, &jobs);
        }
    }
    let held = held.as_deref();
    let settled = Settled { app: &app, build: &build, jobs: &jobs, held };
    surface::want(engine, conn, settled).await?;
    let jobs = if moved { Jobs::Moved } else { Jobs::AsTheyWere };
    Ok(Done { jobs, ended: build.outcome.filter(|_| was.is_none()) })
}

fn plan_succeeded(jobs: &[Job]) -> bool {
    use model::job::Outcome;
    jobs.iter()
        .any(|job| job.kind == JobKind::Plan && job.state == JobState::Finished(Outcome::Succeeded))
}

/// Moves the jobs whose needs are decided, as far as their stage lets them; says whether any moved.
async fn unblock(
    engine: &Engine,
    conn: &mut PgConnection,
    build: &Build,
    jobs: &[Job],
    gates: Option<&Gates>,
) -> anyhow::Result<bool> {
    let mut moves: Vec<(JobId, JobEvent)> = advance(&views(jobs));
    if let Some(gates) = gates {
        moves = gates::moves(conn, build, gates, jobs, moves).await?;
    }
    for (job, event) in &moves {
        match (event, store::job::transition(conn, *job, event, engine.now()).await) {
            // a worker was faster: what has begun goes on
            (JobEvent::Held, Err(store::Error::NotAllowed(_))) => {}
            (_, moved) => {
                moved?;
            }
        }
    }
    Ok(!moves.is_empty())
}

pub(crate) fn views(jobs: &[Job]) -> Vec<JobView<'_>> {
    jobs.iter()
        .map(|job| JobView {
            id: job.id,
            kind: job.kind,
            service: job.service.as_ref(),
            state: &job.state,
            needs: &job.needs,
            condition: &job.condition,
            changed_outputs: job.changed_outputs(),
        })
        .collect()
}
