//! How far a build's jobs are: against their history, in resources, in the queue.

use chrono::TimeDelta;
use model::permission::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::job::{Story, succeeded};
use crate::page_scene::shown;
use crate::support::{Server, Worker, answer};

const OTHER: &str = "2222222222222222222222222222222222222222";
const FIRST: &str = "/apps/workshop/builds/1";
const SECOND: &str = "/apps/workshop/builds/2";

/// A build whose test took two minutes; then a second one, whose test begins.
async fn a_test_that_usually_takes_two_minutes<'a>(
    server: &'a Server,
    worker: &Worker<'_>,
) -> (Story<'a>, Value) {
    let first = Story::planned(server).await;
    let test = worker.job().await;
    server.pass(TimeDelta::minutes(2));
    assert_eq!(worker.finish(&test, succeeded(), Value::Null).await, StatusCode::NO_CONTENT);
    first.conclude().await;
    let second = Story::at(server, first.admin, OTHER).await;
    let test = worker.job().await;
    (second, test)
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_running_job_shows_what_is_left_and_then_by_how_much_it_is_late(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let (_story, test) = a_test_that_usually_takes_two_minutes(&server, &worker).await;

    server.pass(TimeDelta::seconds(60));
    let page = shown(&server, SECOND).await;
    assert!(page.contains("<span class=\"run\">about 60 s left</span>"), "{page}");
    assert!(page.contains("aria-label=\"60 s of the usual 2 min\""), "{page}");

    server.pass(TimeDelta::seconds(90));
    let page = shown(&server, SECOND).await;
    assert!(page.contains("<span class=\"over\">30 s over the usual 2 min</span>"), "{page}");
    assert!(page.contains("<rect class=\"bar over\""), "{page}");

    assert_eq!(worker.finish(&test, succeeded(), Value::Null).await, StatusCode::NO_CONTENT);
    let page = shown(&server, SECOND).await;
    let (_, jobs) = page.split_once("id=\"jobs\"").unwrap();
    assert!(!jobs.contains("over the usual"), "what has ended is not late: {page}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn resources_are_told_by_the_attempt_that_holds_the_job_and_shown(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let story = Story::planned(&server).await;
    let worker = server.worker("one").await;
    assert_eq!(story.package(&worker).await, StatusCode::NO_CONTENT);
    let deploy = worker.job().await;
    let so_far = json!({ "done": 12, "total": 30, "doing": "creating Table" });
    let tell = |attempt: i32, what: &Value| {
        answer(worker.call(&deploy, &format!("progress?attempt={attempt}")).json(what))
    };
    assert_eq!(tell(1, &so_far).await.0, StatusCode::NO_CONTENT);
    assert_eq!(tell(2, &so_far).await.0, StatusCode::CONFLICT);
    let too_many = json!({ "done": 31, "total": 30, "doing": null });
    assert_eq!(tell(1, &too_many).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let long = json!({ "done": 1, "total": 30, "doing": "x".repeat(500) });
    assert_eq!(tell(1, &long).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let call = format!("/worker/v1/jobs/{}/progress?attempt=1", deploy["job"].as_str().unwrap());
    let viewer = server.token(Role::Viewer).await;
    let (status, _) = answer(server.post(&call).bearer_auth(viewer).json(&so_far)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);

    let page = shown(&server, FIRST).await;
    assert!(page.contains("<p class=\"sub\">12/30 resources, creating Table</p>"), "{page}");
    assert!(page.contains(">12/30 creating Table</text>"), "{page}");
    let view = server.get(&format!("/api/v1{FIRST}")).bearer_auth(&story.admin);
    let (_, build) = answer(view).await;
    let of = |kind: &str| {
        let jobs = build["jobs"].as_array().unwrap();
        jobs.iter().find(|job| job["kind"] == kind).unwrap()["progress"].clone()
    };
    assert_eq!((of("deploy"), of("package")), (so_far.clone(), Value::Null));

    let failed = json!({ "outcome": "failed", "kind": "aws", "message": "no more tables" });
    assert_eq!(worker.finish(&deploy, failed, Value::Null).await, StatusCode::NO_CONTENT);
    let page = shown(&server, FIRST).await;
    assert!(page.contains("12 of 30 resources were done"), "{page}");
    assert_eq!(tell(1, &so_far).await.0, StatusCode::CONFLICT);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_open_page_hears_of_progress(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let story = Story::planned(&server).await;
    let worker = server.worker("one").await;
    assert_eq!(story.package(&worker).await, StatusCode::NO_CONTENT);
    let deploy = worker.job().await;
    let page = shown(&server, FIRST).await;
    let (_, rest) = page.split_once("data-events=\"").unwrap();
    let (events, _) = rest.split_once('"').unwrap();
    let mut stream = server.get(&events.replace("&#38;", "&")).send().await.unwrap();
    let so_far = json!({ "done": 1, "total": 2, "doing": null });
    let told = worker.call(&deploy, "progress?attempt=1").json(&so_far).send().await.unwrap();
    assert_eq!(told.status(), StatusCode::NO_CONTENT);
    let mut seen = String::new();
    while !seen.contains("event: changed") {
        let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
        seen.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_job_that_is_due_says_what_it_waits_for(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let first = Story::planned(&server).await;
    let page = shown(&server, FIRST).await;
    assert!(page.contains("<p class=\"sub\">next in the queue</p>"), "{page}");
    Story::build(&server, &first.admin).await;
    let page = shown(&server, SECOND).await;
    assert!(page.contains("1 job is before it in the queue"), "{page}");
    server.pass(TimeDelta::minutes(5));
    let page = shown(&server, SECOND).await;
    assert!(page.contains("no worker is connected"), "{page}");
}
