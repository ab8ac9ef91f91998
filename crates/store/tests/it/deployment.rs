//! Deployments: of an artifact's own stage only, one at a time, and what they leave on the instance.

use std::collections::BTreeMap;

use model::deployment::{DeploymentKind, DeploymentState, InstanceState};
use model::job::{JobEvent, JobKind, Outcome};
use model::worker_api::DeployedStack;
use model::{ArtifactId, BuildId, DeploymentId, InstanceId, JobId, StageId, WorkerId};
use sqlx::{PgConnection, PgPool};
use store::artifact::NewArtifact;
use store::deployment::NewDeployment;
use store::instance::Success;
use store::{Error, artifact, deployment, instance, job};
use uuid::Uuid;

use crate::support::{at, claim, id, region, service, sha, stage, world};

async fn package(conn: &mut PgConnection, build: BuildId, stage: StageId) -> NewArtifact {
    let job = crate::support::job(conn, build, JobKind::Package, None).await;
    let new = NewArtifact {
        id: ArtifactId(id()),
        job_id: job,
        build_id: build,
        service: "restapi".parse().unwrap(),
        stage_id: stage,
        region: "us-east-1".parse().unwrap(),
        digest: "d".repeat(64),
        size_bytes: 10,
        key_id: "k".into(),
        parameters_digest: Some("p1".into()),
        created_at: at(0),
    };
    assert_eq!(artifact::insert(conn, &new).await.unwrap(), new.id);
    new
}

fn deploy(
    job: JobId,
    build: BuildId,
    stage: StageId,
    instance: InstanceId,
    artifact: ArtifactId,
) -> NewDeployment {
    NewDeployment {
        id: DeploymentId(id()),
        instance_id: instance,
        stage_id: stage,
        region: "us-east-1".parse().unwrap(),
        job_id: job,
        build_id: build,
        kind: DeploymentKind::Deploy,
        artifact_id: Some(artifact),
        commit: sha('a'),
        started_at: at(1),
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_repackaged_artifact_keeps_its_identity(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, staging, build) = world(&mut conn).await;
    let first = package(&mut conn, build, staging).await;
    let again = NewArtifact { id: ArtifactId(id()), digest: "e".repeat(64), ..first.clone() };
    assert_eq!(artifact::insert(&mut conn, &again).await.unwrap(), first.id);
    let found =
        artifact::of_build(&mut conn, build, &first.service, &first.region).await.unwrap().unwrap();
    assert_eq!((found.id, &found.digest), (first.id, &again.digest));
    assert_eq!(artifact::get(&mut conn, first.id).await.unwrap(), found);
    let other = "other".parse().unwrap();
    assert_eq!(artifact::of_build(&mut conn, build, &other, &first.region).await.unwrap(), None);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn each_region_of_a_service_has_its_own_artifact(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, staging, build) = world(&mut conn).await;
    let here = package(&mut conn, build, staging).await;
    let job = crate::support::job(&mut conn, build, JobKind::Package, None).await;
    let there = NewArtifact {
        id: ArtifactId(id()),
        job_id: job,
        region: region("eu-west-1"),
        ..here.clone()
    };
    artifact::insert(&mut conn, &there).await.unwrap();
    for made in [here, there] {
        let found =
            artifact::of_build(&mut conn, build, &made.service, &made.region).await.unwrap();
        assert_eq!(found.map(|found| found.id), Some(made.id));
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_artifact_of_one_stage_cannot_be_deployed_to_another(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, staging, build) = world(&mut conn).await;
    let prod = stage(&mut conn, app, "prod").await;
    let made = package(&mut conn, build, staging).await;
    let target = crate::support::instance(&mut conn, prod, "restapi").await;
    let job = crate::support::job(&mut conn, build, JobKind::Deploy, Some(target)).await;
    let refused = deployment::begin(&mut conn, &deploy(job, build, prod, target, made.id)).await;
    assert!(
        matches!(refused, Err(Error::NotAllowed(text)) if text.contains("packaged for another stage"))
    );
    let region = "us-east-1".parse().unwrap();
    let refused =
        deployment::check_place(&mut conn, made.id, prod, &region).await.unwrap_err().to_string();
    assert!(
        refused.contains("packaged for stage staging") && refused.contains("stage prod"),
        "{refused}"
    );
    deployment::check_place(&mut conn, made.id, staging, &region).await.unwrap();
    let elsewhere = NewDeployment {
        region: "eu-west-1".parse().unwrap(),
        ..deploy(job, build, staging, target, made.id)
    };
    assert!(matches!(deployment::begin(&mut conn, &elsewhere).await, Err(Error::NotAllowed(_))));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_second_attempt_goes_on_with_the_deployment_of_the_first(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, staging, build) = world(&mut conn).await;
    let made = package(&mut conn, build, staging).await;
    let target = crate::support::instance(&mut conn, staging, "restapi").await;
    let first = crate::support::job(&mut conn, build, JobKind::Deploy, Some(target)).await;
    let second = crate::support::job(&mut conn, build, JobKind::Deploy, Some(target)).await;
    let new = deploy(first, build, staging, target, made.id);
    assert_eq!(deployment::begin(&mut conn, &new).await.unwrap(), new.id);
    let again = NewDeployment { id: DeploymentId(id()), ..new.clone() };
    assert_eq!(deployment::begin(&mut conn, &again).await.unwrap(), new.id);
    let other =
        deployment::begin(&mut conn, &deploy(second, build, staging, target, made.id)).await;
    assert_eq!(other.unwrap_err().constraint(), Some("deployment_one_running"));

    let outputs = BTreeMap::from([("Url".to_owned(), "https://x".to_owned())]);
    for _ in 0..2 {
        deployment::end(&mut conn, first, DeploymentState::Succeeded, None, &outputs, at(5))
            .await
            .unwrap();
    }
    let otherwise =
        deployment::end(&mut conn, first, DeploymentState::Failed, None, &outputs, at(6)).await;
    assert!(matches!(otherwise, Err(Error::NotAllowed(_))));
    let missing =
        deployment::end(&mut conn, JobId(id()), DeploymentState::Failed, None, &outputs, at(6))
            .await;
    assert!(matches!(missing, Err(Error::NotFound { .. })));
    let running =
        deployment::end(&mut conn, first, DeploymentState::Running, None, &outputs, at(6)).await;
    assert!(matches!(running, Err(Error::NotAllowed(_))));

    deployment::begin(&mut conn, &deploy(second, build, staging, target, made.id)).await.unwrap();
    let history = deployment::list(&mut conn, staging, None, 10).await.unwrap();
    assert_eq!(
        history.iter().map(|row| row.state).collect::<Vec<_>>(),
        [DeploymentState::Running, DeploymentState::Succeeded]
    );
    assert_eq!((&history[1].outputs, history[1].build_number), (&outputs, 1));
    let rest = deployment::list(&mut conn, staging, Some(history[0].id), 10).await.unwrap();
    assert_eq!(rest, history[1..]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_instance_remembers_its_last_good_deployment(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, staging, build) = world(&mut conn).await;
    let made = package(&mut conn, build, staging).await;
    let target = crate::support::instance(&mut conn, staging, "restapi").await;
    assert_eq!(crate::support::instance(&mut conn, staging, "restapi").await, target);
    let stack = DeployedStack {
        stacks: vec!["restapi-staging".into(), "restapi-staging-cdn".into()],
        left_at: BTreeMap::new(),
        outputs: BTreeMap::from([("Url".to_owned(), "https://x".to_owned())]),
        endpoints: vec!["GET https://x/hello".into()],
    };
    instance::set_running(&mut conn, target, InstanceState::Deploying, at(1)).await.unwrap();
    let (commit, spec) = (sha('a'), service("restapi"));
    let success = Success {
        commit: &commit,
        build_number: 1,
        artifact: made.id,
        spec: &spec,
        stack: &stack,
        read_at: Some(at(1)),
        parameters_digest: Some("d1"),
        outputs_changed: true,
    };
    instance::deployed(&mut conn, target, &success, at(2)).await.unwrap();
    instance::failed(&mut conn, target, "rolled back", at(3)).await.unwrap();
    let found = instance::get(&mut conn, target).await.unwrap();
    assert_eq!(
        (found.state, found.reason.as_deref()),
        (InstanceState::Failed, Some("rolled back"))
    );
    assert!(!found.parameters_changed("d1") && found.parameters_changed("d2"));
    assert_eq!(
        (found.commit, found.build_number, found.artifact_id),
        (Some(sha('a')), Some(1), Some(made.id))
    );
    assert_eq!((&found.stacks, &found.outputs), (&stack.stacks, &stack.outputs));
    assert_eq!((found.read_at, found.outputs_changed_at), (Some(at(1)), Some(at(2))));
    assert!(
        instance::set_running(&mut conn, target, InstanceState::Deployed, at(4)).await.is_err()
    );
    instance::removed(&mut conn, target, at(5)).await.unwrap();
    let listed = instance::list(&mut conn, staging).await.unwrap();
    assert_eq!((listed.len(), listed[0].state), (1, InstanceState::Removed));
    assert!(listed[0].outputs.is_empty() && listed[0].endpoints.is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_deploy_that_nobody_finishes_ends_its_deployment(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, staging, build) = world(&mut conn).await;
    let made = package(&mut conn, build, staging).await;
    claim(&mut conn).await.unwrap();
    let target = crate::support::instance(&mut conn, staging, "restapi").await;
    let deploy_job = crate::support::job(&mut conn, build, JobKind::Deploy, Some(target)).await;
    claim(&mut conn).await.unwrap();
    deployment::begin(&mut conn, &deploy(deploy_job, build, staging, target, made.id))
        .await
        .unwrap();
    job::release(&mut conn, WorkerId(Uuid::from_u128(7)), at(20)).await.unwrap();
    let waiting = deployment::list(&mut conn, staging, None, 1).await.unwrap();
    assert_eq!(waiting[0].state, DeploymentState::Running, "the next attempt goes on with it");
    let canceled = JobEvent::Canceled { reason: "asked to".into() };
    job::transition(&mut conn, deploy_job, &canceled, at(21)).await.unwrap();
    let ended = deployment::list(&mut conn, staging, None, 1).await.unwrap();
    assert_eq!(
        (ended[0].state, ended[0].reason.as_deref()),
        (DeploymentState::Canceled, Some("asked to"))
    );
    let left = instance::get(&mut conn, target).await.unwrap();
    assert_eq!((left.state, left.reason.as_deref()), (InstanceState::Failed, Some("asked to")));
    let found = job::get(&mut conn, deploy_job).await.unwrap();
    assert_eq!(
        found.state,
        model::job::JobState::Finished(Outcome::Canceled { reason: "asked to".into() })
    );
}
