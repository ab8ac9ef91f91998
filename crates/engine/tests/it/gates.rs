//! Deploys wait at the gate of their stage: for an approval of exactly what they would deploy, and
//! while the stage is frozen.

use chrono::{DateTime, TimeDelta, Utc};
use model::approval::ApprovalState;
use model::build::BuildOutcome;
use model::change_set::{Effect, ResourceChange, StackChange, StackChangeKind};
use model::freeze::Frozen;
use model::job::{JobKind, JobState, Outcome};
use model::plan::Findings;
use model::stage::StageKind;
use model::worker_api::{JobResult, Packaged, StoredArtifact};
use model::{ArtifactId, BuildId, StageId};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::approval::{Answer, Kept};
use store::artifact::NewArtifact;
use store::build::BuildState;
use store::job::Job;
use store::order::Order;

use crate::support::{World, file, name, service, workshop};

/// The workshop, with somebody who approves what goes to prod.
fn guarded() -> Value {
    let mut file = file();
    file["stages"]["prod"]["approvers"] = json!(["ann"]);
    file
}

/// Two services that do not know each other.
pub(crate) fn pair() -> Findings {
    Findings { services: vec![service("database"), service("restapi")], ..Findings::default() }
}

/// Does a package job: its artifact, and what it would change.
async fn package(world: &World, job: &Job) {
    assert_eq!(job.kind, JobKind::Package, "{}", name(job));
    let (service, region) = (job.service.clone().unwrap(), job.region.clone().unwrap());
    let build = world.build(job.build_id).await;
    let digest = format!("{service}-of-{}", build.source.commit.short());
    let artifact = NewArtifact {
        id: ArtifactId(job.id.0),
        job_id: job.id,
        build_id: job.build_id,
        service: service.clone(),
        stage_id: build.stage_id.unwrap(),
        region: region.clone(),
        digest: digest.clone(),
        size_bytes: 1,
        key_id: "key".into(),
        parameters_digest: None,
        created_at: DateTime::UNIX_EPOCH,
    };
    store::artifact::insert(&mut *world.conn().await, &artifact).await.unwrap();
    let change = StackChange {
        stack: format!("{service}-prod"),
        kind: StackChangeKind::Update,
        changes: vec![ResourceChange {
            logical_id: "Table".into(),
            physical_id: None,
            resource_type: "AWS::DynamoDB::Table".into(),
            effect: Effect::Replaced,
            because: Vec::new(),
        }],
        note: None,
    };
    let package = Packaged {
        artifact: StoredArtifact { digest, size_bytes: 1 },
        stage: build.stage.unwrap(),
        region,
        change: vec![change],
        findings: Vec::new(),
        found: std::collections::BTreeMap::new(),
    };
    world.end(job, &Outcome::Succeeded, Some(&JobResult::Packaged { package })).await;
}

/// Does the packages that may be done now; how many they were.
async fn packages(world: &World) -> usize {
    let mut done = 0;
    while let Some(job) = world.claim().await {
        package(world, &job).await;
        done += 1;
    }
    done
}

/// A build of prod that is packaged as far as it can be.
pub(crate) async fn waiting(
    world: &World,
    prod: StageId,
    commit: char,
    findings: Findings,
) -> BuildId {
    waiting_with(world, world.order(prod, commit), findings).await
}

/// The same of any order.
pub(crate) async fn waiting_with(world: &World, order: Order<'_>, findings: Findings) -> BuildId {
    let build = world.planned(order, findings).await;
    packages(world).await;
    build
}

async fn questions(world: &World, build: BuildId) -> Vec<Kept> {
    store::approval::of_build(&mut *world.conn().await, build).await.unwrap()
}

async fn newest(world: &World, build: BuildId) -> Kept {
    questions(world, build).await.pop().expect("a question")
}

/// The states of the build's deploys, by service.
async fn deploys(world: &World, build: BuildId) -> Vec<String> {
    let jobs = world.jobs(build).await;
    jobs.into_iter().filter_map(|job| Some(job.strip_prefix("deploy of ")?.to_owned())).collect()
}

/// As the API does it.
pub(crate) async fn approve(world: &World, build: BuildId, overriding: bool) {
    let kept = newest(world, build).await;
    let mut conn = world.conn().await;
    let now = world.now();
    if kept.approval.state == ApprovalState::Waiting {
        let state = ApprovalState::Approved;
        let answer = Answer { state, by: Some("ann"), reason: None };
        store::approval::answer(&mut conn, kept.id, answer, now).await.unwrap();
    }
    if overriding {
        store::approval::override_freeze(&mut conn, kept.id, "ann", now).await.unwrap();
    }
    store::build::mark_dirty(&mut conn, build).await.unwrap();
    drop(conn);
    world.settle().await;
}

async fn freeze(world: &World, stage: StageId, until: Option<DateTime<Utc>>) {
    let frozen =
        Frozen { reason: "an incident".into(), by: "bob".into(), since: world.now(), until };
    store::freeze::put(&mut *world.conn().await, stage, &frozen).await.unwrap();
    world.settle().await;
}

async fn unfreeze(world: &World, stage: StageId) {
    assert!(store::freeze::end(&mut *world.conn().await, stage).await.unwrap());
    world.settle().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_with_approvers_asks_once_all_of_the_build_is_packaged(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::with(options, &guarded()).await;
    let prod = world.stage("prod", StageKind::LongLived).await;
    let build = world.planned(world.order(prod, 'a'), pair()).await;
    let first = world.claim().await.unwrap();
    package(&world, &first).await;
    assert_eq!(questions(&world, build).await, []);
    assert_eq!(world.build(build).await.state, BuildState::Running);

    assert_eq!(packages(&world).await, 1);
    assert_eq!(world.build(build).await.state, BuildState::Waiting);
    assert_eq!(deploys(&world, build).await, ["database: waiting", "restapi: waiting"]);
    let asked = newest(&world, build).await.approval;
    assert_eq!(asked.state, ApprovalState::Waiting);
    let shown: Vec<_> = asked.ask.services.iter().map(|one| one.artifact.as_deref()).collect();
    assert_eq!(shown, [Some("database-of-aaaaaaa"), Some("restapi-of-aaaaaaa")]);
    assert_eq!(asked.ask.services[0].change[0].changes[0].effect, Effect::Replaced);

    approve(&world, build, false).await;
    assert_eq!(world.build(build).await.state, BuildState::Running);
    assert_eq!(world.work_all("v1").await, ["deploy of database", "deploy of restapi"]);
    assert_eq!(world.build(build).await.outcome, Some(BuildOutcome::Succeeded));
    assert_eq!(questions(&world, build).await.len(), 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_packaged_only_after_a_deploy_is_asked_about_by_itself(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::with(options, &guarded()).await;
    let prod = world.stage("prod", StageKind::LongLived).await;
    let findings = Findings { services: workshop(), ..Findings::default() };
    let build = waiting(&world, prod, 'a', findings).await;
    assert_eq!(newest(&world, build).await.approval.ask.services.len(), 1);
    approve(&world, build, false).await;
    assert_eq!(world.work("v1").await.as_deref(), Some("deploy of database"));

    assert_eq!(packages(&world).await, 2);
    assert_eq!(
        deploys(&world, build).await,
        ["database: succeeded", "restapi: waiting", "tasks: waiting"]
    );
    let second = newest(&world, build).await.approval;
    assert_eq!((second.state, second.ask.services.len()), (ApprovalState::Waiting, 2));
    approve(&world, build, false).await;
    assert_eq!(world.work_all("v1").await.len(), 2);
    assert_eq!(world.build(build).await.outcome, Some(BuildOutcome::Succeeded));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_newer_push_makes_the_question_void(_pool: PgPoolOptions, options: PgConnectOptions) {
    let world = World::with(options, &guarded()).await;
    let prod = world.stage("prod", StageKind::LongLived).await;
    let old = waiting(&world, prod, 'a', pair()).await;
    let new = waiting(&world, prod, 'b', pair()).await;
    assert_eq!(world.build(old).await.outcome, Some(BuildOutcome::Superseded));
    let void = newest(&world, old).await.approval;
    assert_eq!(
        (void.state, void.reason.as_deref()),
        (ApprovalState::Void, Some("superseded by build 2"))
    );
    assert_eq!(newest(&world, new).await.approval.state, ApprovalState::Waiting);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_was_approved_and_never_deployed_is_void_after_a_newer_push(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::with(options, &guarded()).await;
    let prod = world.stage("prod", StageKind::LongLived).await;
    let old = waiting(&world, prod, 'a', pair()).await;
    freeze(&world, prod, None).await;
    approve(&world, old, false).await;
    assert_eq!(deploys(&world, old).await, ["database: waiting", "restapi: waiting"]);
    world.begin(world.order(prod, 'b')).await;
    let void = newest(&world, old).await.approval;
    assert_eq!((void.state, void.decided_by.as_deref()), (ApprovalState::Void, Some("ann")));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_build_that_nobody_approves_in_time_ends(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut file = guarded();
    file["stages"]["prod"]["approval_expires_after"] = json!("12h");
    let world = World::with(options, &file).await;
    let prod = world.stage("prod", StageKind::LongLived).await;
    let build = waiting(&world, prod, 'a', pair()).await;
    world.pass(TimeDelta::hours(11)).await;
    assert_eq!(world.build(build).await.state, BuildState::Waiting);
    world.pass(TimeDelta::hours(2)).await;
    let ended = world.build(build).await;
    assert_eq!(ended.outcome, Some(BuildOutcome::Canceled));
    assert!(ended.reason.unwrap().starts_with("nobody approved it until"));
    assert_eq!(newest(&world, build).await.approval.state, ApprovalState::Expired);
    assert_eq!(deploys(&world, build).await, ["database: canceled", "restapi: canceled"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_approval_counts_for_a_time_and_no_longer(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::with(options, &guarded()).await;
    let prod = world.stage("prod", StageKind::LongLived).await;
    let build = waiting(&world, prod, 'a', pair()).await;
    freeze(&world, prod, None).await;
    approve(&world, build, false).await;
    world.pass(TimeDelta::days(8)).await;
    let ended = world.build(build).await;
    assert_eq!(ended.outcome, Some(BuildOutcome::Canceled));
    assert!(ended.reason.unwrap().starts_with("the approval of ann expired at"));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn settings_without_approvers_let_go_what_waits(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::with(options, &guarded()).await;
    let prod = world.stage("prod", StageKind::LongLived).await;
    let build = waiting(&world, prod, 'a', pair()).await;
    world.put(&file()).await;
    assert_eq!(deploys(&world, build).await, ["database: queued", "restapi: queued"]);
    assert_eq!(newest(&world, build).await.approval.state, ApprovalState::Void);

    // and settings that name one stop what has not begun
    let first = world.claim().await.unwrap();
    world.put(&guarded()).await;
    assert_eq!(deploys(&world, build).await, ["database: running", "restapi: waiting"]);
    assert_eq!(newest(&world, build).await.approval.state, ApprovalState::Void, "one still runs");
    world.end(&first, &Outcome::Succeeded, None).await;
    let asked = newest(&world, build).await.approval;
    assert_eq!((asked.state, asked.ask.services.len()), (ApprovalState::Waiting, 1));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_freeze_holds_deploys_that_have_not_begun_until_it_ends(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let prod = world.stage("prod", StageKind::LongLived).await;
    let build = world.planned(world.order(prod, 'a'), pair()).await;
    let claimed = [world.claim().await.unwrap(), world.claim().await.unwrap()];
    for job in &claimed {
        package(&world, job).await;
    }
    let running = world.claim().await.unwrap();
    assert_eq!(running.kind, JobKind::Deploy);
    freeze(&world, prod, None).await;
    assert_eq!(deploys(&world, build).await, ["database: running", "restapi: waiting"]);
    assert_eq!(world.build(build).await.state, BuildState::Running);
    world.end(&running, &Outcome::Succeeded, None).await;
    assert_eq!(world.build(build).await.state, BuildState::Waiting);
    assert_eq!(newest(&world, build).await.approval.expires_at, None, "nobody is asked");
    world.pass(TimeDelta::days(30)).await;
    assert_eq!(world.build(build).await.state, BuildState::Waiting, "nothing expires");

    unfreeze(&world, prod).await;
    assert_eq!(deploys(&world, build).await, ["database: succeeded", "restapi: queued"]);
    assert_eq!(newest(&world, build).await.approval.state, ApprovalState::Void);
    world.work_all("v1").await;
    assert_eq!(world.build(build).await.outcome, Some(BuildOutcome::Succeeded));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_freeze_ends_by_itself_when_its_time_is_over(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let prod = world.stage("prod", StageKind::LongLived).await;
    freeze(&world, prod, Some(world.now() + TimeDelta::hours(2))).await;
    let build = waiting(&world, prod, 'a', pair()).await;
    assert_eq!(deploys(&world, build).await, ["database: waiting", "restapi: waiting"]);
    world.pass(TimeDelta::hours(1)).await;
    assert_eq!(deploys(&world, build).await, ["database: waiting", "restapi: waiting"]);
    world.pass(TimeDelta::hours(2)).await;
    assert_eq!(deploys(&world, build).await, ["database: queued", "restapi: queued"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_window_of_the_settings_stops_what_has_not_begun_when_it_begins(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    // the test's time begins on 2024-10-04
    let mut file = file();
    file["stages"]["prod"]["freeze"] = json!([
        { "time": "2024-10-04T03:00", "duration": "PT6H", "interval": "P1D", "reason": "night" },
    ]);
    let world = World::with(options, &file).await;
    let prod = world.stage("prod", StageKind::LongLived).await;
    let build = world.planned(world.order(prod, 'a'), pair()).await;
    let claimed = [world.claim().await.unwrap(), world.claim().await.unwrap()];
    for job in &claimed {
        package(&world, job).await;
    }
    assert_eq!(deploys(&world, build).await, ["database: queued", "restapi: queued"]);
    world.pass(TimeDelta::hours(4)).await;
    assert_eq!(deploys(&world, build).await, ["database: waiting", "restapi: waiting"]);
    world.pass(TimeDelta::hours(6)).await;
    assert_eq!(deploys(&world, build).await, ["database: queued", "restapi: queued"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn whoever_lets_a_build_through_a_freeze_does_not_let_it_through_the_next(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::with(options, &guarded()).await;
    let prod = world.stage("prod", StageKind::LongLived).await;
    freeze(&world, prod, None).await;
    let build = waiting(&world, prod, 'a', pair()).await;
    approve(&world, build, true).await;
    assert_eq!(deploys(&world, build).await, ["database: queued", "restapi: queued"]);
    freeze(&world, prod, None).await;
    assert_eq!(deploys(&world, build).await, ["database: waiting", "restapi: waiting"]);
    approve(&world, build, true).await;
    assert_eq!(world.work_all("v1").await.len(), 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_waits_stands_in_nobodys_way_and_is_not_deployed_over_what_came_after_it(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::with(options, &guarded()).await;
    let prod = world.stage("prod", StageKind::LongLived).await;
    let old = waiting(&world, prod, 'a', pair()).await;
    // a newer build of one service alone does not take the older one's place
    let mut order = world.order(prod, 'b');
    order.services = Some(["restapi".parse().unwrap()].into());
    let new = world.planned(order, pair()).await;
    packages(&world).await;
    assert_eq!(deploys(&world, old).await, ["database: waiting", "restapi: waiting"]);
    approve(&world, new, false).await;
    assert_eq!(world.work_all("v1").await, ["deploy of restapi"]);

    assert_eq!(deploys(&world, old).await, ["database: waiting", "restapi: unneeded"]);
    let asked = newest(&world, old).await.approval;
    assert_eq!((asked.state, asked.ask.services.len()), (ApprovalState::Waiting, 1));
    approve(&world, old, false).await;
    assert_eq!(world.work_all("v1").await, ["deploy of database"]);
    assert_eq!(world.build(old).await.outcome, Some(BuildOutcome::Succeeded));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_preview_has_no_gate(_pool: PgPoolOptions, options: PgConnectOptions) {
    let world = World::with(options, &guarded()).await;
    let preview = world.stage("login", StageKind::Preview).await;
    freeze(&world, preview, None).await;
    let build = world.planned(world.order(preview, 'a'), pair()).await;
    assert_eq!(world.work_all("v1").await.len(), 4);
    assert_eq!(world.build(build).await.outcome, Some(BuildOutcome::Succeeded));
    assert_eq!(questions(&world, build).await, []);
    let jobs = store::job::list(&mut *world.conn().await, build).await.unwrap();
    assert!(jobs.iter().all(|job| matches!(job.state, JobState::Finished(_))));
}
