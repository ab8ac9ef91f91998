//! Instances: what is there, what they publish, and what changed.

use std::collections::BTreeMap;

use model::deployment::InstanceState;
use model::job::{JobEvent, JobKind};
use model::{InstanceId, StageId};
use sqlx::{PgConnection, PgPool};
use store::{instance, job};

use crate::support::{at, instance_in, new_job, world};

async fn standing(conn: &mut PgConnection, stage: StageId) -> Vec<InstanceId> {
    let found = instance::standing(conn, stage).await.unwrap();
    found.into_iter().map(|instance| instance.id).collect()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_instance_that_is_only_planned_holds_nothing(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, staging, build) = world(&mut conn).await;
    let planned = instance_in(&mut conn, staging, "restapi", "us-east-1").await;
    let twin = instance_in(&mut conn, staging, "restapi", "eu-west-1").await;
    assert_ne!(planned, twin, "each region is an instance of its own");
    let found = instance::get(&mut conn, planned).await.unwrap();
    assert_eq!(found.state, InstanceState::Planned);
    assert!(standing(&mut conn, staging).await.is_empty());

    // while its deploy is ahead, a worker may be at it the next moment
    let deploy = new_job(build, JobKind::Deploy, Some(planned));
    job::insert(&mut conn, std::slice::from_ref(&deploy), at(0)).await.unwrap();
    assert_eq!(standing(&mut conn, staging).await, [planned]);
    let canceled = JobEvent::Canceled { reason: "superseded by build 2".into() };
    job::transition(&mut conn, deploy.id, &canceled, at(1)).await.unwrap();
    assert!(standing(&mut conn, staging).await.is_empty());

    instance::set_running(&mut conn, planned, InstanceState::Deploying, at(2)).await.unwrap();
    assert_eq!(standing(&mut conn, staging).await, [planned]);
    instance::removed(&mut conn, planned, at(3)).await.unwrap();
    assert!(standing(&mut conn, staging).await.is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn changed_outputs_are_new_ones_other_values_and_missing_ones(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, staging, _) = world(&mut conn).await;
    let id = instance_in(&mut conn, staging, "database", "us-east-1").await;
    let outputs = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    };
    let mut before = instance::get(&mut conn, id).await.unwrap();
    before.outputs = outputs(&[("kept", "1"), ("other", "1"), ("missing", "1")]);
    let now = outputs(&[("kept", "1"), ("other", "2"), ("new", "1")]);
    assert_eq!(before.changed_outputs(&now), ["missing", "new", "other"]);
    assert!(before.changed_outputs(&before.outputs).is_empty());
}
