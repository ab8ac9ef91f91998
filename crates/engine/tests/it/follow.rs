//! Dependents follow a deploy that changed its outputs, and only then; each region has its jobs;
//! the stage's own command comes last.

use model::build::BuildOutcome;
use model::job::{JobKind, JobState, Outcome};
use model::pipeline::Step;
use model::plan::Findings;
use model::stage::StageKind;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::support::{World, changes, file, service, workshop};

fn findings(since: &[(char, &[&str])]) -> Findings {
    Findings { services: workshop(), changes: changes(since), ..Findings::default() }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_first_push_deploys_all_of_it_dependencies_first(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let dev = world.stage("dev", StageKind::LongLived).await;
    let build = world.planned(world.order(dev, 'a'), findings(&[])).await;
    let done = world.work_all("v1").await;
    assert_eq!(done[..2], ["package of database", "deploy of database"]);
    assert_eq!(done.len(), 6);
    assert_eq!(world.build(build).await.outcome, Some(BuildOutcome::Succeeded));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn dependents_follow_a_deploy_that_changed_its_outputs(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let dev = world.stage("dev", StageKind::LongLived).await;
    world.deployed(dev, 'a', "v1").await;
    let found = findings(&[('a', &["database/serverless.yml"])]);
    let build = world.planned(world.order(dev, 'b'), found).await;
    let reasons = world.reasons(build).await;
    assert!(reasons["restapi"].starts_with("follows"), "{reasons:?}");
    world.work_all("v2").await;
    assert!(world.jobs(build).await.iter().all(|job| job.ends_with("succeeded")));
    assert_eq!(world.instance(dev, "tasks").await.commit, Some(crate::support::sha('b')));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn dependents_of_unchanged_outputs_have_nothing_to_do(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let dev = world.stage("dev", StageKind::LongLived).await;
    world.deployed(dev, 'a', "v1").await;
    let found = Findings {
        post_deploy: Some(Step::new("./smoke-test")),
        ..findings(&[('a', &["database/handler.js"])])
    };
    let build = world.planned(world.order(dev, 'b'), found).await;
    let done = world.work_all("v1").await;
    assert_eq!(done, ["package of database", "deploy of database", "post_deploy"]);
    let jobs = world.jobs(build).await;
    for unneeded in ["package of restapi", "deploy of restapi", "package of tasks"] {
        assert!(jobs.contains(&format!("{unneeded}: unneeded")), "{jobs:?}");
    }
    assert_eq!(world.build(build).await.outcome, Some(BuildOutcome::Succeeded));
    let restapi = world.instance(dev, "restapi").await;
    assert_eq!(restapi.commit, Some(crate::support::sha('a')), "it was left alone");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_did_not_come_to_follow_is_made_good_by_the_next_build(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let dev = world.stage("dev", StageKind::LongLived).await;
    world.deployed(dev, 'a', "v1").await;
    let found = findings(&[('a', &["database/serverless.yml"])]);
    world.planned(world.order(dev, 'b'), found).await;
    for expected in ["package of database", "deploy of database"] {
        assert_eq!(world.work("v2").await.as_deref(), Some(expected));
    }
    // both followers fail before anything of theirs is deployed
    for _ in 0..2 {
        let package = world.claim().await.unwrap();
        assert_eq!(package.kind, JobKind::Package);
        world.fail(&package).await;
    }
    let found = findings(&[('a', &["database/serverless.yml"]), ('b', &[])]);
    let next = world.planned(world.order(dev, 'c'), found).await;
    let reasons = world.reasons(next).await;
    assert!(reasons["database"].starts_with("skipped"), "{reasons:?}");
    for reader in ["restapi", "tasks"] {
        assert!(
            reasons[reader].contains("the outputs of database changed after it was packaged"),
            "{reasons:?}"
        );
    }
    world.work_all("v2").await;
    let found = findings(&[('b', &[]), ('c', &[])]);
    let last = world.planned(world.order(dev, 'd'), found).await;
    assert!(world.reasons(last).await.values().all(|reason| reason.starts_with("skipped")));
    assert_eq!(world.build(last).await.outcome, Some(BuildOutcome::Skipped));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_stages_own_command_is_not_run_after_a_failure(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let dev = world.stage("dev", StageKind::LongLived).await;
    let services = vec![service("restapi")];
    let post_deploy = Some(Step::new("./smoke-test"));
    let found = Findings { services, post_deploy, ..Findings::default() };
    let build = world.planned(world.order(dev, 'a'), found.clone()).await;
    world.work("v1").await;
    let deploy = world.claim().await.unwrap();
    assert_eq!(deploy.kind, JobKind::Deploy);
    world.fail(&deploy).await;
    assert_eq!(
        world.jobs(build).await,
        ["package of restapi: succeeded", "deploy of restapi: failed", "post_deploy: skipped"]
    );
    assert_eq!(world.build(build).await.outcome, Some(BuildOutcome::Failed));

    let again = world.planned(world.order(dev, 'a'), found).await;
    world.work("v1").await;
    world.work("v1").await;
    let last = world.claim().await.unwrap();
    assert_eq!((last.kind, &last.service, &last.region), (JobKind::PostDeploy, &None, &None));
    assert_eq!(last.work.as_ref().unwrap().step().unwrap().run, "./smoke-test");
    world.end(&last, &Outcome::Succeeded, None).await;
    assert_eq!(world.build(again).await.outcome, Some(BuildOutcome::Succeeded));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_newer_push_lets_the_stages_own_command_end(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let dev = world.stage("dev", StageKind::LongLived).await;
    let services = vec![service("restapi")];
    let post_deploy = Some(Step::new("./migrate"));
    let found = Findings { services, post_deploy, ..Findings::default() };
    world.planned(world.order(dev, 'a'), found.clone()).await;
    world.work("v1").await;
    world.work("v1").await;
    let last = world.claim().await.unwrap();
    assert_eq!(last.kind, JobKind::PostDeploy);
    world.planned(world.order(dev, 'b'), found).await;
    let running = store::job::get(&mut *world.conn().await, last.id).await.unwrap();
    assert!(matches!(running.state, JobState::Running(_)));
    assert_eq!(running.cancel_requested_at, None);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_service_of_two_regions_is_deployed_and_looked_at_in_each(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut file = file();
    file["services"] = json!({ "restapi": { "regions": ["us-east-1", "eu-west-1"] } });
    let world = World::with(options, &file).await;
    let dev = world.stage("dev", StageKind::LongLived).await;
    let build = world.planned(world.order(dev, 'a'), findings(&[])).await;
    let done = world.work_all("v1").await;
    assert!(done.contains(&"deploy of restapi".to_owned()), "{done:?}");
    assert!(done.contains(&"deploy of restapi in eu-west-1".to_owned()), "{done:?}");
    assert_eq!(world.reasons(build).await.len(), 4);

    // one of them breaks: it alone is deployed again
    let there = {
        let mut conn = world.conn().await;
        let found = store::instance::list(&mut conn, dev).await.unwrap();
        let abroad = found.iter().find(|one| one.region.as_str() == "eu-west-1").unwrap().id;
        world.fail_instance(abroad, &mut conn).await;
        abroad
    };
    let next = world.planned(world.order(dev, 'b'), findings(&[('a', &[])])).await;
    let reasons = world.reasons(next).await;
    assert!(reasons["restapi"].starts_with("skipped"), "{reasons:?}");
    assert!(reasons["restapi in eu-west-1"].contains("not whole"), "{reasons:?}");
    let package = world.claim().await.unwrap();
    assert_eq!((package.kind, package.instance_id), (JobKind::Package, None));
    world.end(&package, &Outcome::Succeeded, None).await;
    assert_eq!(world.claim().await.unwrap().instance_id, Some(there));
}
