//! What a job is told of its stage: parameters, where others lie, what others publish.

use model::permission::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::job::{Story, succeeded};
use crate::support::{Server, answer, workshop};

/// The workshop with parameters of every kind and a safeguard; `dev` lies in another account than
/// `staging`, `twin` in the same.
fn file() -> Value {
    let mut file = workshop();
    let staging = &mut file["profiles"]["staging"];
    staging["safeguards"] = json!([{ "policy": "require-description", "level": "warning" }]);
    staging["parameters"]["level"] = json!("info");
    staging["parameters"]["api_key"] = json!({ "ssm": "/workshop/api-key" });
    staging["parameters"]["token"] = json!({ "secretsmanager": "workshop#token" });
    file["stages"] = json!({
        "staging": {
            "profile": "staging",
            "parameters": { "level": "debug", "key": { "secret": "of the stage" } },
        },
        "twin": { "profile": "staging" },
        "dev": { "profile": "development" },
    });
    file
}

async fn applied(server: &Server) -> String {
    let admin = server.token(Role::Admin).await;
    let (status, said) = server.apply(&admin, &file()).await;
    assert_eq!(status, StatusCode::CREATED, "{said}");
    admin
}

/// A service that was deployed to this stage.
async fn published(server: &Server, stage: &str, value: &str) {
    let mut conn = server.db.acquire().await.unwrap();
    let app = store::app::find(&mut conn, &"workshop".parse().unwrap()).await.unwrap().unwrap();
    let name = stage.parse().unwrap();
    let ids = || server.id();
    let at = store::order::Moment { now: server.now(), ids: &ids };
    let stage = store::order::long_lived(&mut conn, &app, &name, at).await.unwrap();
    let spec = crate::job::service("database");
    let id = store::instance::ensure(
        &mut conn,
        model::InstanceId(server.id()),
        stage.id,
        &spec.name,
        &"us-east-1".parse().unwrap(),
        &spec,
        server.now(),
    )
    .await
    .unwrap();
    let stack = model::worker_api::DeployedStack {
        stacks: Vec::new(),
        left_at: [].into(),
        outputs: [("table".to_owned(), value.to_owned())].into(),
        endpoints: Vec::new(),
    };
    let success = store::instance::Success {
        commit: &crate::support::COMMIT.parse().unwrap(),
        build_number: 1,
        artifact: model::ArtifactId(server.id()),
        spec: &spec,
        stack: &stack,
        read_at: None,
        parameters_digest: None,
        outputs_changed: true,
    };
    store::instance::deployed(&mut conn, id, &success, server.now()).await.unwrap();
}

fn tables(target: &Value) -> Vec<&str> {
    let published = target["outputs"]["published"].as_array().unwrap();
    published.iter().map(|one| one["outputs"]["table"].as_str().unwrap()).collect()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_package_knows_its_stage_and_what_its_account_publishes(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = applied(&server).await;
    for (stage, value) in [("staging", "own"), ("twin", "near"), ("dev", "another account")] {
        published(&server, stage, value).await;
    }
    let story = Story::of(&server, admin).await;
    let worker = server.worker("one").await;
    let test = worker.job().await;
    let target = &test["task"]["target"];
    assert_eq!(target["parameters"]["level"]["value"], "debug");
    assert_eq!(target["parameters"]["key"], Value::Null, "no secret");
    assert_eq!(target["references"], Value::Null, "nor where one lies");
    assert_eq!(target["safeguards"], Value::Null);
    assert!(tables(target).is_empty(), "a test reads nothing of what is deployed");

    assert_eq!(worker.finish(&test, succeeded(), Value::Null).await, StatusCode::NO_CONTENT);
    story.queue("package").await;
    let package = worker.job().await;
    let target = &package["task"]["target"];
    assert_eq!(target["region"], "us-east-1");
    assert_eq!(target["parameters"]["level"], json!({ "value": "debug", "secret": false }));
    assert_eq!(target["parameters"]["key"], json!({ "value": "of the stage", "secret": true }));
    assert_eq!(
        target["references"],
        json!({
            "api_key": { "source": "ssm", "name": "/workshop/api-key" },
            "token": { "source": "secrets_manager", "id": "workshop", "key": "token" },
        })
    );
    assert_eq!(target["safeguards"][0]["policy"], "require-description");
    assert_eq!(tables(target), ["own", "near"]);
    assert_eq!(target["outputs"]["published"][0]["published_as"], "fullstack-database");
    assert_eq!(target["outputs"]["fallback_stage"], Value::Null);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_stages_own_command_works_with_its_role(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = applied(&server).await;
    let story = Story::of(&server, admin).await;
    let worker = server.worker("one").await;
    let status = story.deploy(&worker, json!({ "table": "t1" })).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    story.queue("post_deploy").await;
    let last = worker.job().await;
    assert_eq!(last["task"]["kind"], "post_deploy", "{last}");
    assert_eq!(last["task"]["step"]["run"], "./smoke-test");
    assert_eq!(last["task"]["target"]["parameters"]["key"]["value"], "of the stage");
    assert_eq!(tables(&last["task"]["target"]), ["t1"], "what was just deployed is there");
    // AWS cannot be reached here; that it was asked is what counts
    let held = json!({ "attempt": 1 });
    let (status, problem) = answer(worker.call(&last, "credentials").json(&held)).await;
    assert!(
        matches!(status, StatusCode::BAD_GATEWAY | StatusCode::FORBIDDEN)
            && !problem["detail"].as_str().unwrap().contains("gets no AWS credentials"),
        "{status} {problem}"
    );
    assert_eq!(worker.finish(&last, succeeded(), Value::Null).await, StatusCode::NO_CONTENT);
}
