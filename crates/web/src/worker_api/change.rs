//! The deployment that a claimed change of an instance begins.
//!
//! What always holds: a new attempt of a change finds the deployment of the first; an artifact goes
//! only where it was packaged for.

use model::DeploymentId;
use model::build::Source;
use model::deployment::{DeploymentKind, InstanceState};
use model::pipeline::Service;
use model::worker_api::StoredArtifact;
use store::PgConnection;
use store::build::Build;
use store::deployment::NewDeployment;
use store::instance::Instance;
use store::job::{Job, Work};

use super::assignment::{Assigned, Unassignable, missing};
use crate::state::State;

pub(super) async fn instance(conn: &mut PgConnection, job: &Job) -> Assigned<Instance> {
    let id = job.instance_id.ok_or_else(|| missing("instance"))?;
    Ok(store::instance::get(conn, id).await?)
}

pub(super) async fn begin_deploy(
    state: &State,
    conn: &mut PgConnection,
    job: &Job,
    build: &Build,
    instance: &Instance,
) -> Assigned<StoredArtifact> {
    let (service, region) = (&instance.service, &instance.region);
    let artifact = store::artifact::of_build(conn, build.id, service, region).await?;
    let artifact = artifact.ok_or_else(|| {
        let message = format!("the build has no artifact of {service} in {region} to deploy");
        Unassignable::Fails(message)
    })?;
    if artifact.stage_id != instance.stage_id {
        return Err(Unassignable::Fails(format!(
            "the artifact of {service} was packaged for another stage"
        )));
    }
    let new = NewDeployment {
        id: DeploymentId(state.id()),
        instance_id: instance.id,
        stage_id: instance.stage_id,
        region: instance.region.clone(),
        job_id: job.id,
        build_id: build.id,
        kind: DeploymentKind::Deploy,
        artifact_id: Some(artifact.id),
        commit: build.source.commit.clone(),
        started_at: state.now(),
    };
    store::deployment::begin(conn, &new).await?;
    store::instance::set_running(conn, instance.id, InstanceState::Deploying, state.now()).await?;
    Ok(StoredArtifact { digest: artifact.digest, size_bytes: artifact.size_bytes })
}

/// A removal runs from the source of the last successful deployment: the branch may be gone.
pub(super) async fn begin_remove(
    state: &State,
    conn: &mut PgConnection,
    job: &Job,
    build: &Build,
    instance: &Instance,
) -> Assigned<(Service, Source)> {
    let commit = instance.commit.clone().unwrap_or_else(|| build.source.commit.clone());
    let new = NewDeployment {
        id: DeploymentId(state.id()),
        instance_id: instance.id,
        stage_id: instance.stage_id,
        region: instance.region.clone(),
        job_id: job.id,
        build_id: build.id,
        kind: DeploymentKind::Remove,
        artifact_id: None,
        commit: commit.clone(),
        started_at: state.now(),
    };
    store::deployment::begin(conn, &new).await?;
    store::instance::set_running(conn, instance.id, InstanceState::Removing, state.now()).await?;
    let planned = job.work.as_ref().and_then(Work::service);
    let service = planned.unwrap_or(&instance.spec).clone();
    Ok((service, Source { commit, ..build.source.clone() }))
}
