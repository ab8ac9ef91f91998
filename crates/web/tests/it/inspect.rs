//! Looks at what is deployed, by the API: drift of a stage, stacks that no stage knows, and the
//! removal of one.

use chrono::TimeDelta;
use model::permission::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::job::{Story, succeeded};
use crate::support::{Server, Worker, answer};

const STAGE: &str = "/api/v1/apps/workshop/stages/staging";
const SWEEP: &str = "/api/v1/apps/workshop/sweep";
const ARN: &str = "arn:aws:cloudformation:us-east-1:222222222222:stack/lost/1";

async fn post(server: &Server, token: &str, path: &str) -> (StatusCode, Value) {
    answer(server.post(path).bearer_auth(token)).await
}

async fn get(server: &Server, token: &str, path: &str) -> Value {
    let (status, body) = answer(server.get(path).bearer_auth(token)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body
}

/// A stage with one deployed service, whose build is over.
async fn deployed<'a>(server: &'a Server, worker: &Worker<'_>) -> Story<'a> {
    let story = Story::planned(server).await;
    assert_eq!(story.deploy(worker, json!({})).await, StatusCode::NO_CONTENT);
    story.conclude().await;
    // what comes now is later
    server.pass(TimeDelta::seconds(1));
    story
}

fn drifted() -> Value {
    let difference = json!({ "path": "/Value", "expected": "a", "actual": "b" });
    let resource = json!({
        "logical_id": "Endpoint", "resource_type": "AWS::SSM::Parameter",
        "deed": { "deed": "modified", "differences": [difference] },
    });
    json!({ "kind": "drifted", "stacks": [
        { "stack": "restapi-staging", "status": { "status": "drifted", "resources": [resource] } },
        { "stack": "restapi-staging-cdn", "status": { "status": "in_sync" } },
    ] })
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_is_looked_at_when_somebody_asks_and_shows_what_was_found(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let story = deployed(&server, &worker).await;
    let admin = story.admin.as_str();
    assert_eq!(get(&server, admin, STAGE).await["drift"], Value::Null);

    let path = format!("{STAGE}/drift");
    let viewer = server.token(Role::Viewer).await;
    assert_eq!(post(&server, &viewer, &path).await.0, StatusCode::FORBIDDEN);
    let (status, build) = post(&server, admin, &path).await;
    assert_eq!((status, &build["purpose"]), (StatusCode::CREATED, &json!("inspect")));
    let (status, problem) = post(&server, admin, &path).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");

    let look = worker.job().await;
    assert_eq!(look["task"]["kind"], "drift");
    assert_eq!(look["task"]["stacks"], json!(["restapi-staging", "restapi-staging-cdn"]));
    assert_eq!(worker.finish(&look, succeeded(), drifted()).await, StatusCode::NO_CONTENT);
    let drift = get(&server, admin, STAGE).await["drift"].clone();
    assert_eq!((&drift["status"], &drift["instances"][0]["build"]), (&json!("drifted"), &json!(2)));
    let stacks = &drift["instances"][0]["stacks"];
    assert_eq!(stacks[0]["status"]["resources"][0]["logical_id"], "Endpoint", "{drift:#}");
    let listed = get(&server, admin, "/api/v1/apps/workshop/stages").await;
    assert_eq!(listed["stages"][0]["drift"]["status"], "drifted");

    // the next deploy makes it another stack
    let next = Story::of(&server, story.admin.clone()).await;
    next.deploy(&worker, json!({})).await;
    assert_eq!(get(&server, admin, STAGE).await["drift"], Value::Null);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_a_look_found_is_not_kept_if_a_deploy_began_meanwhile(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let story = deployed(&server, &worker).await;
    let path = format!("{STAGE}/drift");
    assert_eq!(post(&server, &story.admin, &path).await.0, StatusCode::CREATED);
    let look = worker.job().await;
    server.pass(TimeDelta::seconds(5));
    let next = Story::of(&server, story.admin.clone()).await;
    next.deploy(&worker, json!({})).await;
    assert_eq!(worker.finish(&look, succeeded(), drifted()).await, StatusCode::NO_CONTENT);
    assert_eq!(get(&server, &story.admin, STAGE).await["drift"], Value::Null);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_without_stacks_cannot_be_looked_at(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let (status, _) = post(&server, &admin, &format!("{STAGE}/drift")).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "nothing was ever built there");
    Story::build(&server, &admin).await;
    let (status, problem) = post(&server, &admin, &format!("{STAGE}/drift")).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
}

/// Looks through both accounts; the second has one stack that nobody knows.
async fn sweep(server: &Server, worker: &Worker<'_>, admin: &str) -> Value {
    let (status, swept) = post(server, admin, SWEEP).await;
    assert_eq!(status, StatusCode::CREATED, "{swept}");
    let titles: Vec<&Value> =
        swept["builds"].as_array().unwrap().iter().map(|b| &b["title"]).collect();
    assert_eq!(titles.len(), 2, "one for each profile: {swept:#}");
    for found in [
        json!([]),
        json!([{
            "name": "lost", "id": ARN, "region": "us-east-1", "app": "workshop", "stage": "never",
            "service": "restapi", "build": 7, "status": "CREATE_COMPLETE",
            "created_at": "2026-01-01T08:00:00Z", "changed_at": "2026-01-01T08:00:00Z",
        }]),
    ] {
        let job = worker.job().await;
        assert_eq!(job["task"]["kind"], "sweep");
        let found = json!({ "kind": "swept", "found": found });
        assert_eq!(worker.finish(&job, succeeded(), found).await, StatusCode::NO_CONTENT);
    }
    get(server, admin, "/api/v1/orphans").await["orphans"][0].clone()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_orphan_is_removed_by_an_admin_once_and_stays_in_sight_until_it_is_gone(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let admin = server.workshop().await;
    let orphan = sweep(&server, &worker, &admin).await;
    assert_eq!((&orphan["stack"], &orphan["account"]), (&json!("lost"), &json!("222222222222")));
    assert_eq!(
        (&orphan["profile"], &orphan["tags"]["stage"]),
        (&json!("staging"), &json!("never"))
    );
    assert!(orphan["reason"].as_str().unwrap().starts_with("workshop never had a stage never"));

    let path = format!("/api/v1/orphans/{}/remove", orphan["id"].as_str().unwrap());
    let deployer = server.token(Role::Deployer).await;
    assert_eq!(post(&server, &deployer, &path).await.0, StatusCode::FORBIDDEN);
    let (status, build) = post(&server, &admin, &path).await;
    assert_eq!((status, &build["purpose"]), (StatusCode::CREATED, &json!("remove")));
    let (status, problem) = post(&server, &admin, &path).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");

    let job = worker.job().await;
    assert_eq!((&job["task"]["kind"], &job["task"]["stack"]), (&json!("discard"), &json!(ARN)));
    let failed = json!({ "outcome": "failed", "kind": "aws", "message": "it is protected" });
    assert_eq!(worker.finish(&job, failed, Value::Null).await, StatusCode::NO_CONTENT);
    let kept = get(&server, &admin, "/api/v1/orphans").await["orphans"][0].clone();
    assert_eq!(kept["kept_because"], "it is protected");
    end(&server, &build).await;

    let (status, build) = post(&server, &admin, &path).await;
    assert_eq!(status, StatusCode::CREATED, "{build}");
    let job = worker.job().await;
    let removed = json!({ "kind": "removed" });
    assert_eq!(worker.finish(&job, succeeded(), removed).await, StatusCode::NO_CONTENT);
    end(&server, &build).await;
    assert_eq!(get(&server, &admin, "/api/v1/orphans").await, json!({ "orphans": [] }));
    let (status, problem) = post(&server, &admin, &path).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    let audit = get(&server, &admin, "/api/v1/audit?app=workshop").await;
    let actions: Vec<&str> = audit["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions.iter().filter(|action| **action == "remove_orphan").count(), 2);
    assert!(actions.contains(&"sweep"), "{actions:?}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_orphan_that_a_stage_came_to_know_is_not_removed(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let admin = server.workshop().await;
    let orphan = sweep(&server, &worker, &admin).await;
    let path = format!("/api/v1/orphans/{}/remove", orphan["id"].as_str().unwrap());
    // somebody deploys that stage now
    let mut file = crate::support::workshop();
    file["stages"]["never"] = json!({ "profile": "staging" });
    server.apply(&admin, &file).await;
    let story = Story::of(&server, admin.clone()).await;
    let mut conn = server.db.acquire().await.unwrap();
    let build = store::build::get(&mut conn, story.build).await.unwrap();
    sqlx::query("update stage set name = 'never' where id = $1")
        .bind(build.stage_id)
        .execute(&mut *conn)
        .await
        .unwrap();
    let (status, problem) = post(&server, &admin, &path).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("it is no orphan"), "{problem}");
}

/// What the engine does when the jobs of a build have ended.
async fn end(server: &Server, build: &Value) {
    let id = build["id"].as_str().unwrap().parse().unwrap();
    let outcome = model::build::BuildOutcome::Succeeded;
    let mut conn = server.db.acquire().await.unwrap();
    store::build::finish(&mut conn, id, outcome, None, server.now()).await.unwrap();
}
