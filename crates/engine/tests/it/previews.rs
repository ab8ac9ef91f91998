//! The life of previews, as the events of pull requests and branches move it.

mod ends;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta};
use model::build::{BuildEvent, BuildOutcome, Purpose};
use model::job::{Failure, FailureKind, JobKind, Outcome};
use model::plan::Findings;
use model::stage::{StageKind, StageState};
use model::worker_api::JobResult;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::build::Build;
use store::delivery::NewDelivery;
use store::stage::Stage;

use crate::support::{World, file, service, sha};

/// A pull request as GitHub tells of it; each event of it is a second later than the last.
#[derive(Clone)]
pub(crate) struct Pull {
    number: u64,
    head: &'static str,
    base: &'static str,
    commit: char,
    draft: bool,
    second: i64,
}

impl Pull {
    pub(crate) fn new(number: u64, head: &'static str) -> Self {
        Self { number, head, base: "master", commit: 'a', draft: false, second: 0 }
    }

    fn event(&mut self, action: &str, changes: &Value) -> Value {
        self.second += 1;
        let repository = json!({ "id": 7, "full_name": "acme/workshop", "private": true });
        json!({
            "action": action,
            "number": self.number,
            "changes": changes,
            "pull_request": {
                "number": self.number,
                "title": "Say hello",
                "draft": self.draft,
                "updated_at": DateTime::UNIX_EPOCH + TimeDelta::seconds(self.second),
                "user": { "login": "ann" },
                "head": { "ref": self.head, "sha": sha(self.commit), "repo": repository },
                "base": { "ref": self.base, "sha": sha('0'), "repo": repository },
            },
            "repository": repository,
            "sender": { "login": "ann" },
        })
    }

    /// Something happens to it; answers what the server says of that.
    pub(crate) async fn does(&mut self, world: &World, action: &str) -> String {
        let event = self.event(action, &json!({}));
        deliver(world, "pull_request", &event).await
    }

    pub(crate) async fn pushed(&mut self, world: &World, commit: char) -> String {
        self.commit = commit;
        self.does(world, "synchronize").await
    }

    async fn rebased(&mut self, world: &World, base: &'static str) -> String {
        let changes = json!({ "base": { "ref": { "from": self.base } } });
        self.base = base;
        let event = self.event("edited", &changes);
        deliver(world, "pull_request", &event).await
    }
}

async fn deliver(world: &World, event: &str, body: &Value) -> String {
    let guid = (world.engine.ids)().to_string();
    let new = NewDelivery {
        guid: guid.clone(),
        event: event.into(),
        headers: json!({}),
        body: Bytes::from(body.to_string()),
        received_at: DateTime::UNIX_EPOCH,
    };
    store::delivery::insert(&mut *world.conn().await, &[new]).await.unwrap();
    world.settle().await;
    let done = store::delivery::find(&mut *world.conn().await, &guid).await.unwrap().unwrap();
    done.reason.unwrap_or_default()
}

pub(crate) async fn branch_deleted(world: &World, branch: &str) -> String {
    let body = json!({
        "ref": branch,
        "ref_type": "branch",
        "repository": { "id": 7, "full_name": "acme/workshop", "private": true },
        "sender": { "login": "ann" },
    });
    deliver(world, "delete", &body).await
}

pub(crate) async fn world(options: PgConnectOptions, rules: &Value, limit: Option<u16>) -> World {
    let mut file = file();
    file["rules"] = rules.clone();
    if let Some(limit) = limit {
        file["preview_limit"] = json!(limit);
    }
    World::with(options, &file).await
}

pub(crate) fn rule(more: &Value) -> Value {
    let mut preview = json!({ "base": ["master"], "destroy": "pull-request-closed" });
    for (key, value) in more.as_object().unwrap() {
        preview[key] = value.clone();
    }
    json!([{ "preview": preview }])
}

/// Does every job there is; each plan finds one service.
pub(crate) async fn work(world: &World) {
    while let Some(job) = world.claim().await {
        if job.kind == JobKind::Plan {
            let findings = Findings { services: vec![service("restapi")], ..Findings::default() };
            let planned = JobResult::Planned { findings };
            world.end(&job, &Outcome::Succeeded, Some(&planned)).await;
        } else {
            world.does(&job, "visits").await;
        }
    }
}

pub(crate) async fn fail(world: &World, why: &str) -> JobKind {
    let job = world.claim().await.unwrap();
    if job.kind == JobKind::Remove {
        let mut conn = world.conn().await;
        let now = world.now();
        store::instance::failed(&mut conn, job.instance_id.unwrap(), why, now).await.unwrap();
    }
    let failure = Failure { kind: FailureKind::Aws, message: why.into() };
    world.end(&job, &Outcome::Failed(failure), None).await;
    job.kind
}

async fn stages(world: &World) -> Vec<Stage> {
    let listed = store::stage::list(&mut *world.conn().await, world.app.id).await.unwrap();
    listed.into_iter().filter(|stage| stage.kind == StageKind::Preview).collect()
}

/// Each preview with its state: `x: active`.
async fn shown(world: &World) -> Vec<String> {
    let stages = stages(world).await;
    let mut shown: Vec<String> =
        stages.iter().map(|stage| format!("{}: {}", stage.name, stage.state.as_str())).collect();
    shown.sort();
    shown
}

async fn last(world: &World, stage: &Stage) -> Build {
    store::build::latest_on(&mut *world.conn().await, stage.id).await.unwrap().unwrap()
}

async fn number(world: &World, number: i64) -> Build {
    store::build::find(&mut *world.conn().await, world.app.id, number).await.unwrap().unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_newer_push_ends_the_tests_of_the_older_one_and_never_its_running_deploy(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = world(options, &rule(&json!({})), None).await;
    let mut pull = Pull::new(5, "x");
    pull.does(&world, "opened").await;
    let plan = world.claim().await.unwrap();
    let findings = Findings { services: vec![service("restapi")], ..Findings::default() };
    world.end(&plan, &Outcome::Succeeded, Some(&JobResult::Planned { findings })).await;
    let package = world.claim().await.unwrap();
    assert_eq!(package.kind, JobKind::Package);
    pull.pushed(&world, 'b').await;
    let asked = store::job::get(&mut *world.conn().await, package.id).await.unwrap();
    assert!(asked.cancel_requested_at.is_some(), "a running package is asked to end");
    let first = number(&world, 1).await;
    assert_eq!(first.superseded_by, Some(2));
    let canceled = Outcome::Canceled { reason: "superseded by build 2".into() };
    world.end(&package, &canceled, None).await;
    assert_eq!(number(&world, 1).await.outcome, Some(BuildOutcome::Superseded));

    // the next one has come as far as its deploy
    let plan = world.claim().await.unwrap();
    let findings = Findings { services: vec![service("restapi")], ..Findings::default() };
    world.end(&plan, &Outcome::Succeeded, Some(&JobResult::Planned { findings })).await;
    assert_eq!(world.work("visits").await.as_deref(), Some("package of restapi"));
    let deploy = world.claim().await.unwrap();
    assert_eq!(deploy.kind, JobKind::Deploy);
    pull.pushed(&world, 'c').await;
    let running = store::job::get(&mut *world.conn().await, deploy.id).await.unwrap();
    assert_eq!((running.state.as_str(), running.cancel_requested_at), ("running", None));
    world.does(&deploy, "visits").await;
    let second = number(&world, 2).await;
    assert_eq!((second.outcome, second.superseded_by), (Some(BuildOutcome::Succeeded), Some(3)));
    work(&world).await;
    let stage = stages(&world).await.remove(0);
    assert_eq!(world.instance(stage.id, "restapi").await.commit, Some(sha('c')));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_draft_gets_its_preview_when_it_is_ready_for_review(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = world(options, &rule(&json!({ "drafts": "ignore" })), None).await;
    let mut pull = Pull { draft: true, ..Pull::new(5, "x") };
    let said = pull.does(&world, "opened").await;
    assert!(said.starts_with("it is a draft"), "{said}");
    assert!(shown(&world).await.is_empty());
    pull.draft = false;
    let said = pull.does(&world, "ready_for_review").await;
    assert_eq!(said, "build 1 for the stage x");
    work(&world).await;
    pull.draft = true;
    pull.does(&world, "converted_to_draft").await;
    assert_eq!(shown(&world).await, ["x: active"]);
    pull.does(&world, "closed").await;
    work(&world).await;
    assert_eq!(shown(&world).await, ["x: closed"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_base_that_no_rule_is_for_takes_the_preview_away_and_one_that_has_a_rule_brings_it(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = world(options, &rule(&json!({ "destroy": "branch-deleted" })), None).await;
    let mut pull = Pull::new(5, "x");
    pull.does(&world, "opened").await;
    work(&world).await;
    let said = pull.rebased(&world, "elsewhere").await;
    assert_eq!(said, "build 2 removes the preview x");
    work(&world).await;
    assert_eq!(shown(&world).await, ["x: closed"]);
    assert_eq!(number(&world, 2).await.event, BuildEvent::PullRequest);
    let said = pull.rebased(&world, "master").await;
    assert_eq!(said, "build 3 for the stage x");
    work(&world).await;
    assert_eq!(shown(&world).await, ["x: active", "x: closed"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_preview_stays_for_as_long_as_an_open_pull_request_has_its_branch(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let rules = rule(&json!({ "base": ["master", "next"] }));
    let world = world(options, &rules, None).await;
    let (mut one, mut two) = (Pull::new(5, "x"), Pull { base: "next", ..Pull::new(6, "x") });
    one.does(&world, "opened").await;
    two.does(&world, "opened").await;
    work(&world).await;
    let said = two.does(&world, "closed").await;
    assert_eq!(said, "the preview x is kept: pull request #5 needs it");
    let stage = stages(&world).await.remove(0);
    assert_eq!((stage.state, stage.pull_request), (StageState::Active, Some(5)));
    let said = one.does(&world, "closed").await;
    assert_eq!(said, "build 3 removes the preview x");
    work(&world).await;
    assert_eq!(shown(&world).await, ["x: closed"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_branch_that_is_deleted_takes_its_preview_along_unless_its_own_rule_keeps_it(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let rules = json!([
        { "preview": { "base": ["master"] } },
        { "preview": { "base": ["next"], "destroy": "never" } },
    ]);
    let world = world(options, &rules, None).await;
    let (mut one, mut two) = (Pull::new(5, "x"), Pull { base: "next", ..Pull::new(6, "y") });
    one.does(&world, "opened").await;
    two.does(&world, "opened").await;
    work(&world).await;
    one.does(&world, "closed").await;
    assert_eq!(shown(&world).await, ["x: active", "y: active"]);
    assert_eq!(branch_deleted(&world, "x").await, "build 3 removes the preview x");
    let again = branch_deleted(&world, "x").await;
    assert_eq!(again, "the preview x is being removed already");
    let kept = branch_deleted(&world, "y").await;
    assert_eq!(kept, "the preview y is kept: its rule says destroy: never");
    work(&world).await;
    assert_eq!(shown(&world).await, ["x: closed", "y: active"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_pull_request_that_is_reopened_while_its_preview_is_removed_ends_deployed(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = world(options, &rule(&json!({})), None).await;
    let mut pull = Pull::new(5, "x");
    pull.does(&world, "opened").await;
    work(&world).await;

    // its removal was not begun: it is taken back
    pull.does(&world, "closed").await;
    pull.does(&world, "reopened").await;
    work(&world).await;
    assert_eq!(number(&world, 2).await.outcome, Some(BuildOutcome::Superseded));
    assert_eq!(shown(&world).await, ["x: active"]);

    // its removal runs: it comes to its end, and the preview is deployed again
    pull.does(&world, "closed").await;
    let removal = world.claim().await.unwrap();
    assert_eq!(removal.kind, JobKind::Remove);
    pull.does(&world, "reopened").await;
    let plan = world.claim().await.unwrap();
    assert_eq!(plan.kind, JobKind::Plan);
    let findings = Findings {
        services: vec![service("restapi")],
        changes: crate::support::changes(&[('a', &[])]),
        ..Findings::default()
    };
    world.end(&plan, &Outcome::Succeeded, Some(&JobResult::Planned { findings })).await;
    world.does(&removal, "visits").await;
    work(&world).await;
    let stage = stages(&world).await.remove(0);
    assert_eq!(stage.state, StageState::Active);
    let instance = world.instance(stage.id, "restapi").await;
    assert_eq!(instance.state.as_str(), "deployed", "unchanged, and yet deployed again");

    // its removal has ended: it is made anew
    pull.does(&world, "closed").await;
    work(&world).await;
    pull.does(&world, "reopened").await;
    work(&world).await;
    assert_eq!(shown(&world).await, ["x: active", "x: closed"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_event_that_was_lost_and_comes_late_does_nothing_any_more(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = world(options, &rule(&json!({})), None).await;
    let mut pull = Pull::new(5, "x");
    pull.does(&world, "opened").await;
    let lost = pull.event("closed", &json!({}));
    pull.does(&world, "reopened").await;
    work(&world).await;
    let said = deliver(&world, "pull_request", &lost).await;
    assert!(said.starts_with("it came late"), "{said}");
    assert_eq!(shown(&world).await, ["x: active"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn pull_requests_share_a_fixed_stage_which_goes_with_the_last_of_their_branches(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let rules = rule(&json!({ "stage_name": { "fixed": "review" }, "destroy": "branch-deleted" }));
    let world = world(options, &rules, None).await;
    let (mut one, mut two) = (Pull::new(5, "x"), Pull { commit: 'b', ..Pull::new(6, "y") });
    assert_eq!(one.does(&world, "opened").await, "build 1 for the stage review");
    assert_eq!(two.does(&world, "opened").await, "build 2 for the stage review");
    work(&world).await;
    assert_eq!(number(&world, 1).await.superseded_by, Some(2));
    let stage = stages(&world).await.remove(0);
    assert_eq!(world.instance(stage.id, "restapi").await.commit, Some(sha('b')));
    one.pushed(&world, 'c').await;
    work(&world).await;
    assert_eq!(world.instance(stage.id, "restapi").await.commit, Some(sha('c')));

    // closed, and its branch is still there
    one.does(&world, "closed").await;
    two.does(&world, "closed").await;
    assert_eq!(branch_deleted(&world, "y").await, "the branch y has no preview");
    assert_eq!(shown(&world).await, ["review: active"]);
    branch_deleted(&world, "x").await;
    work(&world).await;
    assert_eq!(shown(&world).await, ["review: closed"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_shared_stage_goes_with_the_last_open_pull_request_if_the_rule_says_so(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = world(options, &rule(&json!({ "stage_name": { "fixed": "review" } })), None).await;
    let (mut one, mut two) = (Pull::new(5, "x"), Pull::new(6, "y"));
    one.does(&world, "opened").await;
    two.does(&world, "opened").await;
    work(&world).await;
    let said = two.does(&world, "closed").await;
    assert_eq!(said, "the preview review is kept: pull request #5 needs it");
    one.does(&world, "closed").await;
    work(&world).await;
    assert_eq!(shown(&world).await, ["review: closed"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_pull_request_over_the_limit_is_tested_and_deployed_when_a_place_is_free(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = world(options, &rule(&json!({})), Some(1)).await;
    let (mut one, mut two, mut three) = (Pull::new(5, "x"), Pull::new(6, "y"), Pull::new(7, "z"));
    one.does(&world, "opened").await;
    let said = two.does(&world, "opened").await;
    assert!(said.starts_with("build 2, tests only: the app has as many previews"), "{said}");
    three.does(&world, "opened").await;
    work(&world).await;
    let tests = number(&world, 2).await;
    assert_eq!((tests.purpose, &tests.stage), (Purpose::Test, &None));
    assert!(tests.reason.unwrap().contains("preview_limit: 1"));
    assert_eq!(shown(&world).await, ["x: active"]);
    // a newer push is tested too, and keeps its turn
    two.pushed(&world, 'b').await;
    work(&world).await;
    assert_eq!(shown(&world).await, ["x: active"]);

    one.does(&world, "closed").await;
    assert_eq!(shown(&world).await, ["x: removing"], "its place is not free yet");
    work(&world).await;
    assert_eq!(shown(&world).await, ["x: closed", "y: active"]);
    let stages_now = stages(&world).await;
    let y = stages_now.iter().find(|stage| stage.name.as_str() == "y").unwrap();
    let build = last(&world, y).await;
    assert_eq!((build.event, build.source.commit), (BuildEvent::Schedule, sha('b')));
    assert_eq!(
        (build.source.pull_request, build.outcome),
        (Some(6), Some(BuildOutcome::Succeeded))
    );

    // one that is closed meanwhile waits no more
    three.does(&world, "closed").await;
    two.does(&world, "closed").await;
    work(&world).await;
    assert_eq!(shown(&world).await, ["x: closed", "y: closed"]);
}
