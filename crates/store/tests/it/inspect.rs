//! Looks at what is deployed: orders that change nothing, and what they found.

use std::collections::BTreeSet;

use model::build::{BuildEvent, BuildOutcome, Purpose};
use model::deployment::InstanceState;
use model::drift::{DriftStatus, StackDrift};
use model::job::JobKind;
use model::worker_api::DeployedStack;
use model::{ArtifactId, InstanceId, StageId};
use sqlx::{PgConnection, PgPool};
use store::app::App;
use store::build::{Build, BuildFilter};
use store::drift::Drift;
use store::instance::Success;
use store::job::Work;
use store::order::{self, Asked, Moment};
use store::{app, board, build, drift, instance, job, stage, sweep};

use crate::support::{at, id, region, service, sha, world};

const SERVER: Asked<'static> = Asked { event: BuildEvent::Schedule, author: "" };

fn moment(seconds: i64) -> Moment<'static> {
    Moment { now: at(seconds), ids: &id }
}

async fn deployed(conn: &mut PgConnection, stage: StageId, name: &str) -> InstanceId {
    let target = crate::support::instance(conn, stage, name).await;
    let stack = DeployedStack {
        stacks: vec![format!("{name}-staging")],
        left_at: [].into(),
        outputs: [].into(),
        endpoints: Vec::new(),
    };
    let success = Success {
        commit: &sha('a'),
        build_number: 1,
        artifact: ArtifactId(id()),
        spec: &service(name),
        stack: &stack,
        read_at: None,
        parameters_digest: None,
        outputs_changed: false,
    };
    instance::deployed(conn, target, &success, at(2)).await.unwrap();
    target
}

async fn look(conn: &mut PgConnection, app: &App, stage: StageId, seconds: i64) -> Option<Build> {
    let stage = stage::get(conn, stage).await.unwrap();
    order::drift(conn, app, &stage, SERVER, moment(seconds)).await.unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_look_has_a_job_for_each_instance_with_stacks_and_disturbs_no_deploy(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, staging, first) = world(&mut conn).await;
    let app = app::get(&mut conn, app).await.unwrap();
    crate::support::instance(&mut conn, staging, "planned").await;
    assert!(look(&mut conn, &app, staging, 3).await.is_none(), "nothing is deployed");
    let target = deployed(&mut conn, staging, "restapi").await;
    let inspection = look(&mut conn, &app, staging, 4).await.unwrap();
    assert_eq!(
        (inspection.purpose, inspection.event, &inspection.source.commit),
        (Purpose::Inspect, BuildEvent::Schedule, &sha('a'))
    );
    let jobs = job::list(&mut conn, inspection.id).await.unwrap();
    let [look_job] = &jobs[..] else { panic!("one job: {jobs:?}") };
    assert_eq!((look_job.kind, look_job.instance_id), (JobKind::Drift, Some(target)));

    // neither supersedes the other, and the deploy is what the stage shows and is removed by
    let first = build::get(&mut conn, first).await.unwrap();
    assert_eq!(first.superseded_by, None);
    crate::support::build(&mut conn, app.id, staging).await;
    build::supersede(&mut conn, staging, 100, 100, None, at(5)).await.unwrap();
    let untouched = build::get(&mut conn, inspection.id).await.unwrap();
    assert_eq!(untouched.superseded_by, None);
    let latest = look(&mut conn, &app, staging, 6).await.unwrap();
    let newest = build::latest_on(&mut conn, staging).await.unwrap().unwrap();
    assert!(newest.number < latest.number);
    let unfinished = build::unfinished_on(&mut conn, staging).await.unwrap();
    assert!(unfinished.iter().all(|build| build.purpose == Purpose::Deploy), "{unfinished:?}");
    let row = board::rows(&mut conn, None).await.unwrap().remove(0);
    assert_eq!(row.last_build.unwrap().number, newest.number);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn looks_are_listed_only_when_they_are_asked_for(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, staging, first) = world(&mut conn).await;
    let app = app::get(&mut conn, app).await.unwrap();
    deployed(&mut conn, staging, "restapi").await;
    let inspection = look(&mut conn, &app, staging, 3).await.unwrap();
    let mut listed = async |purpose| {
        let filter = BuildFilter { purpose, limit: 10, ..BuildFilter::default() };
        let found = build::list(&mut conn, &filter).await.unwrap();
        found.into_iter().map(|build| build.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(None).await, [first]);
    assert_eq!(listed(Some(Purpose::Inspect)).await, [inspection.id]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn only_the_newest_looks_of_a_stage_are_kept(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, staging, first) = world(&mut conn).await;
    let app = app::get(&mut conn, app).await.unwrap();
    deployed(&mut conn, staging, "restapi").await;
    let mut made = Vec::new();
    for seconds in 3..8 {
        let inspection = look(&mut conn, &app, staging, seconds).await.unwrap();
        made.push(inspection.id);
    }
    // the oldest goes on still
    for done in &made[1..] {
        build::finish(&mut conn, *done, BuildOutcome::Succeeded, None, at(9)).await.unwrap();
    }
    let going_on = build::inspecting(&mut conn, app.id, Some(staging)).await.unwrap();
    assert_eq!(going_on, Some(build::get(&mut conn, made[0]).await.unwrap().number));
    assert_eq!(build::inspecting(&mut conn, app.id, None).await.unwrap(), None);
    assert_eq!(build::forget_inspections(&mut conn, 2, 10).await.unwrap(), 2);
    assert_eq!(build::forget_inspections(&mut conn, 2, 10).await.unwrap(), 0);
    for kept in [first, made[0], made[3], made[4]] {
        build::get(&mut conn, kept).await.unwrap();
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_with_stacks_says_when_it_was_looked_at(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, staging, _) = world(&mut conn).await;
    let app = app::get(&mut conn, app).await.unwrap();
    assert!(build::inspected(&mut conn).await.unwrap().is_empty(), "nothing is deployed");
    deployed(&mut conn, staging, "restapi").await;
    let found = build::inspected(&mut conn).await.unwrap();
    let [never] = &found[..] else { panic!("one stage: {found:?}") };
    assert_eq!((never.stage.id, never.inspected_at, never.inspecting), (staging, None, false));
    let inspection = look(&mut conn, &app, staging, 3).await.unwrap();
    let goes_on = build::inspected(&mut conn).await.unwrap().remove(0);
    assert_eq!((goes_on.inspected_at, goes_on.inspecting), (Some(at(3)), true));
    build::finish(&mut conn, inspection.id, BuildOutcome::Failed, None, at(4)).await.unwrap();
    assert!(!build::inspected(&mut conn).await.unwrap().remove(0).inspecting);
}

fn drifted(instance_id: InstanceId, seconds: i64, status: DriftStatus) -> Drift {
    let stacks = vec![StackDrift { stack: "restapi-staging".into(), status }];
    Drift { instance_id, looked_at: at(seconds), build_number: 2, stacks }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_newest_look_counts_until_a_deploy_succeeds(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, staging, _) = world(&mut conn).await;
    let target = deployed(&mut conn, staging, "restapi").await;
    let newer = drifted(target, 20, DriftStatus::Drifted { resources: Vec::new() });
    drift::put(&mut conn, &newer).await.unwrap();
    drift::put(&mut conn, &drifted(target, 10, DriftStatus::InSync)).await.unwrap();
    assert_eq!(drift::of_stage(&mut conn, staging).await.unwrap(), [newer]);
    assert!(board::rows(&mut conn, None).await.unwrap()[0].instances[0].drifted);
    let gone = drifted(target, 30, DriftStatus::Deleted);
    drift::put(&mut conn, &gone).await.unwrap();
    assert!(board::rows(&mut conn, None).await.unwrap()[0].instances[0].drifted);
    let unknown = DriftStatus::NotChecked { reason: "denied".into() };
    drift::put(&mut conn, &drifted(target, 40, unknown)).await.unwrap();
    assert!(!board::rows(&mut conn, None).await.unwrap()[0].instances[0].drifted);
    drift::clear(&mut conn, target).await.unwrap();
    assert!(drift::of_stage(&mut conn, staging).await.unwrap().is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_sweep_is_of_every_region_that_a_profile_uses_or_has_used(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, staging, _) = world(&mut conn).await;
    let app = app::get(&mut conn, app).await.unwrap();
    crate::support::instance_in(&mut conn, staging, "restapi", "eu-west-1").await;
    let (name, profile) = app.settings.profiles.first_key_value().unwrap();
    let regions = order::regions(&mut conn, &app, name).await.unwrap();
    assert_eq!(regions, BTreeSet::from([region("eu-west-1"), region("us-east-1")]));
    let order = order::sweep(&mut conn, &app, (name, profile), regions, SERVER, moment(3));
    let inspection = order.await.unwrap();
    assert_eq!((inspection.stage_id, inspection.source.commit.is_zero()), (None, true));
    let jobs = job::list(&mut conn, inspection.id).await.unwrap();
    let regions = vec![region("eu-west-1"), region("us-east-1")];
    let work = Work::Sweep { profile: name.clone(), regions };
    assert_eq!((jobs[0].kind, jobs[0].work.as_ref()), (JobKind::Sweep, Some(&work)));
    let ordered = sweep::ordered(&mut conn).await.unwrap();
    let place = ("111111111111".to_owned(), region("eu-west-1"));
    assert_eq!((ordered.len(), ordered.get(&place)), (2, Some(&at(3))));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_look_at_an_instance_waits_for_the_change_that_goes_on(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, staging, first) = world(&mut conn).await;
    let app = app::get(&mut conn, app).await.unwrap();
    let target = deployed(&mut conn, staging, "restapi").await;
    let deploy = crate::support::job(&mut conn, first, JobKind::Deploy, Some(target)).await;
    let running = crate::support::claim(&mut conn).await.unwrap();
    assert_eq!(running.id, deploy);
    instance::set_running(&mut conn, target, InstanceState::Deploying, at(3)).await.unwrap();
    look(&mut conn, &app, staging, 4).await.unwrap();
    assert!(crate::support::claim(&mut conn).await.is_none());
}
