//! The REST API: roles, problems, settings, builds, stages.

use model::permission::Role;
use model::pipeline::Dependency;
use model::stage::StageKind;
use model::{InstanceId, StageId};
use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::stage::NewStage;
use uuid::Uuid;

use crate::job::service;
use crate::support::{COMMIT, Server, answer, workshop};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn every_error_is_a_problem_with_a_request_id(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let json = "application/json";
    let put = |body: &'static str| {
        server.request(Method::PUT, "/api/v1/apps/workshop").header("content-type", json).body(body)
    };
    for (request, status) in [
        (server.get("/api/v1/apps").bearer_auth("unknown"), 401),
        (server.get("/api/v1/nothing").bearer_auth(&admin), 404),
        (server.get("/api/v1/apps/unknown").bearer_auth(&admin), 404),
        (server.get("/api/v1/apps/workshop/builds/none").bearer_auth(&admin), 404),
        (server.get("/api/v1/jobs/no-id/log").bearer_auth(&admin), 404),
        (server.request(Method::DELETE, "/api/v1/apps").bearer_auth(&admin), 405),
        (server.get("/api/v1/apps/workshop/builds?limit=many").bearer_auth(&admin), 400),
        (server.get("/api/v1/apps/workshop/builds?state=odd").bearer_auth(&admin), 422),
        (put("{").bearer_auth(&admin), 400),
        (put("[]").bearer_auth(&admin), 422),
        (server.request(Method::PUT, "/api/v1/apps/workshop").body("x").bearer_auth(&admin), 415),
        (server.post("/worker/v1/claim").bearer_auth(crate::support::EMBEDDED).body("{"), 415),
        (server.get("/worker/v1/nothing").bearer_auth(&admin), 404),
    ] {
        let answer = request.send().await.unwrap();
        let url = answer.url().to_string();
        assert_eq!(answer.status().as_u16(), status, "{url}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{url}");
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let problem: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(problem["status"], status, "{url}");
        assert_eq!(problem["request_id"], id, "{url}");
        assert!(!problem["detail"].as_str().unwrap().is_empty(), "{url}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_role_can_do_what_the_table_says_and_no_more(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    server.workshop().await;
    let build = json!({ "branch": "master", "commit": COMMIT });
    for (role, read, start, configure) in [
        (Role::Admin, 200, 201, 200),
        (Role::Deployer, 200, 201, 403),
        (Role::Viewer, 200, 403, 403),
        (Role::Worker, 403, 403, 403),
    ] {
        let token = server.token(role).await;
        let listed = server.get("/api/v1/apps").bearer_auth(&token);
        assert_eq!(answer(listed).await.0.as_u16(), read, "{role:?}");
        let started = server.post("/api/v1/apps/workshop/builds").bearer_auth(&token).json(&build);
        assert_eq!(answer(started).await.0.as_u16(), start, "{role:?}");
        assert_eq!(server.apply(&token, &workshop()).await.0.as_u16(), configure, "{role:?}");
        let work = server.post("/worker/v1/claim").bearer_auth(&token);
        let allowed = answer(work).await.0 != StatusCode::FORBIDDEN;
        assert_eq!(allowed, role == Role::Worker, "{role:?}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn settings_are_applied_once_and_secrets_never_come_back(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let (status, app) = answer(server.get("/api/v1/apps/workshop").bearer_auth(&admin)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(app["repository"], "acme/workshop");
    assert!(!app.to_string().contains("s3cr3t-value"), "{app}");

    let dry = |file: &serde_json::Value| {
        let put = server.request(Method::PUT, "/api/v1/apps/workshop?dry_run=true");
        answer(put.bearer_auth(&admin).json(file))
    };
    assert_eq!(dry(&workshop()).await.1["changes"], json!([]));
    let mut other = workshop();
    other["profiles"]["staging"]["region"] = json!("eu-central-1");
    other["profiles"]["staging"]["parameters"]["key"] = json!({ "secret": "another" });
    let (_, difference) = dry(&other).await;
    assert_eq!(
        difference["changes"][0],
        json!({ "path": "profiles.staging.region", "from": "us-east-1", "to": "eu-central-1" })
    );
    assert_eq!(difference["changes"].as_array().unwrap().len(), 2, "{difference}");
    assert!(!difference.to_string().contains("another\""), "{difference}");
    let (_, app) = answer(server.get("/api/v1/apps/workshop").bearer_auth(&admin)).await;
    assert_eq!(app["profiles"]["staging"]["region"], "us-east-1", "a dry run changes nothing");

    // what GET answers can be put again: the stored secrets stay
    let mut same = app.clone();
    for added in ["created_at", "updated_at"] {
        same.as_object_mut().unwrap().remove(added);
    }
    assert_eq!(dry(&same).await.1["changes"], json!([]));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_secret_comes_from_the_environment_but_never_from_the_servers_own(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.token(Role::Admin).await;
    for (name, value) in [("DEV_KEY", "from outside"), ("AWS_SECRET_ACCESS_KEY", "the server's")] {
        server.environment.lock().unwrap().insert(name.into(), value.into());
    }
    let from = |variable: &str| {
        let mut file = workshop();
        file["profiles"]["development"]["parameters"]["key"] = json!({ "secret_env": variable });
        file
    };
    for (variable, says) in [
        ("AWS_SECRET_ACCESS_KEY", "server's own"),
        ("GREENROOM_GITHUB_TOKEN", "server's own"),
        ("NOT_THERE", "not set"),
    ] {
        let (status, problem) = server.apply(&admin, &from(variable)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert_eq!(problem["errors"][0]["key"], "profiles.development.parameters.key");
        assert!(problem["errors"][0]["message"].as_str().unwrap().contains(says), "{problem}");
    }
    assert_eq!(server.apply(&admin, &from("DEV_KEY")).await.0, StatusCode::CREATED);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_file_with_mistakes_names_each_key(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let admin = server.token(Role::Admin).await;
    let mut file = workshop();
    file["profiles"]["staging"]["role_arn"] = json!("no-arn");
    file["stages"]["staging"]["profile"] = json!("unknown");
    file["surplus"] = json!(1);
    let (status, problem) = server.apply(&admin, &file).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let keys: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().filter_map(|e| e["key"].as_str()).collect();
    for key in ["profiles.staging.role_arn", "stages.staging.profile", "surplus"] {
        assert!(keys.contains(&key), "{key} in {keys:?}");
    }
    let mut renamed = workshop();
    renamed["app"] = json!("other");
    let (_, problem) = server.apply(&admin, &renamed).await;
    assert_eq!(problem["errors"][0]["key"], "app");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_build_by_hand_goes_where_the_rules_say(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let start = |body: serde_json::Value| {
        answer(server.post("/api/v1/apps/workshop/builds").bearer_auth(&admin).json(&body))
    };
    let (status, build) = start(json!({ "branch": "master", "commit": COMMIT })).await;
    assert_eq!(status, StatusCode::CREATED, "{build}");
    assert_eq!(build["number"], 1);
    assert_eq!(build["stage"], "staging");
    assert_eq!(build["state"], "running");
    assert_eq!(build["url"], "https://ci.example.com/apps/workshop/builds/1");
    assert_eq!(build["jobs"][0]["kind"], "plan");
    assert_eq!(build["jobs"][0]["state"], "queued");

    for (body, key) in [
        (json!({}), "branch"),
        (json!({ "commit": COMMIT }), "stage"),
        (json!({ "commit": COMMIT, "stage": "unknown" }), "stage"),
        (json!({ "branch": "master" }), "commit"),
        (json!({ "tag": "v1.0" }), "commit"),
        (json!({ "tag": "x", "commit": COMMIT }), "stage"),
        (json!({ "commit": "abc" }), "body"),
        (json!({ "brunch": "master" }), "body"),
        (json!({ "branch": "master", "commit": COMMIT, "services": [] }), "services"),
        (json!({ "branch": "master", "commit": COMMIT, "services": ["a b"] }), "body"),
    ] {
        let (status, problem) = start(body.clone()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {problem}");
        assert_eq!(problem["errors"][0]["key"], key, "{body}: {problem}");
    }

    // a newer build of the stage takes over
    start(json!({ "commit": COMMIT, "stage": "staging", "force": true })).await;
    let show = |number: i64| {
        answer(server.get(&format!("/api/v1/apps/workshop/builds/{number}")).bearer_auth(&admin))
    };
    assert_eq!(show(1).await.1["superseded_by"], 2);
    let (_, list) = answer(
        server.get("/api/v1/apps/workshop/builds?limit=1&stage=staging").bearer_auth(&admin),
    )
    .await;
    assert_eq!(list["builds"][0]["number"], 2);
    let next = list["next"].as_str().unwrap();
    let (_, list) = answer(server.get(next).bearer_auth(&admin)).await;
    assert_eq!(list["builds"][0]["number"], 1);
    assert_eq!(list["next"], serde_json::Value::Null);

    let act = |what: &str| {
        answer(server.post(&format!("/api/v1/apps/workshop/builds/2/{what}")).bearer_auth(&admin))
    };
    let (status, build) = act("cancel").await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert!(build["reason"].as_str().unwrap().starts_with("canceled by"), "{build}");
    let (status, build) = act("rerun").await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(build["number"], 3);
    assert_eq!(build["commit"], COMMIT);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_build_by_hand_is_for_the_services_of_the_caller_or_of_the_rule(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.token(Role::Admin).await;
    let mut file = workshop();
    file["rules"][0]["services"] = json!(["restapi", "tasks"]);
    assert_eq!(server.apply(&admin, &file).await.0, StatusCode::CREATED);
    let start = |body: serde_json::Value| {
        answer(server.post("/api/v1/apps/workshop/builds").bearer_auth(&admin).json(&body))
    };
    for (body, only) in [
        (json!({ "branch": "master", "commit": COMMIT }), json!(["restapi", "tasks"])),
        (
            json!({ "branch": "master", "commit": COMMIT, "stage": "staging" }),
            json!(["restapi", "tasks"]),
        ),
        (
            json!({ "branch": "master", "commit": COMMIT, "services": ["database"] }),
            json!(["database"]),
        ),
        (json!({ "commit": COMMIT, "stage": "staging" }), json!(null)),
    ] {
        let (status, build) = start(body.clone()).await;
        assert_eq!((status, &build["only"]), (StatusCode::CREATED, &only), "{body}: {build}");
    }
    let again = server.post("/api/v1/apps/workshop/builds/3/rerun").bearer_auth(&admin);
    let (_, build) = answer(again).await;
    assert_eq!((&build["only"], &build["forced"]), (&json!(["database"]), &json!(true)));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_build_by_tag_is_of_the_commit_that_github_says(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let github = fakes::GitHub::builder().token("ghp_test").start().await.unwrap();
    let repo = github.repo("acme/workshop");
    repo.create("master").await.unwrap();
    let commit = repo.commit("master", &[("README.md", "Hello")], "Begin").await.unwrap();
    repo.annotated_tag("v1.0", &commit).await.unwrap();
    let server = Server::with_github(pool, options, github.url(), "ghp_test").await;
    let admin = server.workshop().await;
    let start = |body: serde_json::Value| {
        answer(server.post("/api/v1/apps/workshop/builds").bearer_auth(&admin).json(&body))
    };
    // a rule matches the tag by its pattern, and by hand its trigger does not matter
    let (status, build) = start(json!({ "tag": "v1.0" })).await;
    assert_eq!(status, StatusCode::CREATED, "{build}");
    assert_eq!(build["commit"], commit);
    assert_eq!((&build["tag"], &build["stage"]), (&json!("v1.0"), &json!("staging")));
    let (status, build) = start(json!({ "branch": "master" })).await;
    assert_eq!((status, &build["commit"]), (StatusCode::CREATED, &json!(commit)), "{build}");

    for body in [json!({ "tag": "v2.0" }), json!({ "tag": "v1.0", "branch": "master" })] {
        let (status, problem) = start(body.clone()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {problem}");
        assert_eq!(problem["errors"][0]["key"], "tag", "{body}: {problem}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_an_app_file_asks_for_in_vain_is_said_when_it_is_put(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let (_, app) = server.apply(&admin, &workshop()).await;
    assert_eq!(app["warnings"], json!([]));
    let mut guarded = workshop();
    guarded["stages"]["next"] = json!({ "profile": "development", "promote_from": "staging" });
    let dry = server.request(Method::PUT, "/api/v1/apps/workshop?dry_run=true");
    let (_, difference) = answer(dry.bearer_auth(&admin).json(&guarded)).await;
    let (_, app) = server.apply(&admin, &guarded).await;
    for answer in [difference, app] {
        let warning = answer["warnings"][0].as_str().unwrap();
        assert!(
            warning.starts_with("stages.next.promote_from: nothing can be promoted"),
            "{answer}"
        );
        assert_eq!(answer["warnings"].as_array().unwrap().len(), 1, "{answer}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_long_lived_stage_is_not_removed(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let start = server.post("/api/v1/apps/workshop/builds").bearer_auth(&admin);
    answer(start.json(&json!({ "commit": COMMIT, "stage": "staging" }))).await;
    let (_, stages) = answer(server.get("/api/v1/apps/workshop/stages").bearer_auth(&admin)).await;
    assert_eq!(stages["stages"][0]["name"], "staging");
    assert_eq!(stages["stages"][0]["kind"], "long-lived");
    let remove = server.post("/api/v1/apps/workshop/stages/staging/remove").bearer_auth(&admin);
    let (status, problem) = answer(remove).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("long-lived"), "{problem}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_preview_is_removed_dependents_first_and_once(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let stage = preview(&server).await;
    let start = server.post("/api/v1/apps/workshop/builds").bearer_auth(&admin);
    let wanted = json!({ "branch": "feature/login", "commit": COMMIT });
    let (status, build) = answer(start.json(&wanted)).await;
    assert_eq!(
        (status, &build["stage"]),
        (StatusCode::CREATED, &json!("feature-login")),
        "{build}"
    );
    {
        let mut conn = server.db.acquire().await.unwrap();
        let mut restapi = service("restapi");
        restapi.depends_on = vec![Dependency::declared("database".parse().unwrap())];
        for (number, spec) in [(1, service("database")), (2, restapi)] {
            let id = InstanceId(Uuid::from_u128(number));
            let region = "us-east-1".parse().unwrap();
            let now = server.now();
            store::instance::ensure(&mut conn, id, stage, &spec.name, &region, &spec, now)
                .await
                .unwrap();
            store::instance::failed(&mut conn, id, "half of it is there", now).await.unwrap();
        }
    }
    let remove = || {
        let path = "/api/v1/apps/workshop/stages/feature-login/remove";
        answer(server.post(path).bearer_auth(&admin))
    };
    let (status, build) = remove().await;
    assert_eq!(status, StatusCode::CREATED, "{build}");
    assert_eq!(build["purpose"], "remove");
    let jobs: Vec<_> = build["jobs"].as_array().unwrap().iter().collect();
    let of = |service: &str| *jobs.iter().find(|job| job["service"] == service).unwrap();
    assert_eq!(of("restapi")["state"], "queued");
    assert_eq!(of("database")["state"], "blocked");
    assert_eq!(of("database")["needs"], json!([of("restapi")["id"]]));
    let (status, problem) = remove().await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("already"), "{problem}");
}

async fn preview(server: &Server) -> StageId {
    let mut conn = server.db.acquire().await.unwrap();
    let app = store::app::find(&mut conn, &"workshop".parse().unwrap()).await.unwrap().unwrap();
    let id = StageId(Uuid::from_u128(9));
    let preview = NewStage {
        id,
        app_id: app.id,
        name: "feature-login".parse().unwrap(),
        kind: StageKind::Preview,
        profile: "development".parse().unwrap(),
        branch: Some("feature/login".parse().unwrap()),
        pull_request: Some(12),
        created_at: server.now(),
    };
    store::stage::insert(&mut conn, &preview).await.unwrap();
    id
}
