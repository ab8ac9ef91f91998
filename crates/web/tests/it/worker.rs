//! The worker API: claims, fencing, what a job may know, and what its end means.

use std::time::Duration;

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::job::{Story, succeeded};
use crate::support::{EMBEDDED, LEASE, Server, answer};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_job_is_claimed_once_and_a_waiting_claim_hears_of_a_new_one(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let worker = server.worker("one").await;
    assert_eq!(answer(worker.claim(0)).await.0, StatusCode::NO_CONTENT);
    let (claimed, _) = tokio::join!(answer(worker.claim(20)), Story::build(&server, &admin));
    assert_eq!(claimed.0, StatusCode::OK);
    assert_eq!(claimed.1["task"]["kind"], "plan");
    assert_eq!(claimed.1["attempt"], 1);
    assert_eq!(claimed.1["build_url"], "https://ci.example.com/apps/workshop/builds/1");
    assert_eq!(answer(worker.claim(0)).await.0, StatusCode::NO_CONTENT);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_slots_of_a_worker_do_not_wait_for_its_row_and_it_is_heard_of_all_the_same(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let mut conn = server.db.acquire().await.unwrap();
    let registered = store::worker::list(&mut conn).await.unwrap().remove(0);
    {
        let mut another = server.db.begin().await.unwrap();
        store::worker::seen(&mut another, registered.id, registered.seen_at).await.unwrap();
        let claimed = tokio::time::timeout(Duration::from_secs(10), answer(worker.claim(0))).await;
        assert_eq!(claimed.expect("it waits for the row").0, StatusCode::NO_CONTENT);
    }
    server.pass(TimeDelta::seconds(15));
    answer(worker.claim(0)).await;
    let heard = store::worker::list(&mut conn).await.unwrap().remove(0);
    assert_eq!(heard.seen_at - registered.seen_at, TimeDelta::seconds(15));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stale_attempt_is_answered_409_on_every_call(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let worker = server.worker("one").await;
    Story::build(&server, &admin).await;
    let job = worker.job().await;
    server.pass(LEASE + TimeDelta::seconds(1));
    {
        let mut conn = server.db.acquire().await.unwrap();
        store::job::expire(&mut conn, server.now(), 10).await.unwrap();
    }
    let again = worker.job().await;
    assert_eq!((&again["job"], &again["attempt"]), (&job["job"], &json!(2)));
    let held = json!({ "attempt": 1 });
    for call in ["heartbeat", "checkout", "credentials"] {
        assert_eq!(
            answer(worker.call(&job, call).json(&held)).await.0,
            StatusCode::CONFLICT,
            "{call}"
        );
    }
    let chunk = worker.call(&job, "log?attempt=1&seq=0").body("late");
    assert_eq!(answer(chunk).await.0, StatusCode::CONFLICT);
    assert_eq!(worker.finish(&job, succeeded(), Value::Null).await, StatusCode::CONFLICT);
    let renewed = answer(worker.call(&again, "heartbeat").json(&json!({ "attempt": 2 }))).await;
    assert_eq!(renewed.0, StatusCode::OK);
    assert_eq!(renewed.1["directive"]["directive"], "continue");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_new_incarnation_gives_back_what_the_old_one_held(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let old = server.worker("one").await;
    Story::build(&server, &admin).await;
    let job = old.job().await;
    let new = server.worker("one").await;
    assert_eq!(answer(old.claim(0)).await.0, StatusCode::CONFLICT);
    let again = new.job().await;
    assert_eq!((&again["job"], &again["attempt"]), (&job["job"], &json!(2)));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_canceled_build_tells_its_worker(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let worker = server.worker("one").await;
    Story::build(&server, &admin).await;
    let job = worker.job().await;
    {
        let mut conn = server.db.acquire().await.unwrap();
        let id = job["job"].as_str().unwrap().parse().unwrap();
        store::job::request_cancel(&mut conn, id, server.now()).await.unwrap();
    }
    let (_, beat) = answer(worker.call(&job, "heartbeat").json(&json!({ "attempt": 1 }))).await;
    assert_eq!(beat["directive"]["directive"], "cancel", "{beat}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_test_job_knows_no_secret_and_gets_no_credentials(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let story = Story::planned(&server).await;
    let worker = server.worker("one").await;
    let test = worker.job().await;
    assert_eq!(test["task"]["kind"], "test");
    assert_eq!(test["task"]["target"]["parameters"]["env"]["value"], "dev");
    assert_eq!(test["task"]["target"]["parameters"]["key"], Value::Null);
    let held = json!({ "attempt": 1 });
    assert_eq!(
        answer(worker.call(&test, "credentials").json(&held)).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(worker.finish(&test, succeeded(), Value::Null).await, StatusCode::NO_CONTENT);
    story.queue("package").await;
    let package = worker.job().await;
    assert_eq!(package["task"]["kind"], "package");
    assert_eq!(package["task"]["target"]["parameters"]["key"]["value"], "s3cr3t-value");
    assert_eq!(package["task"]["target"]["parameters"]["key"]["secret"], true);
    // AWS cannot be reached here; that it was asked is what counts
    let (status, problem) = answer(worker.call(&package, "credentials").json(&held)).await;
    assert!(
        matches!(status, StatusCode::BAD_GATEWAY | StatusCode::FORBIDDEN),
        "{status} {problem}"
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_artifact_is_packaged_deployed_and_shown(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let story = Story::planned(&server).await;
    let worker = server.worker("one").await;
    let package = story.package(&worker).await;
    assert_eq!(package, StatusCode::NO_CONTENT);
    let deploy = worker.job().await;
    assert_eq!(deploy["task"]["kind"], "deploy", "{deploy}");
    let artifact =
        format!("/worker/v1/jobs/{}/artifact?attempt=1", deploy["job"].as_str().unwrap());
    let bytes = server.get(&artifact).bearer_auth(EMBEDDED).send().await.unwrap();
    assert_eq!(bytes.bytes().await.unwrap(), "the artifact");
    let stage = "/api/v1/apps/workshop/stages/staging";
    let (_, shown) = answer(server.get(stage).bearer_auth(&story.admin)).await;
    assert_eq!(shown["instances"][0]["state"], "deploying", "{shown}");

    let deployed = json!({ "kind": "deployed", "deployed": {
        "stacks": ["restapi-staging"], "outputs": { "Url": "https://x.example" }, "endpoints": ["https://x.example"],
    } });
    for _ in 0..2 {
        // said twice, because the first answer was lost
        let status = worker.finish(&deploy, succeeded(), deployed.clone()).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
    }
    let (_, shown) = answer(server.get(stage).bearer_auth(&story.admin)).await;
    assert_eq!(shown["instances"][0]["state"], "deployed", "{shown}");
    assert_eq!(shown["instances"][0]["outputs"]["Url"], "https://x.example");
    let history =
        answer(server.get(&format!("{stage}/deployments")).bearer_auth(&story.admin)).await.1;
    assert_eq!(history["deployments"].as_array().unwrap().len(), 1);
    assert_eq!(history["deployments"][0]["state"], "succeeded");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_package_for_another_stage_fails_the_job(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let story = Story::planned(&server).await;
    let worker = server.worker("one").await;
    let status = story.package_for(&worker, "prod").await;
    assert_eq!(status, StatusCode::CONFLICT);
    let build =
        answer(server.get("/api/v1/apps/workshop/builds/1").bearer_auth(&story.admin)).await.1;
    let package =
        build["jobs"].as_array().unwrap().iter().find(|job| job["kind"] == "package").unwrap();
    assert_eq!(package["outcome"], "failed");
    assert!(package["reason"].as_str().unwrap().contains("stage prod"), "{package}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_artifact_goes_to_no_other_job(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let _story = Story::planned(&server).await;
    let worker = server.worker("one").await;
    let test = worker.job().await;
    let artifact = format!("/worker/v1/jobs/{}/artifact?attempt=1", test["job"].as_str().unwrap());
    let put = server.request(Method::PUT, &artifact).bearer_auth(EMBEDDED).body("x");
    assert_eq!(answer(put).await.0, StatusCode::FORBIDDEN);
    let get = server.get(&artifact).bearer_auth(EMBEDDED);
    assert_eq!(answer(get).await.0, StatusCode::FORBIDDEN);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_chunk_of_a_log_may_have_a_mebibyte(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let _story = Story::planned(&server).await;
    let worker = server.worker("one").await;
    let job = worker.job().await;
    let chunk = |bytes: usize| worker.call(&job, "log?attempt=1&seq=0").body("x".repeat(bytes));
    assert_eq!(answer(chunk(1024 * 1024 + 1)).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer(chunk(1024 * 1024)).await.0, StatusCode::NO_CONTENT);
}
