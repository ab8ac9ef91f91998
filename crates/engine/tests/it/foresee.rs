//! A look at the stage that a pull request is meant for, beside its own deploys; and a push that
//! comes while a rollback is on its way.

use model::build::{BuildOutcome, Purpose};
use model::job::{JobKind, Outcome};
use model::plan::{Condition, Findings};
use model::stage::StageKind;
use model::worker_api::JobResult;
use model::{ArtifactId, JobId, StageId};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::build::NewBuild;
use store::job::{NewJob, NewJobState, Work};

use crate::support::{World, changes, file, id, service, sha, workshop};

async fn world(options: PgConnectOptions) -> World {
    let mut file = file();
    file["rules"][1]["preview"]["foresee"] = json!("staging");
    World::with(options, &file).await
}

/// The preview of a pull request against master.
async fn preview(world: &World) -> StageId {
    let preview = world.stage("feature-x", StageKind::Preview).await;
    let base = "master".parse().unwrap();
    store::stage::follow(&mut *world.conn().await, preview, Some(7), &base).await.unwrap();
    preview
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_look_at_staging_that_fails_does_not_fail_the_build(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = world(options).await;
    let staging = world.stage("staging", StageKind::LongLived).await;
    world.deployed(staging, 'a', "v1").await;
    let preview = preview(&world).await;
    let findings = Findings { services: vec![service("tasks")], ..Findings::default() };
    let build = world.planned(world.order(preview, 'b'), findings).await;
    let (mut looks, mut deploys) = (0, 0);
    while let Some(job) = world.claim().await {
        if job.kind == JobKind::Foresee {
            let Some(Work::Foresee { stage, .. }) = &job.work else { panic!("{job:?}") };
            assert_eq!(stage.as_str(), "staging");
            looks += 1;
            world.fail(&job).await;
        } else {
            deploys += usize::from(job.kind == JobKind::Deploy);
            world.does(&job, "v2").await;
        }
    }
    assert_eq!((looks, deploys), (1, 1));
    let build = world.build(build).await;
    assert_eq!((build.outcome, build.reason), (Some(BuildOutcome::Succeeded), None));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_that_was_never_built_and_one_that_is_no_preview_get_no_look(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = world(options).await;
    let findings = Findings { services: vec![service("tasks")], ..Findings::default() };
    let preview = preview(&world).await;
    let build = world.planned(world.order(preview, 'b'), findings.clone()).await;
    let dev = world.stage("dev", StageKind::LongLived).await;
    world.work_all("v1").await;
    let other = world.planned(world.order(dev, 'b'), findings).await;
    for build in [build, other] {
        let jobs = world.jobs(build).await;
        assert!(!jobs.iter().any(|job| job.starts_with("foresee")), "{jobs:?}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_push_deploys_what_a_rollback_before_it_takes_back(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let dev = world.stage("dev", StageKind::LongLived).await;
    world.deployed(dev, 'a', "v1").await;
    let tasks = world.instance(dev, "tasks").await;
    {
        let order = world.order(dev, 'a');
        let mut conn = world.conn().await;
        let build = NewBuild {
            id: model::BuildId(id()),
            app_id: world.app.id,
            number: store::app::next_build_number(&mut conn, world.app.id).await.unwrap(),
            event: order.event,
            purpose: Purpose::Rollback,
            stage_id: Some(dev),
            source: order.source,
            forced: false,
            services: None,
            preview_deploy: order.preview_deploy,
            delivery_guid: None,
            created_at: world.now(),
        };
        store::build::insert(&mut conn, &build).await.unwrap();
        let job = NewJob {
            id: JobId(id()),
            build_id: build.id,
            kind: JobKind::Rollback,
            service: Some(tasks.service.clone()),
            region: Some(tasks.region.clone()),
            instance_id: Some(tasks.id),
            work: Some(Work::Rollback {
                service: Box::new(tasks.spec.clone()),
                artifact: ArtifactId(id()),
                commit: sha('a'),
            }),
            needs: Vec::new(),
            condition: Condition::Always,
            state: NewJobState::Queued,
        };
        store::job::insert(&mut conn, &[job], world.now()).await.unwrap();
    }
    let findings =
        Findings { services: workshop(), changes: changes(&[('a', &[])]), ..Findings::default() };
    let pushed = world.begin(world.order(dev, 'b')).await;
    let rollback = world.claim().await.unwrap();
    assert_eq!(rollback.kind, JobKind::Rollback, "the push has not taken its place");
    let plan = world.claim().await.unwrap();
    world.end(&plan, &Outcome::Succeeded, Some(&JobResult::Planned { findings })).await;
    let reasons = world.reasons(pushed).await;
    assert!(reasons["tasks"].contains("it is being rolled back"), "{reasons:?}");
    assert!(reasons["restapi"].starts_with("skipped"), "{reasons:?}");
}
