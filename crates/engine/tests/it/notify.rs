//! People elsewhere are told what happens: once of each thing, in order, as soon as they listen.

use chrono::TimeDelta;
use engine::Progress;
use fakes::receiver::{Answers, Hook, Posted};
use model::StageId;
use model::app::SecretPlace;
use model::drift::{DriftStatus, DriftedResource, ResourceDrift, StackDrift};
use model::job::{Failure, FailureKind, JobKind, Outcome};
use model::plan::Findings;
use model::stage::StageKind;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::build::BuildFilter;
use store::drift::Drift;
use store::notification::{Notification, Standing};

use crate::gates::{approve, pair, waiting};
use crate::previews::{Pull, branch_deleted, fail, rule, work};
use crate::support::{World, file, id, vault, workshop};

/// The workshop, with a program that is told what `asks` says; its secret is stored.
async fn world(options: PgConnectOptions, hook: &Hook, asks: &Value) -> World {
    let mut file = file();
    file["rules"] = rule(&json!({ "expires_after": "4h" }));
    file["stages"]["prod"]["approvers"] = json!(["ann"]);
    let mut receiver = asks.clone();
    receiver["webhook"] = json!({ "url": hook.url(), "secret": { "secret": null } });
    file["notifications"] = json!({ "bot": receiver });
    let world = World::with(options, &file).await;
    let place = SecretPlace::Receiver("bot".parse().unwrap());
    let (key, now) = ("webhook.secret".parse().unwrap(), world.now());
    let secret = "a secret that is long enough".to_owned().into();
    let mut conn = world.conn().await;
    store::secret::put(&mut conn, &vault(), id(), world.app.id, &place, &key, &secret, now)
        .await
        .unwrap();
    drop(conn);
    world
}

async fn dev(world: &World) -> StageId {
    world.stage("dev", StageKind::LongLived).await
}

/// Sends what is due; answers whether anything was.
async fn send(world: &World) -> bool {
    let mut any = false;
    while world.engine.notify().await.unwrap() == Progress::Made {
        any = true;
    }
    any
}

fn body(posted: &Posted) -> Value {
    serde_json::from_str(&posted.body).unwrap()
}

/// What the program took, as `event of thing`.
fn told(hook: &Hook) -> Vec<String> {
    let shown = hook.taken().into_iter().map(|posted| {
        let body = body(&posted);
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        format!("{} of {}", text(&body["type"]), text(&body["data"]["thing"]))
    });
    shown.collect()
}

async fn rows(world: &World) -> Vec<Notification> {
    store::notification::newest(&mut *world.conn().await, 50).await.unwrap()
}

/// A build of the stage of which the first job after the plan fails.
async fn failing(world: &World, stage: StageId, commit: char, why: &str) {
    let findings = Findings { services: workshop(), ..Findings::default() };
    world.planned(world.order(stage, commit), findings).await;
    let job = world.claim().await.unwrap();
    let failure = Failure { kind: FailureKind::Step, message: why.into() };
    world.end(&job, &Outcome::Failed(failure), None).await;
    world.work_all("visits").await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_failure_is_told_with_its_reason_and_what_mends_it_answers_the_first(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let hook = Hook::start().await.unwrap();
    let world = world(options, &hook, &json!({})).await;
    let dev = dev(&world).await;
    world.deployed(dev, 'a', "visits").await;
    failing(&world, dev, 'b', "npm test ended with status 1\n\u{1b}[31mred").await;
    failing(&world, dev, 'c', "again").await;
    world.deployed(dev, 'd', "visits").await;
    world.deployed(dev, 'e', "visits").await;
    send(&world).await;
    assert_eq!(
        told(&hook),
        [
            "build.failed of workshop/build/2",
            "build.failed of workshop/build/3",
            "build.fixed of workshop/build/4",
        ],
        "the others succeeded, and nobody asked for that"
    );
    let taken = hook.taken();
    let data = |at: usize| body(&taken[at])["data"].clone();
    assert_eq!(data(0)["headline"], "Build 2 failed on dev");
    let detail = data(0)["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(": npm test ended with status 1 [31mred"), "{detail}");
    assert_eq!(data(0)["url"], "https://ci.example.com/apps/workshop/builds/2");
    assert_eq!(data(0)["answers"], Value::Null);
    assert_eq!(data(1)["answers"], "workshop/build/2");
    assert_eq!(data(2)["answers"], "workshop/build/2");
    // a second look at all of it
    let mut conn = world.conn().await;
    store::build::mark_app(&mut conn, world.app.id).await.unwrap();
    let all = BuildFilter { limit: 50, ..BuildFilter::default() };
    for build in store::build::list(&mut conn, &all).await.unwrap() {
        store::build::mark_dirty(&mut conn, build.id).await.unwrap();
    }
    drop(conn);
    world.settle().await;
    assert!(!send(&world).await, "nothing of it is news");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_reason_that_may_hold_a_secret_stays_here(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let hook = Hook::start().await.unwrap();
    let world = world(options, &hook, &json!({})).await;
    let dev = dev(&world).await;
    failing(&world, dev, 'a', "denied: a secret that is long enough").await;
    send(&world).await;
    let text = &hook.taken()[0].body;
    assert!(!text.contains("long enough") && text.contains("may hold a secret"), "{text}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn who_is_away_is_told_in_order_when_they_are_back(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let hook = Hook::start().await.unwrap();
    let world = world(options, &hook, &json!({})).await;
    let dev = dev(&world).await;
    hook.answer(Answers::Status(503, Some(400)));
    failing(&world, dev, 'a', "one").await;
    send(&world).await;
    failing(&world, dev, 'b', "two").await;
    world.deployed(dev, 'c', "visits").await;
    world.pass(TimeDelta::seconds(20)).await;
    send(&world).await;
    let first: Vec<String> =
        hook.posted().iter().map(|posted| posted.headers["webhook-id"].clone()).collect();
    assert_eq!(first.len(), 1, "what came later waits behind it: {first:?}");
    world.pass(TimeDelta::seconds(401)).await;
    hook.answer(Answers::Fine);
    send(&world).await;
    assert_eq!(
        told(&hook),
        [
            "build.failed of workshop/build/1",
            "build.failed of workshop/build/2",
            "build.fixed of workshop/build/3",
        ]
    );
    assert_eq!(hook.taken()[0].headers["webhook-id"], first[0], "the same message");
    assert!(rows(&world).await.iter().all(|row| row.standing() == Standing::Sent));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_nobody_takes_for_a_day_is_given_up_until_somebody_asks_for_it(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let hook = Hook::start().await.unwrap();
    let world = world(options, &hook, &json!({})).await;
    hook.answer(Answers::Status(500, None));
    failing(&world, dev(&world).await, 'a', "one").await;
    for _ in 0..30 {
        send(&world).await;
        world.pass(TimeDelta::hours(1)).await;
    }
    let [row] = &rows(&world).await[..] else { panic!("one thing") };
    assert_eq!(row.standing(), Standing::GivenUp);
    assert_eq!(row.last_error.as_deref(), Some("it answers 500 Internal Server Error"));
    let tries = hook.posted().len();
    assert!((24..=40).contains(&tries), "ever more seldom: {tries}");
    hook.answer(Answers::Fine);
    assert!(!send(&world).await);
    store::notification::replay(&mut *world.conn().await, row.id, world.now()).await.unwrap();
    assert!(send(&world).await);
    assert_eq!(told(&hook), ["build.failed of workshop/build/1"]);
    let ids: std::collections::BTreeSet<String> =
        hook.posted().iter().map(|posted| posted.headers["webhook-id"].clone()).collect();
    assert_eq!(ids.len(), 1, "the same message all along: {ids:?}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_approval_is_asked_for_and_its_answer_sets_that_right(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let hook = Hook::start().await.unwrap();
    let world = world(options, &hook, &json!({ "stages": ["pr*"] })).await;
    let prod = world.stage("prod", StageKind::LongLived).await;
    let build = waiting(&world, prod, 'a', pair()).await;
    send(&world).await;
    approve(&world, build, false).await;
    send(&world).await;
    world.work_all("visits").await;
    send(&world).await;
    assert_eq!(
        told(&hook),
        [
            "build.waiting of workshop/build/1",
            "build.resumed of workshop/build/1",
            "build.succeeded of workshop/build/1",
        ]
    );
    let sequences: Vec<Value> =
        hook.taken().iter().map(|posted| body(posted)["data"]["sequence"].clone()).collect();
    assert_eq!(sequences, [1, 2, 3]);
    let detail = body(&hook.taken()[0])["data"]["detail"].clone();
    assert!(detail.as_str().unwrap().starts_with("To be approved by ann until "), "{detail}");
    failing(&world, dev(&world).await, 'a', "elsewhere").await;
    assert!(!send(&world).await, "dev is none of theirs");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_previews_end_is_told_ahead_and_what_a_removal_left(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let hook = Hook::start().await.unwrap();
    let world = world(options, &hook, &json!({ "kinds": ["preview"] })).await;
    let mut pull = Pull::new(5, "x");
    pull.does(&world, "opened").await;
    work(&world).await;
    world.pass(TimeDelta::minutes(181)).await;
    send(&world).await;
    pull.pushed(&world, 'b').await;
    work(&world).await;
    send(&world).await;
    branch_deleted(&world, "x").await;
    assert_eq!(fail(&world, "the bucket is full").await, JobKind::Remove);
    send(&world).await;
    world.pass(TimeDelta::hours(2)).await;
    work(&world).await;
    send(&world).await;
    assert_eq!(
        told(&hook),
        [
            "preview.expiring of workshop/stage/x/expiry",
            "preview.kept of workshop/stage/x/expiry",
            "stage.leftover of workshop/stage/x/leftover",
            "stage.cleared of workshop/stage/x/leftover",
        ]
    );
    let left = body(&hook.taken()[2])["data"].clone();
    assert!(left["detail"].as_str().unwrap().contains("the bucket is full"), "{left}");
    assert_eq!(left["url"], "https://ci.example.com/apps/workshop/stages/x");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn drift_is_told_each_time_it_comes(_pool: PgPoolOptions, options: PgConnectOptions) {
    let hook = Hook::start().await.unwrap();
    let world = world(options, &hook, &json!({ "events": ["drift"] })).await;
    let dev = dev(&world).await;
    world.deployed(dev, 'a', "visits").await;
    let instance = world.instance(dev, "database").await;
    let found = async |status: DriftStatus| {
        let stack = StackDrift { stack: "database-dev".into(), status };
        let drift = Drift {
            instance_id: instance.id,
            looked_at: world.now(),
            build_number: 1,
            stacks: vec![stack],
        };
        let mut conn = world.conn().await;
        store::drift::put(&mut conn, &drift).await.unwrap();
        // as the look's build does when it ends
        let latest = store::build::latest_on(&mut conn, dev).await.unwrap().unwrap();
        store::build::mark_dirty(&mut conn, latest.id).await.unwrap();
        drop(conn);
        world.settle().await;
        send(&world).await;
    };
    let changed = || DriftStatus::Drifted {
        resources: vec![DriftedResource {
            logical_id: "Visits".into(),
            physical_id: None,
            resource_type: "AWS::DynamoDB::Table".into(),
            deed: ResourceDrift::Deleted,
        }],
    };
    for status in [changed(), changed(), DriftStatus::InSync, changed()] {
        found(status).await;
    }
    assert_eq!(
        told(&hook),
        [
            "stage.drifted of workshop/stage/dev/drift",
            "stage.in_sync of workshop/stage/dev/drift",
            "stage.drifted of workshop/stage/dev/drift/2",
        ]
    );
    assert_eq!(body(&hook.taken()[0])["data"]["detail"], "Visits of database-dev");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn who_comes_later_is_not_told_what_was_before(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let hook = Hook::start().await.unwrap();
    let world = World::new(options).await;
    let dev = dev(&world).await;
    failing(&world, dev, 'a', "one").await;
    let mut file = file();
    file["notifications"] = json!({
        "bot": { "webhook": { "url": hook.url(), "secret": { "secret": null } } },
    });
    world.put(&file).await;
    let mut conn = world.conn().await;
    let latest = store::build::latest_on(&mut conn, dev).await.unwrap().unwrap();
    store::build::mark_dirty(&mut conn, latest.id).await.unwrap();
    drop(conn);
    world.settle().await;
    assert!(rows(&world).await.is_empty());
    // and who is not in the settings any more is told nothing of what waits
    failing(&world, dev, 'b', "two").await;
    file["notifications"] = json!({});
    world.put(&file).await;
    send(&world).await;
    let [row] = &rows(&world).await[..] else { panic!("one thing") };
    assert_eq!(row.standing(), Standing::GivenUp);
    assert!(row.last_error.as_deref().unwrap().contains("no receiver bot any more"));
    assert!(hook.posted().is_empty());
}
