//! What the end of a job leaves: changed outputs, findings beside a failure, and whether what runs
//! has the parameters that the stage has now.

use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::job::{Story, succeeded};
use crate::support::{Server, answer, workshop};

const STAGE: &str = "/api/v1/apps/workshop/stages/staging";

async fn job(story: &Story<'_>, build: i64, kind: &str) -> Value {
    let path = format!("/api/v1/apps/workshop/builds/{build}");
    let (_, build) = answer(story.server.get(&path).bearer_auth(&story.admin)).await;
    let jobs = build["jobs"].as_array().unwrap();
    jobs.iter().find(|job| job["kind"] == kind).unwrap().clone()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_server_finds_out_which_outputs_a_deploy_changed(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let first = Story::planned(&server).await;
    first.deploy(&worker, json!({ "table": "t1", "url": "u1" })).await;
    let deploy = job(&first, 1, "deploy").await;
    assert_eq!(deploy["changed_outputs"], json!(["table", "url"]), "all of them are new");
    assert_eq!(deploy["region"], "us-east-1");
    let second = Story::of(&server, first.admin.clone()).await;
    second.deploy(&worker, json!({ "table": "t1", "other": "o1" })).await;
    assert_eq!(job(&second, 2, "deploy").await["changed_outputs"], json!(["other", "url"]));
    let (_, shown) = answer(server.get(STAGE).bearer_auth(&first.admin)).await;
    let instance = &shown["instances"][0];
    assert_eq!(instance["stack"], "restapi-staging");
    assert_eq!(instance["stacks"], json!(["restapi-staging", "restapi-staging-cdn"]));
    assert_eq!(instance["published_as"], "fullstack-restapi");
    assert_eq!(instance["outputs"], json!({ "table": "t1", "other": "o1" }));
    let last = job(&second, 2, "post_deploy").await;
    assert_eq!((&last["service"], &last["region"]), (&Value::Null, &Value::Null));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_was_found_stays_beside_the_failure(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let story = Story::planned(&server).await;
    let worker = server.worker("one").await;
    let test = worker.job().await;
    worker.finish(&test, succeeded(), Value::Null).await;
    story.queue("package").await;
    let package = worker.job().await;
    let finding = json!({
        "check": { "kind": "safeguard", "policy": "allowed-regions" },
        "level": "error",
        "place": "provider.region",
        "problem": "eu-west-1 is not allowed",
        "remedy": "deploy to us-east-1",
    });
    let outcome = json!({
        "outcome": "failed", "kind": "safeguard", "message": "eu-west-1 is not allowed",
    });
    let checked = json!({ "kind": "checked", "change": [], "findings": [finding] });
    assert_eq!(worker.finish(&package, outcome, checked).await, StatusCode::NO_CONTENT);
    let shown = job(&story, 1, "package").await;
    assert_eq!((&shown["outcome"], &shown["failure"]), (&json!("failed"), &json!("safeguard")));
    assert_eq!(shown["checks"], json!({ "findings": [finding], "change": [] }));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn changed_parameters_show_and_are_deployed_without_a_commit(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let story = Story::planned(&server).await;
    story.deploy(&worker, json!({})).await;
    let changed = || async {
        let (_, shown) = answer(server.get(STAGE).bearer_auth(&story.admin)).await;
        shown["instances"][0]["parameters_changed"].clone()
    };
    let redeploy = || answer(server.post(&format!("{STAGE}/redeploy")).bearer_auth(&story.admin));
    assert_eq!(changed().await, false);
    let (status, problem) = redeploy().await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("build 1 of staging"), "{problem}");
    story.conclude().await;
    let (status, problem) = redeploy().await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("runs with the parameters"), "{problem}");

    server.pass(TimeDelta::seconds(10));
    let mut file = workshop();
    file["stages"]["staging"]["parameters"] = json!({ "level": "debug" });
    server.apply(&story.admin, &file).await;
    assert_eq!(changed().await, true, "a parameter was added");
    server.apply(&story.admin, &workshop()).await;
    assert_eq!(changed().await, false, "it is as it was");
    file = workshop();
    file["profiles"]["staging"]["parameters"]["key"] = json!({ "secret": "another" });
    server.apply(&story.admin, &file).await;
    assert_eq!(changed().await, true, "a secret has another value");

    let (status, build) = redeploy().await;
    assert_eq!(status, StatusCode::CREATED, "{build}");
    assert_eq!((&build["forced"], &build["only"]), (&json!(true), &json!(["restapi"])));
    assert_eq!(build["commit"], crate::support::COMMIT);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn parameters_that_change_under_a_deploy_show_as_changed(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let story = Story::planned(&server).await;
    assert_eq!(story.package(&worker).await, StatusCode::NO_CONTENT);
    server.pass(TimeDelta::seconds(10));
    let mut file = workshop();
    file["profiles"]["staging"]["parameters"]["env"] = json!("other");
    server.apply(&story.admin, &file).await;
    let deploy = worker.job().await;
    let deployed = json!({ "kind": "deployed", "deployed": {
        "stacks": [], "outputs": {}, "endpoints": [],
    } });
    assert_eq!(worker.finish(&deploy, succeeded(), deployed).await, StatusCode::NO_CONTENT);
    let (_, shown) = answer(server.get(STAGE).bearer_auth(&story.admin)).await;
    assert_eq!(shown["instances"][0]["parameters_changed"], true);
}
