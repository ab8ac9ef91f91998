//! Workers are woken when a job may have become free, and left alone otherwise: each of them looks
//! into the queue when it is woken.

use std::time::Duration;

use model::job::Outcome;
use model::plan::Findings;
use model::stage::StageKind;
use model::worker_api::JobResult;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::support::{World, workshop};

/// Whether a wake-up came until now.
async fn came(woken: impl Future<Output = ()>) -> bool {
    tokio::time::timeout(Duration::ZERO, woken).await.is_ok()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn workers_hear_of_the_jobs_of_a_plan_and_not_of_a_look_that_moved_nothing(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let dev = world.stage("dev", StageKind::LongLived).await;
    world.begin(world.order(dev, 'a')).await;
    let signals = world.engine.signals.clone();

    let woken = signals.workers_woken();
    let plan = world.claim().await.unwrap();
    world.settle().await;
    assert!(!came(woken).await, "a job that was claimed makes no other one free");

    let woken = signals.workers_woken();
    let findings = Findings { services: workshop(), ..Findings::default() };
    world.end(&plan, &Outcome::Succeeded, Some(&JobResult::Planned { findings })).await;
    assert!(came(woken).await, "there is something to package");
}
