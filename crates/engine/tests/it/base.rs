//! A preview holds what its pull request changes; the rest is read from the stage that `env` names.

use model::app::PreviewDeploy;
use model::deployment::InstanceState;
use model::plan::Findings;
use model::stage::StageKind;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::order::Order;

use crate::support::{World, changes, file, workshop};

/// What a plan job finds in a pull request that changes these files, against `a` of dev.
fn proposed(files: &[&str]) -> Findings {
    Findings { services: workshop(), own_changes: changes(&[('a', files)]), ..Findings::default() }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_preview_deploys_only_what_its_pull_request_changes(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let dev = world.stage("dev", StageKind::LongLived).await;
    world.deployed(dev, 'a', "v1").await;
    let preview = world.stage("feature-x", StageKind::Preview).await;
    let build = world.planned(world.order(preview, 'b'), proposed(&["tasks/handler.js"])).await;
    let reasons = world.reasons(build).await;
    assert!(reasons["tasks"].starts_with("runs: tasks/handler.js"), "{reasons:?}");
    for read in ["database", "restapi"] {
        assert!(reasons[read].contains("which runs in dev: the one there is used"), "{reasons:?}");
    }
    assert_eq!(world.work_all("v1").await, ["package of tasks", "deploy of tasks"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_preview_of_the_whole_app_deploys_all_of_it(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let dev = world.stage("dev", StageKind::LongLived).await;
    world.deployed(dev, 'a', "v1").await;
    let preview = world.stage("feature-x", StageKind::Preview).await;
    let order = Order { preview_deploy: PreviewDeploy::All, ..world.order(preview, 'b') };
    let build = world.planned(order, proposed(&["tasks/handler.js"])).await;
    assert!(world.reasons(build).await.values().all(|reason| reason.starts_with("runs")));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_that_is_not_whole_or_of_another_account_stands_in_for_nothing(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut file = file();
    file["profiles"]["development"]["parameters"]["env"] = json!("prod");
    let world = World::with(options, &file).await;
    let prod = world.stage("prod", StageKind::LongLived).await;
    world.deployed(prod, 'a', "v1").await;
    let preview = world.stage("feature-x", StageKind::Preview).await;
    let build = world.planned(world.order(preview, 'b'), proposed(&[])).await;
    let reasons = world.reasons(build).await;
    assert!(
        reasons.values().all(|reason| reason == "runs: it was never deployed to this stage"),
        "{reasons:?}"
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_long_lived_stage_is_whole_by_itself(_pool: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let dev = world.stage("dev", StageKind::LongLived).await;
    world.deployed(dev, 'a', "v1").await;
    let staging = world.stage("staging", StageKind::LongLived).await;
    let build = world.planned(world.order(staging, 'b'), proposed(&[])).await;
    assert!(world.reasons(build).await.values().all(|reason| reason.starts_with("runs")));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_follower_that_never_came_to_deploy_is_not_in_the_preview(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let dev = world.stage("dev", StageKind::LongLived).await;
    world.deployed(dev, 'a', "v1").await;
    let preview = world.stage("feature-x", StageKind::Preview).await;
    let found = proposed(&["database/handler.js"]);
    world.planned(world.order(preview, 'b'), found.clone()).await;
    // the preview's own database publishes another table than dev's
    world.work_all("v-x").await;
    for reader in ["restapi", "tasks"] {
        let there = world.instance(preview, reader).await;
        assert_eq!(there.state, InstanceState::Deployed, "{reader} reads the new table");
    }

    let quiet = world.stage("feature-y", StageKind::Preview).await;
    let found = Findings { services: workshop()[..2].to_vec(), ..found };
    world.planned(world.order(quiet, 'b'), found.clone()).await;
    let package = world.claim().await.unwrap();
    world.fail(&package).await;
    let restapi = world.instance(quiet, "restapi").await;
    assert_eq!((restapi.state, restapi.commit), (InstanceState::Planned, None));
    let again = world.planned(world.order(quiet, 'c'), found).await;
    let reasons = world.reasons(again).await;
    assert!(reasons["restapi"].starts_with("follows"), "{reasons:?}");
}
