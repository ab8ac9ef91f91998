//! What the tests share: a clock that stands still, ids in order, and rows to begin with.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Duration, Utc};
use model::app::{PreviewDeploy, Settings};
use model::build::{BuildEvent, Purpose, Source};
use model::job::JobKind;
use model::pipeline::{Framework, Service, Step};
use model::plan::Condition;
use model::rule::Preview;
use model::stage::StageKind;
use model::{AppId, BuildId, InstanceId, JobId, Region, StageId, WorkerId};
use sqlx::PgConnection;
use store::app::App;
use store::build::NewBuild;
use store::job::{NewJob, NewJobState, Work};
use store::order::{Moment, Place, PreviewWanted};
use store::stage::{NewStage, Stage};
use uuid::Uuid;

/// Ids that sort in the order in which they were made, as version 7 ones do.
pub(crate) fn id() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u128(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)) << 64)
}

/// A moment, so many seconds after the beginning of the test's time.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::days(20_000) + Duration::seconds(seconds)
}

pub(crate) fn sha(digit: char) -> model::CommitSha {
    digit.to_string().repeat(40).parse().expect("a commit")
}

pub(crate) fn region(name: &str) -> Region {
    name.parse().expect("a region")
}

pub(crate) fn settings(app: &str, repository: &str) -> Settings {
    serde_json::from_value(serde_json::json!({
        "app": app,
        "repository": repository,
        "default_profile": "development",
        "profiles": { "development": {
            "role_arn": "arn:aws:iam::111111111111:role/greenroom-deploy",
            "region": "us-east-1",
        } },
        "stages": {},
        "rules": [],
    }))
    .expect("settings")
}

pub(crate) fn service(name: &str) -> Service {
    Service::new(name.parse().expect("a service"), name, Framework::Serverless)
}

pub(crate) async fn app(conn: &mut PgConnection) -> AppId {
    store::app::put(conn, AppId(id()), &settings("workshop", "acme/workshop"), at(0))
        .await
        .expect("an app")
}

pub(crate) fn new_stage(app: AppId, name: &str, kind: StageKind) -> NewStage {
    NewStage {
        id: StageId(id()),
        app_id: app,
        name: name.parse().expect("a stage"),
        kind,
        profile: "development".parse().expect("a profile"),
        branch: (kind == StageKind::Preview)
            .then(|| format!("feature/{name}").parse().expect("a branch")),
        pull_request: None,
        created_at: at(0),
    }
}

pub(crate) async fn stage(conn: &mut PgConnection, app: AppId, name: &str) -> StageId {
    let new = new_stage(app, name, StageKind::LongLived);
    store::stage::insert(conn, &new).await.expect("a stage");
    new.id
}

pub(crate) async fn new_build(conn: &mut PgConnection, app: AppId, stage: StageId) -> NewBuild {
    NewBuild {
        id: BuildId(id()),
        app_id: app,
        number: store::app::next_build_number(conn, app).await.expect("a number"),
        event: BuildEvent::Push,
        purpose: Purpose::Deploy,
        stage_id: Some(stage),
        source: Source {
            commit: sha('a'),
            branch: Some("master".parse().expect("a branch")),
            tag: None,
            pull_request: None,
            title: "Say hello".into(),
            author: "octocat".into(),
        },
        forced: false,
        services: None,
        preview_deploy: PreviewDeploy::default(),
        delivery_guid: None,
        created_at: at(0),
    }
}

pub(crate) async fn build(conn: &mut PgConnection, app: AppId, stage: StageId) -> BuildId {
    let new = new_build(conn, app, stage).await;
    store::build::insert(conn, &new).await.expect("a build");
    new.id
}

/// An app, a stage and a build of it.
pub(crate) async fn world(conn: &mut PgConnection) -> (AppId, StageId, BuildId) {
    let app = app(conn).await;
    let stage = stage(conn, app, "staging").await;
    let build = build(conn, app, stage).await;
    (app, stage, build)
}

pub(crate) async fn instance(conn: &mut PgConnection, stage: StageId, name: &str) -> InstanceId {
    instance_in(conn, stage, name, "us-east-1").await
}

pub(crate) async fn instance_in(
    conn: &mut PgConnection,
    stage: StageId,
    name: &str,
    place: &str,
) -> InstanceId {
    let (service, region) = (service(name), region(place));
    store::instance::ensure(conn, InstanceId(id()), stage, &service.name, &region, &service, at(0))
        .await
        .expect("an instance")
}

pub(crate) fn new_job(build: BuildId, kind: JobKind, instance: Option<InstanceId>) -> NewJob {
    let work = match kind {
        JobKind::Plan => None,
        JobKind::PostDeploy => Some(Work::Step(Step::new("./smoke-test"))),
        JobKind::Sweep => Some(Work::Sweep {
            profile: "development".parse().expect("a profile"),
            regions: vec![region("us-east-1")],
        }),
        JobKind::Test
        | JobKind::Package
        | JobKind::Deploy
        | JobKind::Remove
        | JobKind::Rollback
        | JobKind::Recover
        | JobKind::Foresee
        | JobKind::Drift => Some(Work::from(service("restapi"))),
    };
    let region = match kind {
        JobKind::Plan | JobKind::Test | JobKind::PostDeploy | JobKind::Sweep => None,
        JobKind::Package
        | JobKind::Deploy
        | JobKind::Remove
        | JobKind::Rollback
        | JobKind::Recover
        | JobKind::Foresee
        | JobKind::Drift => Some(region("us-east-1")),
    };
    NewJob {
        id: JobId(id()),
        build_id: build,
        kind,
        service: work.as_ref().and_then(Work::service).map(|service| service.name.clone()),
        region,
        instance_id: instance,
        work,
        needs: Vec::new(),
        condition: Condition::Always,
        state: NewJobState::Queued,
    }
}

/// A queued job.
pub(crate) async fn job(
    conn: &mut PgConnection,
    build: BuildId,
    kind: JobKind,
    instance: Option<InstanceId>,
) -> JobId {
    let new = new_job(build, kind, instance);
    store::job::insert(conn, std::slice::from_ref(&new), at(0)).await.expect("a job");
    new.id
}

/// Claims the next job until second 60.
pub(crate) async fn claim(conn: &mut PgConnection) -> Option<store::job::Job> {
    store::job::claim(conn, WorkerId(Uuid::from_u128(7)), at(60), at(10)).await.expect("a claim")
}

/// Takes the marks away; answers the builds that had one.
pub(crate) async fn settle(conn: &mut PgConnection) -> Vec<BuildId> {
    let dirty = store::build::take_dirty(conn, 100).await.expect("marked builds");
    dirty.into_iter().map(|build| build.id).collect()
}

/// The preview of a branch, for a pull request against master.
pub(crate) async fn preview(
    conn: &mut PgConnection,
    app: &App,
    branch: &str,
    pull_request: Option<i64>,
    moment: Moment<'_>,
) -> Stage {
    let preview = Preview::OfBranch(branch.parse().expect("a branch"));
    let base = "master".parse().expect("a branch");
    let wanted = PreviewWanted { preview: &preview, base: &base, pull_request };
    match store::order::preview(conn, app, wanted, moment).await.expect("a preview") {
        Place::Taken(stage) => *stage,
        Place::Full(limit) => panic!("the app has its {limit} previews"),
    }
}
