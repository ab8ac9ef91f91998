//! What a claimed job's worker is told.
//!
//! What always holds: stage, role and parameters come from the app's settings, never from the
//! commit; a fork's job gets no parameter at all, nor a word about the stage.

use std::collections::BTreeSet;

use model::CommitSha;
use model::build::{Purpose, Source};
use model::job::JobKind;
use model::stage::StageKind;
use model::worker_api::{Assignment, Task};
use store::PgConnection;
use store::app::App;
use store::build::Build;
use store::job::{Job, Work};
use store::stage::Stage;

use super::{approved, change, outside, target};
use crate::error::Error;
use crate::state::State;

/// The trust of a job whose commit nobody with write access made.
const FORK: &str = "fork";

/// Why a claimed job cannot be handed out.
pub(crate) enum Unassignable {
    /// It never can: the job fails with this reason.
    Fails(String),
    Store(store::Error),
}

impl From<store::Error> for Unassignable {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NotFound { .. }
            | store::Error::NotAllowed(_)
            | store::Error::Inconsistent { .. }
            | store::Error::Vault(_) => Self::Fails(error.to_string()),
            store::Error::Sqlx(_)
            | store::Error::Conflict { .. }
            | store::Error::Stale { .. }
            | store::Error::Objects(_)
            | store::Error::Schema(_) => Self::Store(error),
        }
    }
}

impl From<Unassignable> for Error {
    fn from(unassignable: Unassignable) -> Self {
        match unassignable {
            Unassignable::Fails(why) => Self::Conflict(why),
            Unassignable::Store(error) => error.into(),
        }
    }
}

pub(crate) type Assigned<T> = Result<T, Unassignable>;

pub(super) async fn build(
    state: &State,
    conn: &mut PgConnection,
    job: &Job,
) -> Assigned<Assignment> {
    let build = store::build::get(conn, job.build_id).await?;
    let app = store::app::get(conn, build.app_id).await?;
    let stage = match build.stage_id {
        Some(id) => Some(store::stage::get(conn, id).await?),
        None => None,
    };
    let (task, source) = task(state, conn, job, &build, &app, stage.as_ref()).await?;
    Ok(Assignment {
        job: job.id,
        attempt: job.attempt,
        build: build.id,
        build_number: build.number,
        build_url: state.build_url(&app.name, build.number),
        app: app.name,
        repository: app.repository,
        source,
        task,
        aws: state.settings.aws_endpoint.clone(),
    })
}

async fn task(
    state: &State,
    conn: &mut PgConnection,
    job: &Job,
    build: &Build,
    app: &App,
    stage: Option<&Stage>,
) -> Assigned<(Task, Source)> {
    let source = build.source.clone();
    let trust = match build.purpose {
        Purpose::Test => FORK,
        Purpose::Deploy
        | Purpose::Remove
        | Purpose::Rollback
        | Purpose::Recover
        | Purpose::Inspect => stage.map_or(FORK, |stage| stage.kind.trust()),
    };
    let trust = trust.to_owned();
    let needs_stage = || stage.ok_or_else(|| missing("stage"));
    let service = || {
        let service = job.work.as_ref().and_then(Work::service);
        service.cloned().ok_or_else(|| missing("service"))
    };
    let region = job.region.as_ref();
    Ok(match job.kind {
        JobKind::Plan => (plan(conn, build, app, stage).await?, source),
        JobKind::Test => {
            let target = match (build.purpose, stage) {
                (Purpose::Deploy, Some(stage)) => Some(target::for_test(app, stage)),
                (
                    Purpose::Test
                    | Purpose::Deploy
                    | Purpose::Remove
                    | Purpose::Rollback
                    | Purpose::Recover
                    | Purpose::Inspect,
                    _,
                ) => None,
            };
            (Task::Test { service: service()?, target, trust }, source)
        }
        JobKind::Package => {
            let stage = needs_stage()?;
            let target = target::whole(state, conn, app, stage, region).await?;
            let target = approved::before(target, app, stage);
            let left = outside::left(conn, job, build).await?;
            (Task::Package { service: service()?, target, trust, left }, source)
        }
        JobKind::Deploy => {
            let (service, stage) = (service()?, needs_stage()?);
            let instance = change::instance(conn, job).await?;
            let artifact = change::begin_deploy(state, conn, job, build, &instance).await?;
            let target = target::whole(state, conn, app, stage, Some(&instance.region)).await?;
            let target = approved::after(state, conn, target, app, build, job).await?;
            (Task::Deploy { service, target, artifact, trust }, source)
        }
        JobKind::Remove => {
            if let Some(task) = discard(job)? {
                return Ok((task, source));
            }
            let stage = needs_stage()?;
            let instance = change::instance(conn, job).await?;
            let (service, source) =
                change::begin_remove(state, conn, job, build, &instance).await?;
            let target = target::whole(state, conn, app, stage, Some(&instance.region)).await?;
            let how = job.work.as_ref().map(Work::how).unwrap_or_default();
            (Task::Remove { service, target, stacks: instance.stacks, trust, how }, source)
        }
        JobKind::PostDeploy => {
            let step = job.work.as_ref().and_then(Work::step).ok_or_else(|| missing("command"))?;
            let target = target::whole(state, conn, app, needs_stage()?, region).await?;
            (Task::PostDeploy { step: step.clone(), target, trust }, source)
        }
        JobKind::Rollback => {
            let stage = needs_stage()?;
            let instance = change::instance(conn, job).await?;
            let (service, artifact, source) =
                change::begin_rollback(state, conn, job, build, &instance).await?;
            let target = target::for_rollback(state, conn, app, stage, &instance.region).await?;
            (Task::Rollback { service, target, artifact, trust }, source)
        }
        JobKind::Recover => {
            let Some(Work::Recover { service, skip }) = &job.work else {
                return Err(missing("service"));
            };
            let stage = needs_stage()?;
            let instance = change::instance(conn, job).await?;
            let target = target::whole(state, conn, app, stage, Some(&instance.region)).await?;
            let (service, skip) = (service.as_ref().clone(), skip.clone());
            (Task::Recover { service, target, stacks: instance.stacks, skip }, source)
        }
        JobKind::Foresee => {
            let (service, stage) = (service()?, stage_foreseen(conn, app, job).await?);
            let region = region.ok_or_else(|| missing("region"))?;
            let target = target::for_foresight(conn, app, &stage, region).await?;
            (Task::Foresee { service, target, trust }, source)
        }
        JobKind::Sweep => {
            let Some(Work::Sweep { regions, .. }) = &job.work else {
                return Err(missing("regions"));
            };
            (Task::Sweep { regions: regions.clone() }, source)
        }
        JobKind::Drift => {
            let stage = needs_stage()?;
            let instance = change::instance(conn, job).await?;
            let target = target::whole(state, conn, app, stage, Some(&instance.region)).await?;
            let left = instance.left();
            (Task::Drift { service: instance.spec, target, stacks: instance.stacks, left }, source)
        }
    })
}

/// The removal of a stack that no stage knows.
fn discard(job: &Job) -> Assigned<Option<Task>> {
    let Some(Work::Discard { stack, name, changed_at, .. }) = &job.work else {
        return Ok(None);
    };
    let region = job.region.clone().ok_or_else(|| missing("region"))?;
    let (stack, name) = (stack.clone(), name.clone());
    Ok(Some(Task::Discard { region, stack, name, changed_at: *changed_at }))
}

/// The long-lived stage that a job foresees a change of.
pub(super) async fn stage_foreseen(
    conn: &mut PgConnection,
    app: &App,
    job: &Job,
) -> Assigned<Stage> {
    let Some(Work::Foresee { stage, .. }) = &job.work else {
        return Err(missing("stage"));
    };
    let found = store::stage::find_open(conn, app.id, stage).await?;
    match found {
        Some(found) if found.kind == StageKind::LongLived => Ok(found),
        Some(_) | None => Err(Unassignable::Fails(format!(
            "{stage}, for which the rule foresees the change, is no long-lived stage that was ever \
             built"
        ))),
    }
}

pub(super) fn missing(what: &str) -> Unassignable {
    Unassignable::Fails(format!("its row has no {what}: start a new build"))
}

/// A plan tells what changed since each commit that is deployed in the stage, or in the one that
/// stands in for what the stage does not have.
async fn plan(
    conn: &mut PgConnection,
    build: &Build,
    app: &App,
    stage: Option<&Stage>,
) -> Assigned<Task> {
    let Some(stage) = stage else {
        return Ok(Task::Plan { compare_with: Vec::new(), diverged_from: Vec::new() });
    };
    let distinct = |commits: BTreeSet<CommitSha>| commits.into_iter().collect();
    let instances = store::instance::list(conn, stage.id).await?;
    let deployed = instances.into_iter().filter_map(|instance| instance.commit).collect();
    let base = match stage.spared_by(&app.settings, build.preview_deploy) {
        Some(base) => store::instance::whole(conn, app.id, base).await?.into_values().collect(),
        None => BTreeSet::new(),
    };
    Ok(Task::Plan { compare_with: distinct(deployed), diverged_from: distinct(base) })
}
