//! The wish to remove a stage: a build with one job an instance, dependents first.
//!
//! What always holds: a webhook never removes a personal stage. An instance that may hold anything
//! gets a job, whatever its last deployment came to; one that was only ever planned gets none.

use model::app::PreviewDeploy;
use model::build::{BuildEvent, Purpose, Source};
use model::job::JobKind;
use model::plan::{Condition, PlanError, PlannedJob, Removable, plan_removal};
use model::stage::{StageKind, StageState};
use model::{BuildId, JobId};
use sqlx::PgConnection;

use super::{Moment, Order, insert};
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

/// `delivery`: the webhook delivery that asks for it; `None`: a person does.
pub async fn removal(
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    event: BuildEvent,
    delivery: Option<&str>,
    at: Moment<'_>,
) -> Result<Removal> {
    match (stage.kind, delivery) {
        (StageKind::Personal, Some(_)) => {
            return Err(Error::NotAllowed(format!(
                "{} is a personal stage: only people remove it, through the API or its page",
                stage.name
            )));
        }
        (StageKind::LongLived | StageKind::Preview, _) | (StageKind::Personal, None) => {}
    }
    let Some(latest) = build::latest_on(conn, stage.id).await? else {
        stage::set_state(conn, stage.id, StageState::Closed, at.now).await?;
        return Ok(Removal::NothingThere);
    };
    stage::set_state(conn, stage.id, StageState::Removing, at.now).await?;
    let order = Order {
        app,
        event,
        purpose: Purpose::Remove,
        stage: Some(stage.id),
        source: Source { title: format!("Remove {}", stage.name), ..latest.source },
        forced: false,
        services: None,
        preview_deploy: PreviewDeploy::default(),
        delivery,
    };
    let id = insert(conn, order, at).await?;
    // after the older builds were asked to end: from here on none of them plans a deploy
    let instances = instance::standing(conn, stage.id).await?;
    job::insert(conn, &jobs(id, &instances, at), at.now).await?;
    Ok(Removal::Ordered(Box::new(build::get(conn, id).await?)))
}

fn jobs(build: BuildId, instances: &[Instance], at: Moment<'_>) -> Vec<NewJob> {
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
            work: Some(Work::from(instance.spec.clone())),
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
