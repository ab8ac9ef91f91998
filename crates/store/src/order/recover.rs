//! The wish to go on with a rollback of CloudFormation's own that failed.
//!
//! What always holds: only an instance whose last change failed is recovered, and nothing newer is
//! deployed by it: afterwards it is still `failed`, so that the next push deploys it. A recovery
//! takes nobody's place and nobody takes its own: deploys that wait behind it find a stack that
//! takes them.

use model::app::PreviewDeploy;
use model::build::{BuildEvent, Purpose, Source};
use model::deployment::InstanceState;
use model::job::JobKind;
use model::plan::Condition;
use model::{JobId, Region, ServiceName};
use sqlx::PgConnection;

use super::{Moment, Order, insert};
use crate::app::App;
use crate::build::Build;
use crate::error::{Error, Result};
use crate::instance::Instance;
use crate::job::{NewJob, NewJobState, Work};
use crate::stage::Stage;
use crate::{build, instance, job};

/// The instance of a service that can be recovered; of one that is in several regions, the region
/// has to be named.
pub async fn recoverable(
    conn: &mut PgConnection,
    stage: &Stage,
    service: &ServiceName,
    region: Option<&Region>,
) -> Result<Instance> {
    let of_it = instance::list(conn, stage.id).await?.into_iter();
    let mut of_it: Vec<Instance> = of_it
        .filter(|one| one.service == *service && region.is_none_or(|named| one.region == *named))
        .collect();
    let instance = match (of_it.pop(), of_it.is_empty()) {
        (Some(instance), true) => instance,
        (Some(_), false) => {
            return Err(Error::NotAllowed(format!(
                "{service} is in several regions of {}: name the `region`",
                stage.name
            )));
        }
        (None, _) => {
            let place = region.map(|region| format!(" in {region}")).unwrap_or_default();
            return Err(Error::not_found(format!("service {service}{place} in {}", stage.name)));
        }
    };
    let why = match instance.state {
        InstanceState::Failed if instance.stacks.is_empty() => {
            "has no stack that a deploy went through on: run its build again, which clears away \
             what a first deploy left"
        }
        InstanceState::Failed => return Ok(instance),
        InstanceState::Planned => "was never deployed: nothing is stuck",
        InstanceState::Deploying => "is being deployed: wait for its end",
        InstanceState::Deployed => "is deployed as it should be: nothing is stuck",
        InstanceState::Removing => "is being removed",
        InstanceState::Removed => "was removed: nothing is stuck",
    };
    Err(Error::NotAllowed(format!("{service} in {} {why}", instance.region)))
}

/// The build that recovers an instance, asked for by `author`; `skip`: resources, by their logical
/// ids, that CloudFormation is to leave as they are.
pub async fn recovery(
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    instance: &Instance,
    skip: Vec<String>,
    author: &str,
    at: Moment<'_>,
) -> Result<Build> {
    let latest = build::latest_on(conn, stage.id).await?;
    let latest = latest.ok_or_else(|| Error::not_found(format!("build of {}", stage.name)))?;
    let source = Source {
        title: format!("Recover {} of {}", instance.service, stage.name),
        author: author.to_owned(),
        commit: instance.commit.clone().unwrap_or_else(|| latest.source.commit.clone()),
        ..latest.source
    };
    let order = Order {
        app,
        event: BuildEvent::Manual,
        purpose: Purpose::Recover,
        stage: Some(stage.id),
        source,
        forced: false,
        services: Some([instance.service.clone()].into()),
        preview_deploy: PreviewDeploy::default(),
        delivery: None,
    };
    let id = insert(conn, order, at).await?;
    let job = NewJob {
        id: JobId(at.id()),
        build_id: id,
        kind: JobKind::Recover,
        service: Some(instance.service.clone()),
        region: Some(instance.region.clone()),
        instance_id: Some(instance.id),
        work: Some(Work::Recover { service: Box::new(instance.spec.clone()), skip }),
        needs: Vec::new(),
        condition: Condition::Always,
        state: NewJobState::Queued,
    };
    job::insert(conn, &[job], at.now).await?;
    build::get(conn, id).await
}
