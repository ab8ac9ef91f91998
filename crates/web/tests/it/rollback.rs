//! Back to what a stage had, and out of a rollback of CloudFormation's that failed: asked for over
//! the API, carried out by a worker.

use chrono::TimeDelta;
use model::permission::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::job::{Story, succeeded};
use crate::support::{COMMIT, EMBEDDED, Server, Worker, answer, workshop};

const STAGE: &str = "/api/v1/apps/workshop/stages/staging";
const LATER: &str = "2222222222222222222222222222222222222222";

/// Two commits were deployed, one after the other; the newest deployment is the first of those
/// answered.
async fn twice(server: &Server, worker: &Worker<'_>) -> (String, Vec<Value>) {
    let first = Story::planned(server).await;
    first.deploy(worker, json!({ "table": "t1" })).await;
    first.conclude().await;
    let second = Story::at(server, first.admin.clone(), LATER).await;
    second.deploy(worker, json!({ "table": "t2" })).await;
    second.conclude().await;
    let all = answer(server.get(&format!("{STAGE}/deployments")).bearer_auth(&first.admin)).await;
    (first.admin, all.1["deployments"].as_array().unwrap().clone())
}

async fn ask(server: &Server, token: &str, call: &str, body: &Value) -> (StatusCode, Value) {
    answer(server.post(&format!("{STAGE}/{call}")).bearer_auth(token).json(body)).await
}

async fn instance(server: &Server, admin: &str) -> Value {
    answer(server.get(STAGE).bearer_auth(admin)).await.1["instances"][0].clone()
}

fn to(deployment: &Value) -> Value {
    json!({ "service": "restapi", "deployment": deployment["id"] })
}

fn deployed(outputs: &Value) -> Value {
    json!({ "kind": "deployed", "deployed": {
        "stacks": ["restapi-staging"], "outputs": outputs, "endpoints": [],
    } })
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_older_artifact_goes_back_with_its_commit_and_the_stage_stays_frozen(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let (admin, history) = twice(&server, &worker).await;
    let mut wanted = to(&history[1]);
    wanted["freeze"] = json!({ "reason": "the table is wrong" });
    let (status, build) = ask(&server, &admin, "rollback", &wanted).await;
    assert_eq!(status, StatusCode::CREATED, "{build}");
    assert_eq!((&build["purpose"], &build["commit"]), (&json!("rollback"), &json!(COMMIT)));
    let reason = "it goes back from 2222222 to 1111111 of build 1";
    assert_eq!(build["services"][0]["reason"], reason);
    assert_eq!(build["jobs"][0]["kind"], "rollback");

    let job = worker.job().await;
    assert_eq!(
        (&job["task"]["kind"], &job["source"]["commit"]),
        (&json!("rollback"), &json!(COMMIT))
    );
    assert_eq!(job["task"]["service"]["name"], "restapi");
    let id = job["job"].as_str().unwrap();
    let path = format!("/worker/v1/jobs/{id}/artifact?attempt=1");
    let bytes = server.get(&path).bearer_auth(EMBEDDED).send().await.unwrap();
    assert_eq!(bytes.text().await.unwrap(), "the artifact");
    assert_eq!(instance(&server, &admin).await["state"], "deploying");
    let end = worker.finish(&job, succeeded(), deployed(&json!({ "table": "t1" }))).await;
    assert_eq!(end, StatusCode::NO_CONTENT);

    let now = instance(&server, &admin).await;
    assert_eq!(
        (&now["commit"], &now["build"], &now["state"]),
        (&json!(COMMIT), &json!(3), &json!("deployed"))
    );
    assert_eq!(
        (&now["outputs"], &now["parameters_changed"]),
        (&json!({ "table": "t1" }), &json!(false))
    );
    let (_, build) = answer(server.get("/api/v1/apps/workshop/builds/3").bearer_auth(&admin)).await;
    assert_eq!(build["jobs"][0]["changed_outputs"], json!(["table"]));
    let (_, all) = answer(server.get(&format!("{STAGE}/deployments")).bearer_auth(&admin)).await;
    let newest = &all["deployments"][0];
    assert_eq!((&newest["kind"], &newest["state"]), (&json!("rollback"), &json!("succeeded")));
    assert_eq!((&newest["commit"], &newest["artifact"]), (&json!(COMMIT), &history[1]["artifact"]));
    let (_, stage) = answer(server.get(STAGE).bearer_auth(&admin)).await;
    assert_eq!(stage["frozen"]["reason"], "the table is wrong", "{stage}");
    let mut conn = server.db.acquire().await.unwrap();
    let filter = store::audit::Filter { limit: 50, ..store::audit::Filter::default() };
    let kept = store::audit::list(&mut conn, &filter).await.unwrap();
    let deeds: Vec<_> =
        kept.iter().map(|kept| (kept.entry.deed.as_str(), kept.entry.build)).collect();
    assert_eq!(deeds[..2], [("freeze", None), ("rollback", Some(3))]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_rollback_that_fails_says_so_and_can_be_asked_for_again(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let (admin, _) = twice(&server, &worker).await;
    let (status, build) = ask(&server, &admin, "rollback", &json!({ "build": 1 })).await;
    assert_eq!(status, StatusCode::CREATED, "{build}");
    assert_eq!(build["title"], "Roll staging back to build 1");
    let job = worker.job().await;
    let failed = json!({ "outcome": "failed", "kind": "aws", "message": "Table: it is in use" });
    assert_eq!(worker.finish(&job, failed, Value::Null).await, StatusCode::NO_CONTENT);
    let now = instance(&server, &admin).await;
    assert_eq!((&now["state"], &now["commit"]), (&json!("failed"), &json!(LATER)));
    assert_eq!(now["reason"], "the rollback to 1111111 did not go through: Table: it is in use");
    let (_, all) = answer(server.get(&format!("{STAGE}/deployments")).bearer_auth(&admin)).await;
    assert_eq!(all["deployments"][0]["state"], "failed");
    let (status, again) = ask(&server, &admin, "rollback", &json!({ "build": 1 })).await;
    assert_eq!(status, StatusCode::CREATED, "{again}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_rollback_that_cannot_be_is_refused_in_words(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let (admin, history) = twice(&server, &worker).await;
    for (body, key) in [
        (json!({}), "build"),
        (json!({ "build": 1, "service": "restapi" }), "build"),
        (json!({ "service": "restapi" }), "deployment"),
        (json!({ "deployment": history[1]["id"] }), "service"),
        (json!({ "bild": 1 }), "body"),
        (json!({ "build": 1, "freeze": { "reason": " " } }), "freeze.reason"),
        (
            json!({ "build": 1, "freeze": { "reason": "x", "until": "2020-01-01T00:00:00Z" } }),
            "freeze.until",
        ),
    ] {
        let (status, problem) = ask(&server, &admin, "rollback", &body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {problem}");
        assert_eq!(problem["errors"][0]["key"], key, "{body}: {problem}");
    }
    let refused = async |body: Value| {
        let (status, problem) = ask(&server, &admin, "rollback", &body).await;
        assert_eq!(status, StatusCode::CONFLICT, "{problem}");
        problem["detail"].as_str().unwrap().to_owned()
    };
    let why = refused(to(&history[0])).await;
    assert!(why.contains("there is nothing to roll back"), "{why}");
    let viewer = server.token(Role::Viewer).await;
    assert_eq!(ask(&server, &viewer, "rollback", &to(&history[1])).await.0, StatusCode::FORBIDDEN);

    sqlx::query("update artifact set digest = repeat('0', 64) where id = $1::uuid")
        .bind(history[1]["artifact"].as_str().unwrap())
        .execute(server.db.pool())
        .await
        .unwrap();
    let why = refused(to(&history[1])).await;
    assert!(why.contains("is no longer kept: build commit 1111111"), "{why}");
    assert_eq!(answer(worker.claim(0)).await.0, StatusCode::NO_CONTENT, "nothing was ordered");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_was_rolled_back_gets_new_parameters_at_its_own_commit(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let (admin, history) = twice(&server, &worker).await;
    ask(&server, &admin, "rollback", &to(&history[1])).await;
    let job = worker.job().await;
    worker.finish(&job, succeeded(), deployed(&json!({}))).await;
    {
        let mut conn = server.db.acquire().await.unwrap();
        let build = job["build"].as_str().unwrap().parse().unwrap();
        let outcome = model::build::BuildOutcome::Succeeded;
        store::build::finish(&mut conn, build, outcome, None, server.now()).await.unwrap();
    }
    let (status, _) = ask(&server, &admin, "redeploy", &json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT, "it has the parameters of now");

    server.pass(TimeDelta::seconds(10));
    let mut file = workshop();
    file["profiles"]["staging"]["parameters"]["env"] = json!("other");
    server.apply(&admin, &file).await;
    let (status, build) = ask(&server, &admin, "redeploy", &json!({})).await;
    assert_eq!(status, StatusCode::CREATED, "{build}");
    assert_eq!((&build["commit"], &build["only"]), (&json!(COMMIT), &json!(["restapi"])));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_package_with_other_parameters_shows_when_it_is_rolled_back_to(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let (admin, history) = twice(&server, &worker).await;
    server.pass(TimeDelta::seconds(10));
    let mut file = workshop();
    file["profiles"]["staging"]["parameters"]["env"] = json!("other");
    server.apply(&admin, &file).await;
    server.pass(TimeDelta::seconds(10));
    ask(&server, &admin, "rollback", &to(&history[1])).await;
    let job = worker.job().await;
    worker.finish(&job, succeeded(), deployed(&json!({}))).await;
    assert_eq!(instance(&server, &admin).await["parameters_changed"], true);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stuck_stack_is_recovered_and_waits_for_the_next_deploy(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let (admin, _) = twice(&server, &worker).await;
    let wanted = json!({ "service": "restapi", "skip": ["Table", "Api", "Table"] });
    let (status, problem) = ask(&server, &admin, "recover", &wanted).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("nothing is stuck"), "{problem}");

    ask(&server, &admin, "rollback", &json!({ "build": 1 })).await;
    let job = worker.job().await;
    let message = "stack restapi-staging is UPDATE_ROLLBACK_FAILED, and continuing its rollback \
                   failed again at:\n- Table (AWS::DynamoDB::Table): it is gone\nMend it";
    let failed = json!({ "outcome": "failed", "kind": "aws", "message": message });
    worker.finish(&job, failed, Value::Null).await;
    let dialog = server.get("/apps/workshop/stages/staging/recover?service=restapi");
    let page = dialog.send().await.unwrap().text().await.unwrap();
    assert!(page.contains("<code>Table</code> (AWS::DynamoDB::Table): it is gone"), "{page}");
    assert!(page.contains("placeholder=\"Table\""), "what may be skipped is offered: {page}");
    let wrong = json!({ "service": "restapi", "skip": ["my table"] });
    let (status, problem) = ask(&server, &admin, "recover", &wrong).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(problem["errors"][0]["key"], "skip");
    let (status, build) = ask(&server, &admin, "recover", &wanted).await;
    assert_eq!(status, StatusCode::CREATED, "{build}");
    assert_eq!(build["purpose"], "recover");
    let job = worker.job().await;
    let task = &job["task"];
    assert_eq!((&task["kind"], &task["skip"]), (&json!("recover"), &json!(["Api", "Table"])));
    assert_eq!(task["stacks"], json!(["restapi-staging", "restapi-staging-cdn"]));
    let end = worker.finish(&job, succeeded(), json!({ "kind": "recovered" })).await;
    assert_eq!(end, StatusCode::NO_CONTENT);
    let now = instance(&server, &admin).await;
    assert_eq!(now["state"], "failed");
    assert!(now["reason"].as_str().unwrap().starts_with("recovered; deploy again"), "{now}");
}
