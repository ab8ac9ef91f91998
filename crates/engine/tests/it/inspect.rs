//! Looks at what is deployed, on their schedule, and beside a deploy that people decide about.

use chrono::TimeDelta;
use model::build::{BuildOutcome, Purpose};
use model::job::{JobKind, Outcome};
use model::plan::Findings;
use model::stage::StageKind;
use model::worker_api::JobResult;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::build::{Build, BuildFilter};

use crate::support::{World, changes, file, workshop};

async fn inspections(world: &World) -> Vec<Build> {
    let purpose = Some(Purpose::Inspect);
    let filter = BuildFilter { purpose, limit: 50, ..BuildFilter::default() };
    store::build::list(&mut *world.conn().await, &filter).await.unwrap()
}

/// The looks that were begun since, by what they look at.
async fn begun(world: &World) -> Vec<String> {
    world.engine.look_around().await.unwrap();
    let mut looks: Vec<String> = Vec::new();
    for build in inspections(world).await {
        if build.outcome.is_none() {
            looks.push(build.stage.map_or("accounts".into(), |stage| stage.to_string()));
        }
    }
    looks.sort();
    looks
}

async fn end_all(world: &World) {
    while let Some(job) = world.claim().await {
        let result = match job.kind {
            JobKind::Sweep => JobResult::Swept { found: Vec::new() },
            _ => JobResult::Drifted { stacks: Vec::new(), found: [].into() },
        };
        world.end(&job, &Outcome::Succeeded, Some(&result)).await;
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_is_looked_at_when_its_time_has_come_and_each_account_daily(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut file = file();
    file["stages"]["staging"]["drift_every"] = json!("3d");
    file["stages"]["prod"]["drift_every"] = json!("never");
    let world = World::with(options, &file).await;
    for stage in ["dev", "staging", "prod"] {
        let id = world.stage(stage, StageKind::LongLived).await;
        world.deployed(id, 'a', "visits").await;
    }
    let preview = world.stage("feature-x", StageKind::Preview).await;
    world.deployed(preview, 'a', "visits").await;
    assert!(begun(&world).await.is_empty(), "they were made just now");
    world.pass(TimeDelta::hours(25)).await;
    assert_eq!(begun(&world).await, ["accounts", "accounts", "dev"]);
    assert_eq!(begun(&world).await.len(), 3, "one at a time");
    end_all(&world).await;
    assert!(begun(&world).await.is_empty());
    for build in inspections(&world).await {
        assert_eq!(build.outcome, Some(BuildOutcome::Succeeded), "{build:?}");
    }
    world.pass(TimeDelta::hours(50)).await;
    assert_eq!(begun(&world).await, ["accounts", "accounts", "dev", "staging"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_look_that_fails_is_not_begun_again_before_its_time(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let dev = world.stage("dev", StageKind::LongLived).await;
    world.deployed(dev, 'a', "visits").await;
    world.pass(TimeDelta::hours(25)).await;
    assert_eq!(begun(&world).await.len(), 3);
    while let Some(job) = world.claim().await {
        world.fail(&job).await;
    }
    let looks = inspections(&world).await;
    assert!(looks.iter().all(|build| build.outcome == Some(BuildOutcome::Failed)), "{looks:?}");
    world.pass(TimeDelta::hours(1)).await;
    assert!(begun(&world).await.is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn where_people_approve_a_deploy_its_instances_are_looked_at_beside_it(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut asked = file();
    asked["stages"]["prod"]["approvers"] = json!(["ann"]);
    let world = World::new(options).await;
    let prod = world.stage("prod", StageKind::LongLived).await;
    world.deployed(prod, 'a', "visits").await;
    world.put(&asked).await;
    let app = store::app::get(&mut *world.conn().await, world.app.id).await.unwrap();
    let order = store::order::Order { app: &app, ..world.order(prod, 'b') };
    let findings = Findings {
        services: workshop(),
        changes: changes(&[('a', &["tasks/index.js"])]),
        ..Findings::default()
    };
    let build = world.planned(order, findings).await;
    let jobs = world.jobs(build).await;
    assert!(jobs.contains(&"drift of tasks: queued".to_owned()), "{jobs:?}");
    assert!(!jobs.iter().any(|job| job.starts_with("drift of database")), "{jobs:?}");
    // beside the package; that it fails is no failure of the build
    let package = world.claim().await.unwrap();
    let look = world.claim().await.unwrap();
    assert_eq!((package.kind, look.kind), (JobKind::Package, JobKind::Drift));
    world.fail(&look).await;
    assert_eq!(world.build(build).await.outcome, None);
    world.fail(&package).await;
    let ended = world.build(build).await;
    assert_eq!(ended.outcome, Some(BuildOutcome::Failed));
    assert!(ended.reason.unwrap().starts_with("package tasks"), "not the look's failure");
}
