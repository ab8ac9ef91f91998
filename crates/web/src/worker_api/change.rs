//! The deployment that a claimed change of an instance begins.
//!
//! What always holds: a new attempt of a change finds the deployment of the first; an artifact goes
//! only where it was packaged for.

use model::build::Source;
use model::deployment::{DeploymentKind, InstanceState};
use model::pipeline::Service;
use model::worker_api::StoredArtifact;
use model::{ArtifactId, CommitSha, DeploymentId};
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
    let change = Change {
        kind: DeploymentKind::Deploy,
        artifact: Some(artifact.id),
        commit: build.source.commit.clone(),
        running: InstanceState::Deploying,
    };
    begin(state, conn, job, instance, change).await?;
    Ok(StoredArtifact { digest: artifact.digest, size_bytes: artifact.size_bytes })
}

/// What goes back to an instance: the service and the artifact of another build of the same stage,
/// with the commit that both were made from.
pub(super) async fn begin_rollback(
    state: &State,
    conn: &mut PgConnection,
    job: &Job,
    build: &Build,
    instance: &Instance,
) -> Assigned<(Service, StoredArtifact, Source)> {
    let Some(Work::Rollback { service, artifact, commit }) = &job.work else {
        return Err(missing("artifact"));
    };
    let artifact = store::artifact::get(conn, *artifact).await?;
    if artifact.service != instance.service {
        return Err(Unassignable::Fails(format!(
            "artifact {} is one of {}, not of {}",
            artifact.id, artifact.service, instance.service
        )));
    }
    let change = Change {
        kind: DeploymentKind::Rollback,
        artifact: Some(artifact.id),
        commit: commit.clone(),
        running: InstanceState::Deploying,
    };
    begin(state, conn, job, instance, change).await?;
    let stored = StoredArtifact { digest: artifact.digest, size_bytes: artifact.size_bytes };
    let source = Source { commit: commit.clone(), ..build.source.clone() };
    Ok((service.as_ref().clone(), stored, source))
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
    let change = Change {
        kind: DeploymentKind::Remove,
        artifact: None,
        commit: commit.clone(),
        running: InstanceState::Removing,
    };
    begin(state, conn, job, instance, change).await?;
    let planned = job.work.as_ref().and_then(Work::service);
    let service = planned.unwrap_or(&instance.spec).clone();
    Ok((service, Source { commit, ..build.source.clone() }))
}

struct Change {
    kind: DeploymentKind,
    artifact: Option<ArtifactId>,
    commit: CommitSha,
    /// What the instance is meanwhile.
    running: InstanceState,
}

/// An artifact that was packaged for another stage or region ends here, with the names of both.
async fn begin(
    state: &State,
    conn: &mut PgConnection,
    job: &Job,
    instance: &Instance,
    change: Change,
) -> Assigned<()> {
    if let Some(artifact) = change.artifact {
        let (stage, region) = (instance.stage_id, &instance.region);
        store::deployment::check_place(conn, artifact, stage, region).await?;
    }
    let new = NewDeployment {
        id: DeploymentId(state.id()),
        instance_id: instance.id,
        stage_id: instance.stage_id,
        region: instance.region.clone(),
        job_id: job.id,
        build_id: job.build_id,
        kind: change.kind,
        artifact_id: change.artifact,
        commit: change.commit,
        started_at: state.now(),
    };
    store::deployment::begin(conn, &new).await?;
    store::instance::set_running(conn, instance.id, change.running, state.now()).await?;
    Ok(())
}
