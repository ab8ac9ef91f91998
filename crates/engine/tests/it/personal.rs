//! Stages that people have of their own: their end is said ahead, and without that nothing is removed.

use chrono::TimeDelta;
use model::personal::{Owner, Source, Use};
use model::stage::StageState;
use model::{InstanceId, LaptopSessionId, StageId};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::order::Moment;
use store::personal::{NewSession, Personal};

use crate::support::{World, file, id, service, sha};

fn expiring(receivers: Value) -> Value {
    let mut file = file();
    file["personal"] = json!({ "expires_after": "4d" });
    if !receivers.is_null() {
        file["notifications"] = receivers;
    }
    file
}

/// Ann's own, with a service that a command began to deploy now.
async fn anns(world: &World) -> StageId {
    let mut conn = world.conn().await;
    let owner = Owner { person: None, name: "ann".into() };
    let now = world.now();
    let at = Moment { now, ids: &id };
    let app = store::app::get(&mut conn, world.app.id).await.unwrap();
    let name = "ann".parse().unwrap();
    let stage = store::order::personal(&mut conn, &app, &name, &owner, at).await.unwrap();
    store::order::use_personal(&mut conn, &app, stage.id, now).await.unwrap();
    let (spec, region) = (service("table"), "us-east-1".parse().unwrap());
    let instance =
        store::personal::begun(&mut conn, InstanceId(id()), stage.id, &region, &spec, now);
    let instance = instance.await.unwrap();
    let source = Source { commit: sha('a'), pushed: None, branch: None, dirty: false };
    let new = NewSession {
        id: LaptopSessionId(id()),
        stage: stage.id,
        owner: &owner,
        service: &spec.name,
        region: &region,
        instance: Some(instance),
        purpose: Use::Exec,
        command: "make deploy",
        source: &source,
        machine: None,
        from_ip: None,
        parameters_digest: "",
        began_at: now,
        expires_at: now + TimeDelta::hours(1),
    };
    store::personal::insert(&mut conn, &new).await.unwrap();
    stage.id
}

async fn own(world: &World, stage: StageId) -> Personal {
    store::personal::of(&mut *world.conn().await, stage).await.unwrap().unwrap()
}

async fn state(world: &World, stage: StageId) -> StageState {
    store::stage::get(&mut *world.conn().await, stage).await.unwrap().state
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn one_of_whose_end_nobody_was_told_is_shown_as_expired_and_stays(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::with(options, &expiring(Value::Null)).await;
    let stage = anns(&world).await;
    world.pass(TimeDelta::days(3)).await;
    world.settle().await;
    assert!(own(&world, stage).await.warned_at.is_some());
    world.pass(TimeDelta::days(2)).await;
    world.settle().await;
    assert!(own(&world, stage).await.expired_at.is_some());
    world.pass(TimeDelta::days(90)).await;
    world.settle().await;
    assert_eq!(state(&world, stage).await, StageState::Active);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn one_that_somebody_was_told_of_is_removed_at_its_time_and_not_before(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let receivers = json!({ "team": {
        "email": { "to": ["team@example.com"] },
        "events": ["expiring"],
    } });
    let world = World::with(options, &expiring(receivers)).await;
    let stage = anns(&world).await;
    world.pass(TimeDelta::days(3)).await;
    world.settle().await;
    let mut conn = world.conn().await;
    let subject = "stage/ann/expiry";
    let told = store::notification::told(&mut conn, world.app.id, &[subject]).await.unwrap();
    drop(conn);
    world.pass(TimeDelta::hours(23)).await;
    world.settle().await;
    assert_eq!(state(&world, stage).await, StageState::Active, "told: {told:?}");
    world.pass(TimeDelta::hours(2)).await;
    world.settle().await;
    assert_eq!(state(&world, stage).await, StageState::Removing, "told: {told:?}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_command_whose_end_nobody_told_is_over_when_its_credentials_are(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::with(options, &expiring(Value::Null)).await;
    let stage = anns(&world).await;
    world.pass(TimeDelta::hours(2)).await;
    world.settle().await;
    let instance = world.instance(stage, "table").await;
    assert_eq!(instance.state.as_str(), "failed");
    assert!(instance.reason.unwrap().contains("its end was never told: ann"));
}
