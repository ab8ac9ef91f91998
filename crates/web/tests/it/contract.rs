//! What the API promises to programs: its document, keys that make a request safe to send again,
//! tags of what is polled.

use std::collections::BTreeSet;
use std::path::Path;

use model::permission::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::support::{COMMIT, Server, answer};

#[test]
fn every_call_is_in_the_document_and_nothing_else_is() {
    let served: BTreeSet<(String, String)> = web::routes()
        .into_iter()
        .filter(|(_, path)| path.starts_with("/api/v1/"))
        .map(|(method, path)| (method.to_string(), path))
        .collect();
    let paths = web::openapi::openapi()["paths"].as_object().unwrap();
    let told: BTreeSet<(String, String)> = paths
        .iter()
        .filter(|(path, _)| path.starts_with("/api/v1/"))
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let untold: Vec<_> = served.difference(&told).collect();
    assert!(untold.is_empty(), "name these in api/document.rs: {untold:#?}");
    let gone: Vec<_> = told.difference(&served).collect();
    assert!(gone.is_empty(), "nothing serves these: {gone:#?}");
}

#[test]
fn every_operation_says_what_a_client_has_to_know() {
    let document = web::openapi::openapi();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "two operations are called {id}");
            let summary = operation["summary"].as_str().unwrap();
            assert!(!summary.ends_with('.') && summary.len() < 80, "{id}: {summary}");
            let tag = &operation["tags"][0];
            let known = document["tags"].as_array().unwrap();
            assert!(known.iter().any(|one| one["name"] == *tag), "{id}: {tag}");
            for name in path.split('/').filter_map(|part| part.strip_prefix('{')) {
                let name = name.trim_end_matches('}');
                let parameters = operation["parameters"].as_array().unwrap();
                assert!(
                    parameters.iter().any(|one| one["name"] == name),
                    "{method} {path}: {name}"
                );
            }
            if path.starts_with("/api/") {
                assert_eq!(operation["security"], json!([{ "token": [] }]), "{id}");
                for status in ["401", "403"] {
                    assert!(operation["responses"][status].is_object(), "{id}: {status}");
                }
            }
        }
    }
}

#[test]
fn the_document_that_is_checked_in_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let text = serde_json::to_string_pretty(web::openapi::openapi()).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "docs/openapi.json is stale: UPDATE=1 cargo test -p greenroom-web --test it contract"
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_document_is_served_to_programs_and_readers(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let viewer = server.token(Role::Viewer).await;
    for address in ["/api/v1/openapi.json", "/docs/api/openapi.json"] {
        let (status, document) = answer(server.get(address).bearer_auth(&viewer)).await;
        assert_eq!((status, &document["openapi"]), (StatusCode::OK, &json!("3.1.0")), "{address}");
    }
    let page = server.get("/docs/api").send().await.unwrap().text().await.unwrap();
    assert!(page.contains("GET /api/v1/apps/{app}/builds"), "{page}");
    let page = server.get("/docs/api/startBuild").send().await.unwrap().text().await.unwrap();
    for part in ["BuildWish", "Idempotency-Key", "CommitSha", "422"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let missing = server.get("/docs/api/nothing").send().await.unwrap();
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}

fn start() -> Value {
    json!({ "branch": "master", "commit": COMMIT })
}

async fn builds(server: &Server, token: &str) -> usize {
    let list = server.get("/api/v1/apps/workshop/builds").bearer_auth(token);
    answer(list).await.1["builds"].as_array().unwrap().len()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_build_that_is_asked_for_twice_under_one_key_is_started_once(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let ask = |token: &str, key: &str, body: &Value| {
        let post = server.post("/api/v1/apps/workshop/builds").bearer_auth(token);
        post.header("idempotency-key", key).json(body)
    };
    let first = ask(&admin, "\"k-1\"", &start()).send().await.unwrap();
    assert_eq!(first.status(), StatusCode::CREATED);
    assert!(first.headers().get("idempotency-replayed").is_none());
    let first = first.text().await.unwrap();
    let again = ask(&admin, "k-1", &start()).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::CREATED);
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.headers()["content-type"], "application/json");
    assert_eq!(again.text().await.unwrap(), first, "as it was answered, to the byte");
    assert_eq!(builds(&server, &admin).await, 1);

    let mut other = start();
    other["force"] = json!(true);
    let (status, problem) = answer(ask(&admin, "k-1", &other)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["errors"][0]["key"], "Idempotency-Key");
    let (status, _) = answer(ask(&admin, "not a key", &start())).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);

    // a key is its owner's, and forgotten after a day
    let deployer = server.token(Role::Deployer).await;
    assert_eq!(answer(ask(&deployer, "k-1", &start())).await.0, StatusCode::CREATED);
    server.pass(chrono::TimeDelta::hours(24));
    assert_eq!(answer(ask(&admin, "k-1", &start())).await.0, StatusCode::CREATED);
    assert_eq!(builds(&server, &admin).await, 3);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_request_that_was_refused_may_be_sent_again_under_its_key(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let cancel = || {
        let post = server.post("/api/v1/apps/workshop/builds/1/cancel").bearer_auth(&admin);
        post.header("idempotency-key", "c")
    };
    assert_eq!(answer(cancel()).await.0, StatusCode::NOT_FOUND, "there is no build yet");
    let first = server.post("/api/v1/apps/workshop/builds").bearer_auth(&admin).json(&start());
    assert_eq!(answer(first).await.0, StatusCode::CREATED);
    assert_eq!(answer(cancel()).await.0, StatusCode::ACCEPTED);
    let entries = server.get("/api/v1/audit").bearer_auth(&admin);
    let before = answer(entries.try_clone().unwrap()).await.1;
    assert_eq!(answer(cancel()).await.0, StatusCode::ACCEPTED);
    assert_eq!(answer(entries).await.1, before, "nothing was done again");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_request_whose_server_died_is_not_done_again(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let ask = || {
        let post = server.post("/api/v1/apps/workshop/builds").bearer_auth(&admin);
        answer(post.header("idempotency-key", "k").json(&start()))
    };
    assert_eq!(ask().await.0, StatusCode::CREATED);
    // as a crash leaves it between the commit of the build and that of the answer
    let forget =
        "update idempotency set status = null, kind = null, body = null, body_key_id = null";
    sqlx::query(forget).execute(server.db.pool()).await.unwrap();
    let (status, problem) = ask().await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("build 1 of workshop"), "{problem}");
    // and as one leaves it before
    let undone = "update idempotency set done_at = null, deed = null";
    sqlx::query(undone).execute(server.db.pool()).await.unwrap();
    let (status, problem) = ask().await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("under way"), "{problem}");
    server.pass(store::idempotency::TAKEN_OVER_AFTER);
    assert_eq!(ask().await.0, StatusCode::CREATED);
    assert_eq!(builds(&server, &admin).await, 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_text_of_a_token_is_replayed_and_kept_unreadable(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.token(Role::Admin).await;
    let make = || {
        let post = server.post("/api/v1/tokens").bearer_auth(&admin);
        answer(post.header("idempotency-key", "t").json(&json!({ "name": "ci", "role": "viewer" })))
    };
    let (status, first) = make().await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(make().await, (StatusCode::CREATED, first.clone()));
    let kept: Vec<u8> = sqlx::query_scalar("select body from idempotency")
        .fetch_one(server.db.pool())
        .await
        .unwrap();
    assert!(!String::from_utf8_lossy(&kept).contains(first["token"].as_str().unwrap()));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_polled_is_sent_only_when_it_changed(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let start = server.post("/api/v1/apps/workshop/builds").bearer_auth(&admin).json(&start());
    assert_eq!(answer(start).await.0, StatusCode::CREATED);
    for address in
        ["apps", "apps/workshop/builds", "apps/workshop/builds/1", "apps/workshop/stages"]
    {
        let get =
            |method| server.request(method, &format!("/api/v1/{address}")).bearer_auth(&admin);
        let first = get(Method::GET).send().await.unwrap();
        let (tag, headers) = (first.headers()["etag"].clone(), first.headers().clone());
        assert_eq!(headers["cache-control"], "private, no-cache", "{address}");
        assert_eq!(headers["vary"], "authorization", "{address}");
        let head = get(Method::HEAD).send().await.unwrap();
        assert_eq!(head.headers()["etag"], tag, "{address}");
        let again = get(Method::GET).header("if-none-match", &tag).send().await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{address}");
        assert_eq!(again.headers()["etag"], tag, "{address}");
        assert_eq!(again.text().await.unwrap(), "", "{address}");
    }
    let list = || server.get("/api/v1/apps/workshop/builds").bearer_auth(&admin);
    let before = list().send().await.unwrap().headers()["etag"].clone();
    let cancel = server.post("/api/v1/apps/workshop/builds/1/cancel").bearer_auth(&admin);
    assert_eq!(answer(cancel).await.0, StatusCode::ACCEPTED);
    let changed = list().header("if-none-match", before).send().await.unwrap();
    assert_eq!(changed.status(), StatusCode::OK);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_cannot_be_kept_or_found_is_refused_at_the_edge(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let get = |path: &str| server.get(&format!("/api/v1/{path}")).bearer_auth(&admin);
    for (path, status) in [
        ("apps/%00", 404),
        ("apps/%ff", 400),
        ("apps/workshop/stages/%00", 404),
        ("apps/workshop/builds/99999999999999999999", 404),
        ("apps/workshop/builds?limit=0", 422),
        ("apps/workshop/builds?limit=99999999999999999999", 400),
        ("apps/workshop/builds?brnach=master", 400),
        ("apps/workshop/builds?branch=%00", 422),
        ("builds?q=%00", 422),
        ("system/deliveries/%00", 404),
        ("system/deliveries?event=%00", 422),
    ] {
        let answer = get(path).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
    }
    let freeze = |body: Value| {
        let post = server.post("/api/v1/apps/workshop/stages/staging/freeze");
        answer(post.bearer_auth(&admin).json(&body))
    };
    for body in [
        json!({ "reason": "a\u{0}b" }),
        json!({ "reason": "x", "until": "+12026-01-01T00:00:00Z" }),
        json!(["x"]),
    ] {
        let (status, problem) = freeze(body.clone()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {problem}");
    }
}
