//! Ends that no event brings: expiry, and removals that are tried again.

use chrono::TimeDelta;
use model::build::{BuildEvent, Purpose};
use model::job::JobKind;
use model::stage::{StageKind, StageState};
use model::worker_api::RemoveHow;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::order::{Moment, RemovalWanted};

use super::{Pull, branch_deleted, fail, last, rule, shown, stages, work, world};
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_preview_that_nobody_needs_is_warned_of_and_then_removed(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = world(options, &rule(&json!({ "expires_after": "4h" })), None).await;
    let mut pull = Pull::new(5, "x");
    pull.does(&world, "opened").await;
    work(&world).await;
    world.pass(TimeDelta::minutes(170)).await;
    // a change that builds nothing is a use too
    pull.does(&world, "converted_to_draft").await;
    world.pass(TimeDelta::minutes(170)).await;
    let stage = stages(&world).await.remove(0);
    assert_eq!(stage.warned_at, None);
    world.pass(TimeDelta::minutes(11)).await;
    let stage = stages(&world).await.remove(0);
    assert!(stage.warned_at.is_some(), "an hour ahead: {stage:?}");
    world.pass(TimeDelta::minutes(50)).await;
    assert_eq!(shown(&world).await, ["x: active"]);
    world.pass(TimeDelta::minutes(10)).await;
    let removal = last(&world, &stage).await;
    assert_eq!((removal.purpose, removal.event), (Purpose::Remove, BuildEvent::Schedule));
    assert_eq!(removal.source.title, "Remove x: nobody needed it for 4h");
    work(&world).await;
    assert_eq!(shown(&world).await, ["x: closed"]);
    // the next push brings it back
    pull.pushed(&world, 'b').await;
    work(&world).await;
    assert_eq!(shown(&world).await, ["x: active", "x: closed"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_server_that_was_away_still_warns_before_it_removes(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = world(options, &rule(&json!({ "expires_after": "4h" })), None).await;
    let mut pull = Pull::new(5, "x");
    pull.does(&world, "opened").await;
    work(&world).await;
    world.pass(TimeDelta::days(3)).await;
    let stage = stages(&world).await.remove(0);
    assert_eq!(stage.state, StageState::Active);
    let ahead = stage.expires_at.unwrap() - stage.warned_at.unwrap();
    assert_eq!(ahead, TimeDelta::hours(1));
    world.pass(TimeDelta::hours(1)).await;
    assert_eq!(shown(&world).await, ["x: removing"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_preview_does_not_expire_while_something_is_built_in_it(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = world(options, &rule(&json!({ "expires_after": "1h" })), None).await;
    Pull::new(5, "x").does(&world, "opened").await;
    world.pass(TimeDelta::hours(2)).await;
    world.pass(TimeDelta::hours(2)).await;
    assert_eq!(shown(&world).await, ["x: active"]);
    work(&world).await;
    world.pass(TimeDelta::hours(1)).await;
    world.pass(TimeDelta::hours(1)).await;
    assert_eq!(shown(&world).await, ["x: removing"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_long_lived_stage_is_never_removed_by_itself(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut rules = rule(&json!({ "expires_after": "1h", "base": ["master", "release"] }));
    rules.as_array_mut().unwrap().push(json!({ "branch": "release", "stage": "staging" }));
    let world = world(options, &rules, None).await;
    let staging = world.stage("staging", StageKind::LongLived).await;
    // a pull request of the very branch that the stage is deployed from
    let mut pull = Pull::new(5, "release");
    pull.does(&world, "opened").await;
    work(&world).await;
    pull.does(&world, "closed").await;
    branch_deleted(&world, "release").await;
    branch_deleted(&world, "staging").await;
    work(&world).await;
    world.pass(TimeDelta::days(365)).await;
    work(&world).await;
    let kept = store::stage::get(&mut *world.conn().await, staging).await.unwrap();
    assert_eq!((kept.state, kept.expires_at), (StageState::Active, None));
    assert_eq!(shown(&world).await, ["release: closed"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_removal_that_fails_stays_in_sight_and_is_tried_again_ever_more_seldom(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = world(options, &rule(&json!({})), None).await;
    let mut pull = Pull::new(5, "x");
    pull.does(&world, "opened").await;
    work(&world).await;
    pull.does(&world, "closed").await;
    assert_eq!(fail(&world, "the bucket is full").await, JobKind::Remove);
    let stage = stages(&world).await.remove(0);
    assert_eq!(stage.state, StageState::RemoveFailed);
    let why = "restapi in us-east-1: the bucket is full";
    assert_eq!((stage.left_over.as_deref(), stage.remove_failures), (Some(why), 1));
    for (failures, minutes) in [(2, 2), (3, 4), (4, 8)] {
        world.pass(TimeDelta::minutes(minutes) - TimeDelta::seconds(20)).await;
        assert_eq!(shown(&world).await, ["x: remove_failed"]);
        world.pass(TimeDelta::seconds(20)).await;
        assert_eq!(shown(&world).await, ["x: removing"]);
        let removal = last(&world, &stage).await;
        assert_eq!(removal.event, BuildEvent::Schedule);
        assert_eq!(removal.source.title, "Remove x again");
        fail(&world, "the bucket is full").await;
        assert_eq!(stages(&world).await.remove(0).remove_failures, failures);
    }
    // a person asks: it is tried at once, and the waits begin anew
    let stage = stages(&world).await.remove(0);
    let mut conn = world.conn().await;
    let at = Moment { now: world.now(), ids: &*world.engine.ids };
    let by_hand = RemovalWanted::by_hand(RemoveHow::Retaining);
    store::order::removal(&mut conn, &world.app, &stage, by_hand, at).await.unwrap();
    drop(conn);
    world.settle().await;
    fail(&world, "the bucket is full").await;
    let stage = stages(&world).await.remove(0);
    assert_eq!((stage.remove_failures, stage.remove_how), (1, RemoveHow::Retaining));
    world.pass(TimeDelta::minutes(2)).await;
    work(&world).await;
    assert_eq!(shown(&world).await, ["x: closed"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_removal_that_a_person_stops_is_not_tried_again_by_itself(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = world(options, &rule(&json!({})), None).await;
    let mut pull = Pull::new(5, "x");
    pull.does(&world, "opened").await;
    work(&world).await;
    pull.does(&world, "closed").await;
    let removal = last(&world, &stages(&world).await[0]).await;
    let now = world.now();
    store::build::request_cancel(&mut *world.conn().await, removal.id, "canceled by ann", now)
        .await
        .unwrap();
    world.settle().await;
    world.pass(TimeDelta::days(1)).await;
    let stage = stages(&world).await.remove(0);
    assert_eq!((stage.state, stage.retry_at), (StageState::RemoveFailed, None));
    assert!(stage.left_over.unwrap().contains("was not begun"));
}
