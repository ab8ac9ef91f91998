//! Stops deploys at the gate of their stage, asks for approval of what waits there, and lets it
//! through.
//!
//! What always holds: the gate is decided anew on each look, from the rows and the settings as they
//! are ([`model::gate`]); a deploy that has begun is never stopped. The question is asked when the
//! build can go no further by itself, so that it shows all there is to see by then. Services that
//! are packaged only after another's deploy wait again, with a question of their own: nothing is
//! deployed that nobody saw. What a newer build has changed meanwhile is not deployed over it.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use model::approval::{Approval, ApprovalState};
use model::gate::{Gate, Obstacle};
use model::job::{JobEvent, JobKind, JobState, Outcome};
use model::stage::StageKind;
use model::{InstanceId, JobId};
use store::PgConnection;
use store::app::App;
use store::approval::{Answer, Kept};
use store::build::{Build, BuildState};
use store::gate::Gates;
use store::job::Job;

use crate::Engine;

/// What stands before the deploys of a build; `None` if none of them may stop there.
pub(super) async fn load(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    build: &Build,
    jobs: &[Job],
) -> anyhow::Result<Option<Gates>> {
    if !jobs.iter().any(never_begun) {
        return Ok(None);
    }
    Ok(Gates::load(conn, app, build, engine.now()).await?)
}

fn never_begun(job: &Job) -> bool {
    job.kind == JobKind::Deploy && job.attempt == 0
}

/// What is to happen to the jobs of a build, `due` among it, as far as the gate allows.
pub(super) async fn moves(
    conn: &mut PgConnection,
    build: &Build,
    gates: &Gates,
    jobs: &[Job],
    due: Vec<(JobId, JobEvent)>,
) -> anyhow::Result<Vec<(JobId, JobEvent)>> {
    let closed = |job: &Job| match gates.of(job) {
        Gate::Closed { .. } => true,
        Gate::Open => false,
    };
    let by_id: BTreeMap<JobId, &Job> = jobs.iter().map(|job| (job.id, job)).collect();
    let stopped = |(id, event)| match (&event, by_id.get(&id)) {
        (JobEvent::NeedsMet, Some(job)) if closed(job) => (id, JobEvent::Held),
        _ => (id, event),
    };
    let mut moves: Vec<(JobId, JobEvent)> = due.into_iter().map(stopped).collect();
    let overtaken = overtaken(conn, build, jobs).await?;
    for job in jobs.iter().filter(|job| never_begun(job)) {
        match (&job.state, job.instance_id.and_then(|id| overtaken.get(&id))) {
            (JobState::Waiting, Some(newer)) => {
                let reason = format!("build {newer}, which is newer, has changed it meanwhile");
                moves.push((job.id, JobEvent::Unneeded { reason }));
            }
            (JobState::Waiting, None) if !closed(job) => moves.push((job.id, JobEvent::Opened)),
            (JobState::Queued { .. }, _) if closed(job) => moves.push((job.id, JobEvent::Held)),
            (
                JobState::Blocked
                | JobState::Waiting
                | JobState::Queued { .. }
                | JobState::Running(_)
                | JobState::Finished(_),
                _,
            ) => {}
        }
    }
    Ok(moves)
}

/// What newer builds have changed of what waits here, with their numbers.
async fn overtaken(
    conn: &mut PgConnection,
    build: &Build,
    jobs: &[Job],
) -> anyhow::Result<BTreeMap<InstanceId, i64>> {
    let stage = build.stage_id.filter(|_| jobs.iter().any(|job| job.state == JobState::Waiting));
    let Some(stage) = stage else { return Ok(BTreeMap::new()) };
    let instances = store::instance::list(conn, stage).await?;
    let newer = instances.into_iter().filter_map(|instance| {
        let number = instance.build_number.filter(|number| *number > build.number)?;
        Some((instance.id, number))
    });
    Ok(newer.collect())
}

/// When a build has ended, older ones that wait on its stage may wait for something that it has
/// changed.
pub(super) async fn passed(conn: &mut PgConnection, build: &Build) -> anyhow::Result<()> {
    match (build.outcome, build.stage_id, build.stage_kind) {
        (Some(_), Some(stage), Some(StageKind::LongLived)) => {
            store::build::mark_waiting(conn, stage).await?;
        }
        (_, _, Some(StageKind::LongLived | StageKind::Preview | StageKind::Personal) | None) => {}
    }
    Ok(())
}

/// Brings the build's question, its state and the time of the next look to where its jobs are.
pub(super) async fn stand(
    engine: &Engine,
    conn: &mut PgConnection,
    build: &Build,
    gates: &Gates,
    jobs: &[Job],
) -> anyhow::Result<()> {
    let waits = jobs.iter().any(|job| job.state == JobState::Waiting);
    let moves =
        jobs.iter().any(|job| matches!(job.state, JobState::Queued { .. } | JobState::Running(_)));
    if waits && expire(conn, build, gates, jobs).await? {
        return Ok(());
    }
    let mut asked = None;
    if waits && !moves {
        asked = ask(engine, conn, build, gates, jobs).await?;
    } else if !waits {
        if let Some(open) = gates.open() {
            void(conn, gates, open, build).await?;
        }
        if build.cancel_requested_at.is_some() {
            forget(conn, build, gates, jobs).await?;
        }
    }
    if build.outcome.is_some() {
        return Ok(());
    }
    let may_stop = |job: &Job| never_begun(job) && !matches!(job.state, JobState::Finished(_));
    let look_at = match jobs.iter().any(may_stop) {
        true => gates.changes_after().into_iter().chain(asked).min(),
        false => None,
    };
    let waiting = waits && !moves;
    // of most builds there is nothing to write; a look that came to be needless does no harm
    if waiting || look_at.is_some() || build.state != BuildState::Running {
        store::build::set_standing(conn, build.id, waiting, look_at).await?;
    }
    Ok(())
}

/// Ends a build of which something waits for an approval whose time is over.
async fn expire(
    conn: &mut PgConnection,
    build: &Build,
    gates: &Gates,
    jobs: &[Job],
) -> anyhow::Result<bool> {
    let is_expired = |job: &&Job| match gates.of(job) {
        Gate::Closed { why } => why.contains(&Obstacle::Expired),
        Gate::Open => false,
    };
    let waiting = jobs.iter().filter(|job| job.state == JobState::Waiting);
    let expired: Vec<&Job> = waiting.filter(is_expired).collect();
    if expired.is_empty() {
        return Ok(false);
    }
    let now = gates.now();
    let mut reason = "its approval has expired".to_owned();
    for Kept { id, approval } in gates.kept().iter().filter(|kept| kept.approval.is_over(now)) {
        let about = |job: &&Job| {
            let deploy = gates.deploy(job);
            deploy.is_some_and(|deploy| approval.is_about(&build.source.commit, &deploy))
        };
        if !expired.iter().any(about) {
            continue;
        }
        let (state, why) = (ApprovalState::Expired, over(approval));
        match approval.state {
            ApprovalState::Waiting => {
                let answer = Answer { state, by: None, reason: Some(&why) };
                store::approval::answer(conn, *id, answer, now).await?;
            }
            ApprovalState::Approved => store::approval::end(conn, *id, state, &why).await?,
            ApprovalState::Rejected | ApprovalState::Expired | ApprovalState::Void => continue,
        }
        reason = why;
    }
    store::build::request_cancel(conn, build.id, &reason, now).await?;
    Ok(true)
}

fn over(approval: &Approval) -> String {
    let end = approval.expires_at.map(|end| end.to_rfc3339_opts(SecondsFormat::Secs, true));
    let end = end.unwrap_or_default();
    match &approval.decided_by {
        Some(by) => format!("the approval of {by} expired at {end}, before it could be deployed"),
        None => format!("nobody approved it until {end}"),
    }
}

/// Asks about what waits, unless that very question is open; until when an answer is waited for.
async fn ask(
    engine: &Engine,
    conn: &mut PgConnection,
    build: &Build,
    gates: &Gates,
    jobs: &[Job],
) -> anyhow::Result<Option<DateTime<Utc>>> {
    let open = gates.open();
    let Some(ask) = gates.ask(jobs) else {
        if let Some(open) = open {
            void(conn, gates, open, build).await?;
        }
        return Ok(None);
    };
    let expiry = gates.expiry();
    match open {
        Some(Kept { id, approval }) if approval.bound_to == ask.bound_to() => {
            // the settings came to ask for approval, or no longer do
            if approval.expires_at.is_some() == expiry.is_some() {
                return Ok(None);
            }
            store::approval::set_expiry(conn, *id, expiry).await?;
        }
        Some(open) => {
            let reason = "what waits to be deployed is something else by now";
            let answer = Answer { state: ApprovalState::Void, by: None, reason: Some(reason) };
            store::approval::answer(conn, open.id, answer, gates.now()).await?;
            store::approval::ask(conn, engine.id(), build.id, &ask, expiry, gates.now()).await?;
        }
        None => {
            store::approval::ask(conn, engine.id(), build.id, &ask, expiry, gates.now()).await?;
        }
    }
    Ok(expiry)
}

/// Nothing waits for the answer any more.
async fn void(
    conn: &mut PgConnection,
    gates: &Gates,
    open: &Kept,
    build: &Build,
) -> anyhow::Result<()> {
    let reason = build.cancel_reason.as_deref().unwrap_or("the stage needs no approval any more");
    let answer = Answer { state: ApprovalState::Void, by: None, reason: Some(reason) };
    Ok(store::approval::answer(conn, open.id, answer, gates.now()).await?)
}

/// A canceled build takes back what was approved and never came to be deployed.
async fn forget(
    conn: &mut PgConnection,
    build: &Build,
    gates: &Gates,
    jobs: &[Job],
) -> anyhow::Result<()> {
    let reason = build.cancel_reason.as_deref().unwrap_or("the build was canceled");
    let is_given = |kept: &&Kept| kept.approval.state == ApprovalState::Approved;
    for Kept { id, approval } in gates.kept().iter().filter(is_given) {
        let mut about = jobs.iter().filter(|job| {
            let deploy = gates.deploy(job);
            deploy.is_some_and(|deploy| approval.is_about(&build.source.commit, &deploy))
        });
        let never = |job: &Job| {
            job.attempt == 0 && matches!(job.state, JobState::Finished(Outcome::Canceled { .. }))
        };
        if about.all(never) {
            store::approval::end(conn, *id, ApprovalState::Void, reason).await?;
        }
    }
    Ok(())
}

/// Why the deploys of a build wait, for its statuses; `None`: none does.
pub(super) fn held(gates: &Gates, jobs: &[Job]) -> Option<String> {
    let waiting = jobs.iter().find(|job| job.state == JobState::Waiting)?;
    match gates.of(waiting) {
        Gate::Open => None,
        Gate::Closed { why } => why.first().map(|obstacle| match obstacle {
            Obstacle::NotAsked | Obstacle::Undecided { .. } => "waiting for an approval".to_owned(),
            Obstacle::Rejected | Obstacle::Expired => obstacle.sentence(),
            Obstacle::Frozen(freeze) => format!("waiting: the stage is {}", freeze.sentence()),
        }),
    }
}
