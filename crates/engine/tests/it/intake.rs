//! From a push to builds: one for each stage that the rules give it, and never into a stage that
//! is somebody's own.

use bytes::Bytes;
use model::stage::StageKind;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::build::BuildFilter;
use store::delivery::{DeliveryState, NewDelivery};

use crate::support::{World, file, sha};

/// A push to this branch; answers the state of its delivery and what it set in motion.
async fn push(world: &World, guid: &str, branch: &str, message: &str) -> (DeliveryState, String) {
    let body = json!({
        "ref": format!("refs/heads/{branch}"),
        "before": sha('a'),
        "after": sha('b'),
        "head_commit": { "id": sha('b'), "message": message, "author": { "name": "ann" } },
        "repository": { "id": 7, "full_name": "acme/workshop", "private": true },
        "sender": { "login": "ann" },
    });
    let new = NewDelivery {
        guid: guid.into(),
        event: "push".into(),
        headers: json!({}),
        body: Bytes::from(body.to_string()),
        received_at: chrono::DateTime::UNIX_EPOCH,
    };
    store::delivery::insert(&mut *world.conn().await, &[new]).await.unwrap();
    world.settle().await;
    let done = store::delivery::find(&mut *world.conn().await, guid).await.unwrap().unwrap();
    (done.state, done.reason.unwrap_or_default())
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_push_starts_one_build_a_stage_with_the_services_of_its_rules(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut file = file();
    file["rules"] = json!([
        { "branch": "release/*", "stage": "staging", "services": ["restapi"] },
        { "branch": "release/1", "stage": "staging", "services": ["tasks"] },
        { "branch": "release/1", "stage": "dev" },
    ]);
    let world = World::with(options, &file).await;
    let (state, said) = push(&world, "1", "release/1", "Ship it").await;
    assert_eq!(state, DeliveryState::Done, "{said}");
    let filter = BuildFilter { app: Some(world.app.id), limit: 10, ..BuildFilter::default() };
    let builds = store::build::list(&mut *world.conn().await, &filter).await.unwrap();
    let mut found: Vec<_> = builds
        .iter()
        .map(|build| {
            let services = build.services.iter().flatten().map(ToString::to_string);
            (build.stage.as_ref().unwrap().to_string(), services.collect::<Vec<_>>())
        })
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            ("dev".to_owned(), vec![]),
            ("staging".to_owned(), vec!["restapi".to_owned(), "tasks".to_owned()])
        ]
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_commit_may_say_anywhere_in_its_message_that_nothing_is_built(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (state, said) = push(&world, "1", "master", "Only words\n\n[skip ci]").await;
    assert_eq!(state, DeliveryState::Ignored);
    assert!(said.contains("[skip ci]"), "{said}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_push_leaves_a_personal_stage_of_the_same_name_alone(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut file = file();
    file["rules"] =
        json!([{ "branch": "master", "stage": "staging" }, { "branch": "master", "stage": "dev" }]);
    let world = World::with(options, &file).await;
    let own = world.stage("dev", StageKind::Personal).await;
    let (state, said) = push(&world, "1", "master", "Say hello").await;
    assert_eq!(state, DeliveryState::Done, "{said}");
    assert!(said.contains("build 1 for the stage staging"), "{said}");
    assert!(said.contains("dev is somebody's personal stage"), "{said}");
    assert!(store::build::latest_on(&mut *world.conn().await, own).await.unwrap().is_none());
}
