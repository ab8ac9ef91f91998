//! What an instance remembers of how its stacks were left, and of what others did to them since.

use std::collections::BTreeMap;

use model::deployment::{DeploymentKind, InstanceState};
use model::job::{JobEvent, JobKind};
use model::outside::{Left, Outside};
use model::worker_api::DeployedStack;
use model::{ArtifactId, DeploymentId, InstanceId, StageId};
use sqlx::{PgConnection, PgPool};
use store::deployment::NewDeployment;
use store::instance::{Instance, Success};
use store::{board, deployment, instance, job};

use crate::support::{at, claim, id, region, service, sha, world};

const STACK: &str = "restapi-staging";

async fn deploy(conn: &mut PgConnection, target: InstanceId) {
    let stack = DeployedStack {
        stacks: vec![STACK.into()],
        left_at: BTreeMap::from([(STACK.into(), at(1))]),
        outputs: BTreeMap::new(),
        endpoints: Vec::new(),
    };
    let success = Success {
        commit: &sha('a'),
        build_number: 4,
        artifact: ArtifactId(id()),
        spec: &service("restapi"),
        stack: &stack,
        read_at: None,
        parameters_digest: None,
        outputs_changed: false,
    };
    instance::deployed(conn, target, &success, at(2)).await.unwrap();
}

fn deployed() -> Left {
    Left::Deployed { build: 4, changed_at: BTreeMap::from([(STACK.into(), at(1))]) }
}

async fn found(conn: &mut PgConnection, stage: StageId) -> Instance {
    let (service, region) = (service("restapi").name, region("us-east-1"));
    instance::find(conn, stage, &service, &region).await.unwrap().unwrap()
}

async fn on_the_board(conn: &mut PgConnection) -> bool {
    board::rows(conn, None).await.unwrap()[0].instances[0].changed_outside
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_others_did_is_told_until_a_deploy_succeeds(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, staging, _) = world(&mut conn).await;
    let target = crate::support::instance(&mut conn, staging, "restapi").await;
    assert_eq!(found(&mut conn, staging).await.left(), Left::Unknown, "nothing is there");
    deploy(&mut conn, target).await;
    let whole = found(&mut conn, staging).await;
    assert_eq!((whole.id, whole.left(), whole.changed_outside), (target, deployed(), None));
    assert!(!on_the_board(&mut conn).await);

    let reason = format!("stack {STACK} was changed");
    let outside = Outside { at: at(3), build: 5, reason };
    instance::set_changed_outside(&mut conn, target, &outside).await.unwrap();
    assert!(on_the_board(&mut conn).await);
    instance::set_running(&mut conn, target, InstanceState::Deploying, at(4)).await.unwrap();
    let running = found(&mut conn, staging).await;
    assert_eq!(running.left(), Left::Unknown, "what changes now may be ours");
    let failed = running.stacks_left.failed(at(5));
    instance::failed(&mut conn, target, "rolled back", at(5)).await.unwrap();
    instance::set_left(&mut conn, target, &failed).await.unwrap();
    let left = found(&mut conn, staging).await;
    assert_eq!((left.left(), left.changed_outside), (failed, Some(outside)));

    deploy(&mut conn, target).await;
    let whole = found(&mut conn, staging).await;
    assert_eq!((whole.left(), whole.changed_outside), (deployed(), None));
    instance::removed(&mut conn, target, at(6)).await.unwrap();
    assert_eq!(found(&mut conn, staging).await.left(), Left::Unknown);
    let elsewhere = region("eu-west-1");
    let missing = instance::find(&mut conn, staging, &whole.service, &elsewhere).await.unwrap();
    assert_eq!(missing, None);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn how_a_change_that_nobody_finished_left_the_stacks_is_not_known(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, staging, build) = world(&mut conn).await;
    let target = crate::support::instance(&mut conn, staging, "restapi").await;
    deploy(&mut conn, target).await;
    let removal = crate::support::job(&mut conn, build, JobKind::Remove, Some(target)).await;
    claim(&mut conn).await.unwrap();
    let begun = NewDeployment {
        id: DeploymentId(id()),
        instance_id: target,
        stage_id: staging,
        region: region("us-east-1"),
        job_id: removal,
        build_id: build,
        kind: DeploymentKind::Remove,
        artifact_id: None,
        commit: sha('a'),
        started_at: at(3),
    };
    deployment::begin(&mut conn, &begun).await.unwrap();
    job::release(&mut conn, model::WorkerId(uuid::Uuid::from_u128(7)), at(4)).await.unwrap();
    let canceled = JobEvent::Canceled { reason: "asked to".into() };
    job::transition(&mut conn, removal, &canceled, at(5)).await.unwrap();
    let left = found(&mut conn, staging).await;
    assert_eq!((left.state, left.left()), (InstanceState::Failed, Left::Unknown));
}
