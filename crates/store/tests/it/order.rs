//! Orders: what a build carries, what a removal does, and whose stages stay untouched.

use std::collections::BTreeSet;

use model::app::PreviewDeploy;
use model::build::{BuildEvent, Purpose, Source};
use model::job::{JobKind, JobState};
use model::pipeline::{Dependency, Service};
use model::stage::{StageKind, StageState};
use model::worker_api::RemoveHow;
use model::{InstanceId, StageId};
use sqlx::{PgConnection, PgPool};
use store::app::App;
use store::order::{self, Moment, Order, Removal, RemovalWanted};
use store::{Error, build, instance, job, stage};

use crate::support::{self, at, id, instance_in, new_stage, region, service, settings, sha};

fn moment() -> Moment<'static> {
    Moment { now: at(1), ids: &id }
}

fn by_hand() -> RemovalWanted<'static> {
    RemovalWanted::by_hand(RemoveHow::Careful)
}

async fn app(conn: &mut PgConnection) -> App {
    let settings = settings("workshop", "acme/workshop");
    let id = store::app::put(conn, model::AppId(id()), &settings, at(0)).await.unwrap();
    store::app::get(conn, id).await.unwrap()
}

fn wanted(app: &App, stage: StageId) -> Order<'_> {
    Order {
        app,
        event: BuildEvent::Push,
        purpose: Purpose::Deploy,
        stage: Some(stage),
        source: Source {
            commit: sha('a'),
            branch: None,
            tag: None,
            pull_request: None,
            title: "Say hello".into(),
            author: "octocat".into(),
        },
        forced: false,
        services: None,
        preview_deploy: PreviewDeploy::default(),
        delivery: Some("guid"),
    }
}

async fn a_stage(conn: &mut PgConnection, app: &App, name: &str, kind: StageKind) -> StageId {
    let new = new_stage(app.id, name, kind);
    stage::insert(conn, &new).await.unwrap();
    new.id
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_build_keeps_what_its_rule_is_for(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let preview = a_stage(&mut conn, &app, "feature-x", StageKind::Preview).await;
    let services: BTreeSet<_> = ["tasks", "restapi"].map(|name| name.parse().unwrap()).into();
    let order = Order {
        services: Some(services.clone()),
        preview_deploy: PreviewDeploy::All,
        ..wanted(&app, preview)
    };
    let made = order::build(&mut conn, order, moment()).await.unwrap();
    assert_eq!((&made.services, made.preview_deploy), (&Some(services), PreviewDeploy::All));
    let jobs = job::list(&mut conn, made.id).await.unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!((jobs[0].kind, &jobs[0].work), (JobKind::Plan, &None));

    let by_hand = Order { event: BuildEvent::Manual, delivery: None, ..wanted(&app, preview) };
    let newer = order::build(&mut conn, by_hand, moment()).await.unwrap();
    assert_eq!((&newer.services, newer.preview_deploy), (&None, PreviewDeploy::Changed));
    let by_rule = build::latest_by_rule(&mut conn, preview).await.unwrap().unwrap();
    assert_eq!(by_rule.id, made.id, "what a person asked for is not what the rules say");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_preview_never_takes_a_personal_stages_name(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    a_stage(&mut conn, &app, "Alice", StageKind::Personal).await;
    let preview = support::preview(&mut conn, &app, "alice", None, moment()).await;
    assert_ne!(preview.name.as_str().to_lowercase(), "alice");
    assert!(preview.name.as_str().starts_with("alice-"), "{}", preview.name);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn no_rule_builds_into_a_personal_stage_and_no_webhook_removes_it(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let alice = a_stage(&mut conn, &app, "alice", StageKind::Personal).await;
    let name = "alice".parse().unwrap();
    let refused = order::long_lived(&mut conn, &app, &name, moment()).await;
    let Err(Error::NotAllowed(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("personal stage"), "{why}");

    order::build(&mut conn, wanted(&app, alice), moment()).await.unwrap();
    let row = stage::get(&mut conn, alice).await.unwrap();
    let event = BuildEvent::BranchDeleted;
    let refused =
        order::removal(&mut conn, &app, &row, RemovalWanted::by(event, "guid-2"), moment()).await;
    assert!(matches!(refused, Err(Error::NotAllowed(_))), "{refused:?}");
    assert_eq!(stage::get(&mut conn, alice).await.unwrap().state, StageState::Active);
    let by_hand = order::removal(&mut conn, &app, &row, by_hand(), moment()).await;
    assert!(matches!(by_hand, Ok(Removal::Ordered(_))), "{by_hand:?}");
}

async fn standing(conn: &mut PgConnection, stage: StageId, spec: &Service, place: &str) {
    let id =
        instance::ensure(conn, InstanceId(id()), stage, &spec.name, &region(place), spec, at(0))
            .await
            .unwrap();
    instance::failed(conn, id, "half of it is there", at(1)).await.unwrap();
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_removal_takes_each_region_and_dependents_first(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let preview = a_stage(&mut conn, &app, "feature-x", StageKind::Preview).await;
    order::build(&mut conn, wanted(&app, preview), moment()).await.unwrap();
    let database = service("database");
    let mut restapi = service("restapi");
    restapi.depends_on = vec![Dependency::declared(database.name.clone())];
    standing(&mut conn, preview, &database, "us-east-1").await;
    standing(&mut conn, preview, &restapi, "us-east-1").await;
    standing(&mut conn, preview, &restapi, "eu-west-1").await;
    instance_in(&mut conn, preview, "tasks", "us-east-1").await;
    let row = stage::get(&mut conn, preview).await.unwrap();
    let event = BuildEvent::BranchDeleted;
    let made =
        order::removal(&mut conn, &app, &row, RemovalWanted::by(event, "guid-2"), moment()).await;
    let Ok(Removal::Ordered(made)) = made else { panic!("{made:?}") };
    let jobs = job::list(&mut conn, made.id).await.unwrap();
    let place = |job: &job::Job| {
        format!("{} in {}", job.service.clone().unwrap(), job.region.clone().unwrap())
    };
    assert_eq!(
        jobs.iter().map(place).collect::<Vec<_>>(),
        ["restapi in eu-west-1", "restapi in us-east-1", "database in us-east-1"],
        "what was only planned is not removed"
    );
    let states: Vec<_> = jobs.iter().map(|job| job.state.clone()).collect();
    assert_eq!(states[2], JobState::Blocked);
    assert_eq!(jobs[2].needs, [jobs[0].id, jobs[1].id]);
    assert!(jobs.iter().all(|job| job.work.as_ref().unwrap().service().is_some()));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_whose_services_depend_on_each_other_is_removed_side_by_side(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let preview = a_stage(&mut conn, &app, "feature-x", StageKind::Preview).await;
    order::build(&mut conn, wanted(&app, preview), moment()).await.unwrap();
    for (name, other) in [("one", "two"), ("two", "one")] {
        let mut spec = service(name);
        spec.depends_on = vec![Dependency::declared(other.parse().unwrap())];
        standing(&mut conn, preview, &spec, "us-east-1").await;
    }
    let row = stage::get(&mut conn, preview).await.unwrap();
    let made = order::removal(&mut conn, &app, &row, by_hand(), moment()).await;
    let Ok(Removal::Ordered(made)) = made else { panic!("{made:?}") };
    let jobs = job::list(&mut conn, made.id).await.unwrap();
    assert_eq!(jobs.len(), 2);
    assert!(jobs.iter().all(|job| job.state == JobState::Queued { attempt: 1 }));
}
