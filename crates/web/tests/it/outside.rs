//! What somebody else did to a stack: told by a package job, judged by the rows, shown until a
//! deploy succeeds.

use model::deployment::InstanceState;
use model::job::{JobEvent, JobKind};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::job::{Story, succeeded};
use crate::page_scene::shown;
use crate::support::{Server, Worker, answer};

const STAGE: &str = "/api/v1/apps/workshop/stages/staging";
const STACK: &str = "restapi-staging";
const OURS: &str = "2026-01-01T08:00:00Z";
const LATER: &str = "2026-01-01T09:00:00Z";

/// A build whose deploy left the stack changed at [`OURS`].
async fn deployed<'a>(server: &'a Server, worker: &Worker<'_>) -> Story<'a> {
    let story = Story::planned(server).await;
    assert_eq!(story.package(worker).await, StatusCode::NO_CONTENT);
    let deploy = worker.job().await;
    let deployed = json!({ "kind": "deployed", "deployed": {
        "stacks": [STACK], "left_at": { STACK: OURS }, "outputs": {}, "endpoints": [],
    } });
    assert_eq!(worker.finish(&deploy, succeeded(), deployed).await, StatusCode::NO_CONTENT);
    story
}

/// The package job of a next build.
async fn packaging(story: &Story<'_>, worker: &Worker<'_>) -> Value {
    let test = worker.job().await;
    assert_eq!(worker.finish(&test, succeeded(), Value::Null).await, StatusCode::NO_CONTENT);
    story.queue("package").await;
    worker.job().await
}

/// Ends a package job that was refused, and found the stack changed at [`LATER`].
async fn refuse(worker: &Worker<'_>, package: &Value) {
    let outcome = json!({ "outcome": "failed", "kind": "safeguard", "message": "no such type" });
    let checked = json!({
        "kind": "checked",
        "change": [],
        "findings": [{
            "check": { "kind": "outside" }, "level": "warning",
            "place": "", "problem": "what the worker says", "remedy": "",
        }],
        "found": { STACK: { "found": "settled", "changed_at": LATER } },
    });
    assert_eq!(worker.finish(package, outcome, checked).await, StatusCode::NO_CONTENT);
}

/// What the engine does when a package failed.
async fn skip_deploy(story: &Story<'_>) {
    let (_, deploy) = story.jobs.iter().find(|(kind, _)| *kind == JobKind::Deploy).unwrap();
    let skipped = JobEvent::NeedsFailed { reason: "its package failed".into() };
    let mut conn = story.server.db.acquire().await.unwrap();
    store::job::transition(&mut conn, *deploy, &skipped, story.server.now()).await.unwrap();
}

async fn findings(story: &Story<'_>, build: i64) -> Value {
    let path = format!("/api/v1/apps/workshop/builds/{build}");
    let (_, build) = answer(story.server.get(&path).bearer_auth(&story.admin)).await;
    let jobs = build["jobs"].as_array().unwrap();
    let package = jobs.iter().find(|job| job["kind"] == "package").unwrap();
    package["checks"]["findings"].clone()
}

async fn changed_outside(story: &Story<'_>) -> Value {
    let (_, shown) = answer(story.server.get(STAGE).bearer_auth(&story.admin)).await;
    shown["instances"][0]["changed_outside"].clone()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_change_by_somebody_else_is_shown_until_a_deploy_succeeds(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let first = deployed(&server, &worker).await;
    assert_eq!(changed_outside(&first).await, Value::Null);

    let second = Story::of(&server, first.admin.clone()).await;
    let package = packaging(&second, &worker).await;
    let left = json!({ "last": "deployed", "build": 1, "changed_at": { STACK: OURS } });
    assert_eq!(package["task"]["left"], left);
    refuse(&worker, &package).await;
    let outside = json!({
        "at": LATER, "build": 2, "reason": "stack restapi-staging was changed",
    });
    assert_eq!(changed_outside(&second).await, outside);
    let found = findings(&second, 2).await;
    assert_eq!(found[0]["check"], json!({ "kind": "outside" }), "{found}");
    assert_eq!(found[0]["place"], "stack restapi-staging");
    let problem = found[0]["problem"].as_str().unwrap();
    assert!(problem.contains("2026-01-01 09:00:00 UTC, after build 1 had deployed it"), "{found}");
    let page = shown(&server, "/apps/workshop/builds/2").await;
    assert!(page.contains("a change outside Greenroom, at <code>stack restapi-staging"), "{page}");
    let page = shown(&server, "/apps/workshop/stages/staging").await;
    let seen = "seen by <a href=\"/apps/workshop/builds/2\">build 2</a>: stack restapi-staging was";
    assert!(page.contains("Changed outside Greenroom") && page.contains(seen), "{page}");
    let badge = "</svg>changed outside</span>";
    assert!(shown(&server, "/").await.contains(badge));

    skip_deploy(&second).await;
    let third = Story::of(&server, first.admin.clone()).await;
    assert_eq!(third.deploy(&worker, json!({})).await, StatusCode::NO_CONTENT);
    assert_eq!(changed_outside(&third).await, Value::Null);
    assert!(!shown(&server, "/").await.contains(badge));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_deploy_of_ours_that_began_while_a_worker_looked_is_nobody_elses(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let first = deployed(&server, &worker).await;
    let second = Story::of(&server, first.admin.clone()).await;
    let package = packaging(&second, &worker).await;
    let mut conn = server.db.acquire().await.unwrap();
    let build = store::build::get(&mut conn, second.build).await.unwrap();
    let instances = store::instance::list(&mut conn, build.stage_id.unwrap()).await.unwrap();
    let (id, now) = (instances[0].id, server.now());
    store::instance::set_running(&mut conn, id, InstanceState::Deploying, now).await.unwrap();
    refuse(&worker, &package).await;
    assert_eq!(changed_outside(&second).await, Value::Null);
    assert_eq!(findings(&second, 2).await, json!([]));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn after_a_deploy_that_failed_a_package_is_told_until_when_changes_may_be_ours(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let first = deployed(&server, &worker).await;
    let second = Story::of(&server, first.admin.clone()).await;
    assert_eq!(second.package(&worker).await, StatusCode::NO_CONTENT);
    let deploy = worker.job().await;
    let outcome = json!({ "outcome": "failed", "kind": "aws", "message": "rolled back" });
    assert_eq!(worker.finish(&deploy, outcome, Value::Null).await, StatusCode::NO_CONTENT);

    let third = Story::of(&server, first.admin.clone()).await;
    let package = packaging(&third, &worker).await;
    let left = &package["task"]["left"];
    assert_eq!((&left["last"], &left["stacks"]), (&json!("failed"), &json!([STACK])));
    assert_eq!(left["at"], json!(server.now()));
}
