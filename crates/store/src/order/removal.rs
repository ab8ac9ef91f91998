//! The wish to remove a stage: a build with one job an instance, dependents first.
//!
//! What always holds: a webhook never removes a personal stage, and nothing but a person's word a
//! long-lived one; a person's wish for any other is tried again until it succeeds. An instance that may hold anything
//! gets a job, whatever its last deployment came to; one that was only ever planned gets none.

use std::collections::BTreeSet;

use model::app::PreviewDeploy;
use model::build::{BuildEvent, Purpose, Source};
use model::job::JobKind;
use model::plan::{Condition, PlanError, PlannedJob, Removable, plan_removal};
use model::stage::{StageKind, StageState};
use model::worker_api::RemoveHow;
use model::{BuildId, InstanceId, JobId, StageId};
use sqlx::PgConnection;

use super::{Moment, Order, insert, personal};
use crate::app::App;
use crate::build::Build;
use crate::error::{Error, Result};
use crate::instance::Instance;
use crate::job::{NewJob, NewJobState, Work};
use crate::stage::Stage;
use crate::{build, instance, job, stage};

/// What became of the wish to remove a stage.
#[derive(Debug)]
pub enum Removal {
    /// A build removes every instance, dependents first. What still runs on the stage is
    /// superseded; a deploy under way is let finish, and its removal waits for it.
    Ordered(Box<Build>),
    /// Nothing was ever built in it; it is closed.
    NothingThere,
}

/// Who wants a stage removed, and how far that goes.
#[derive(Debug, Clone, Copy)]
pub struct RemovalWanted<'a> {
    /// What asks for it. `Schedule`: it expired, or its removal is tried again.
    pub event: BuildEvent,
    /// The webhook delivery that asks for it.
    pub delivery: Option<&'a str>,
    pub how: RemoveHow,
    /// What the build is called; `None`: after its stage.
    pub title: Option<&'a str>,
}

impl<'a> RemovalWanted<'a> {
    /// As an event of the repository asks for it.
    pub fn by(event: BuildEvent, delivery: &'a str) -> Self {
        Self { event, delivery: Some(delivery), how: RemoveHow::Careful, title: None }
    }

    pub fn by_hand(how: RemoveHow) -> Self {
        Self { event: BuildEvent::Manual, delivery: None, how, title: None }
    }
}

pub async fn removal(
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    wanted: RemovalWanted<'_>,
    at: Moment<'_>,
) -> Result<Removal> {
    allowed(stage, wanted.event)?;
    let own = match stage.kind {
        StageKind::Personal => personal::source(conn, stage).await?,
        StageKind::LongLived | StageKind::Preview => None,
    };
    let source = match own {
        Some(source) => Some(source),
        None => build::latest_on(conn, stage.id).await?.map(|latest| latest.source),
    };
    let Some(source) = source else {
        stage::set_state(conn, stage.id, StageState::Closed, at.now).await?;
        return Ok(Removal::NothingThere);
    };
    let failures = match wanted.event {
        BuildEvent::Schedule => stage.remove_failures,
        BuildEvent::Push
        | BuildEvent::Tag
        | BuildEvent::PullRequest
        | BuildEvent::BranchDeleted
        | BuildEvent::PullRequestClosed
        | BuildEvent::Manual => 0,
    };
    stage::removing(conn, stage.id, wanted.how, failures).await?;
    let title = wanted.title.map_or_else(|| format!("Remove {}", stage.name), str::to_owned);
    let order = Order {
        app,
        event: wanted.event,
        purpose: Purpose::Remove,
        stage: Some(stage.id),
        source: Source { title, ..source },
        forced: false,
        services: None,
        preview_deploy: PreviewDeploy::default(),
        delivery: wanted.delivery,
    };
    let id = insert(conn, order, at).await?;
    // after the older builds were asked to end: from here on none of them plans a deploy
    let instances = instance::standing(conn, stage.id).await?;
    job::insert(conn, &jobs(id, &instances, wanted.how, at), at.now).await?;
    Ok(Removal::Ordered(Box::new(build::get(conn, id).await?)))
}

fn allowed(stage: &Stage, event: BuildEvent) -> Result<()> {
    match (stage.kind, event) {
        (StageKind::Preview, _)
        | (StageKind::LongLived | StageKind::Personal, BuildEvent::Manual)
        // a person's removal that failed, or one whose end was said ahead
        | (StageKind::Personal, BuildEvent::Schedule) => Ok(()),
        (
            StageKind::Personal,
            BuildEvent::Push
            | BuildEvent::Tag
            | BuildEvent::PullRequest
            | BuildEvent::BranchDeleted
            | BuildEvent::PullRequestClosed,
        ) => Err(Error::NotAllowed(format!(
            "{} is a personal stage: only people remove it, through the API or its page",
            stage.name
        ))),
        (
            StageKind::LongLived,
            BuildEvent::Push
            | BuildEvent::Tag
            | BuildEvent::PullRequest
            | BuildEvent::BranchDeleted
            | BuildEvent::PullRequestClosed
            | BuildEvent::Schedule,
        ) => Err(Error::NotAllowed(format!(
            "{} is a long-lived stage: nothing removes it by itself",
            stage.name
        ))),
    }
}

fn jobs(build: BuildId, instances: &[Instance], how: RemoveHow, at: Moment<'_>) -> Vec<NewJob> {
    let planned = plan(instances);
    let ids: Vec<JobId> = planned.iter().map(|_| JobId(at.id())).collect();
    let row = |(id, job): (&JobId, &PlannedJob)| {
        let instance = instances.iter().find(|instance| {
            job.service.as_ref() == Some(&instance.service)
                && job.region.as_ref() == Some(&instance.region)
        })?;
        let needs: Vec<JobId> = job.needs.iter().map(|&at| ids[at]).collect();
        Some(NewJob {
            id: *id,
            build_id: build,
            kind: JobKind::Remove,
            service: Some(instance.service.clone()),
            region: Some(instance.region.clone()),
            instance_id: Some(instance.id),
            work: Some(Work::Removal { service: Box::new(instance.spec.clone()), how }),
            state: if needs.is_empty() { NewJobState::Queued } else { NewJobState::Blocked },
            needs,
            condition: Condition::Always,
        })
    };
    ids.iter().zip(&planned).filter_map(row).collect()
}

/// Services whose last deployments, taken together, depend on each other in a circle are removed
/// side by side: CloudFormation itself refuses what is still in use, and the removal can be asked
/// for again.
fn plan(instances: &[Instance]) -> Vec<PlannedJob> {
    let removable = |with_dependencies: bool| {
        let removable = instances.iter().map(|instance| Removable {
            service: instance.service.clone(),
            region: instance.region.clone(),
            depends_on: instance
                .spec
                .depends_on
                .iter()
                .filter(|_| with_dependencies)
                .map(|dependency| dependency.service.clone())
                .collect(),
        });
        plan_removal(&removable.collect::<Vec<_>>())
    };
    match removable(true) {
        Ok(planned) => planned,
        Err(
            PlanError::NoServices
            | PlanError::DuplicateService { .. }
            | PlanError::UnknownDependency { .. }
            | PlanError::Cycle { .. },
        ) => removable(false).unwrap_or_default(),
    }
}

/// The instances of a stage whose removal is ordered and has not ended: nothing of them can be
/// counted on, whatever their state says still.
pub async fn doomed(conn: &mut PgConnection, stage: StageId) -> Result<BTreeSet<InstanceId>> {
    let found: Vec<InstanceId> = sqlx::query_scalar(
        "select i.id from instance i where i.stage_id = $1 and exists (
             select 1 from job j where j.instance_id = i.id and j.state <> 'finished'
                 and j.kind = 'remove')",
    )
    .bind(stage)
    .fetch_all(conn)
    .await?;
    Ok(found.into_iter().collect())
}
