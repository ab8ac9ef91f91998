//! A build that is for some services leaves the others alone, and says so.

use std::collections::BTreeSet;

use model::ServiceName;
use model::build::{BuildEvent, BuildOutcome};
use model::job::Outcome;
use model::plan::Findings;
use model::stage::StageKind;
use model::worker_api::JobResult;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::order::Order;

use crate::support::{World, sha, workshop};

fn names(names: &[&str]) -> Option<BTreeSet<ServiceName>> {
    Some(names.iter().map(|name| name.parse().unwrap()).collect())
}

fn findings() -> Findings {
    Findings { services: workshop(), ..Findings::default() }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_rule_for_some_services_builds_them_alone(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let dev = world.stage("dev", StageKind::LongLived).await;
    let order = Order { services: names(&["restapi", "later"]), ..world.order(dev, 'a') };
    let build = world.planned(order, findings()).await;
    assert_eq!(world.work_all("v1").await, ["package of restapi", "deploy of restapi"]);
    let reasons = world.reasons(build).await;
    assert!(reasons["database"].starts_with("skipped: the rule builds only"), "{reasons:?}");

    // it was never deployed, and a forced build does not change whom the rule is for
    let order = Order { services: names(&["tasks"]), forced: true, ..world.order(dev, 'b') };
    world.planned(order, findings()).await;
    assert_eq!(world.work_all("v1").await, ["package of tasks", "deploy of tasks"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn services_that_the_commit_does_not_have_are_a_mistake_with_their_names(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let dev = world.stage("dev", StageKind::LongLived).await;
    let by_hand = |services| Order { event: BuildEvent::Manual, services, ..world.order(dev, 'a') };
    let by_rule = |services| Order { services, ..world.order(dev, 'a') };
    for order in [by_hand(names(&["restapi", "resapi"])), by_rule(names(&["resapi"]))] {
        let build = world.planned(order, findings()).await;
        let build = world.build(build).await;
        assert_eq!(build.outcome, Some(BuildOutcome::Failed));
        assert_eq!(
            build.reason.as_deref(),
            Some(
                "the build is for resapi, which is no service of this commit; its services are: \
                 database, restapi, tasks"
            )
        );
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_older_build_that_is_planned_late_leaves_the_newer_deployment_alone(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let dev = world.stage("dev", StageKind::LongLived).await;
    let older = Order { services: names(&["restapi", "tasks"]), ..world.order(dev, 'a') };
    let older = world.begin(older).await;
    let slow = world.claim().await.unwrap();
    let newer = Order { services: names(&["restapi"]), ..world.order(dev, 'b') };
    world.planned(newer, findings()).await;
    assert_eq!(world.work_all("v1").await, ["package of restapi", "deploy of restapi"]);

    let result = JobResult::Planned { findings: findings() };
    world.end(&slow, &Outcome::Succeeded, Some(&result)).await;
    let reasons = world.reasons(older).await;
    assert_eq!(reasons["restapi"], "skipped: build 2, which is newer, has deployed it");
    assert_eq!(world.work_all("v1").await, ["package of tasks", "deploy of tasks"]);
    assert_eq!(world.instance(dev, "restapi").await.commit, Some(sha('b')));
}
