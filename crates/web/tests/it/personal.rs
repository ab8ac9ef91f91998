//! Work from people's own machines: who is let in, whose it is, and what is refused. Where no AWS
//! answers, nobody gets anything and nothing is left behind.

use chrono::TimeDelta;
use model::deployment::InstanceState;
use model::permission::Role;
use model::personal::{Owner, Source, Use};
use model::stage::{StageKind, StageState};
use model::{InstanceId, LaptopSessionId};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::order::Moment;
use store::personal::NewSession;
use store::stage::Stage;
use uuid::Uuid;

use crate::page_scene::{Scene, id, service};
use crate::support::{COMMIT, Server, answer, workshop};

/// A token of this name and role.
async fn token(server: &Server, name: &str, role: Role) -> String {
    let mut conn = server.db.acquire().await.unwrap();
    let text = format!("token-of-{name}");
    let hash = store::token::hash(&text);
    let new = store::token::NewToken::new(model::TokenId(id()), name, role, &hash, server.now());
    store::token::insert(&mut conn, &new).await.unwrap();
    text
}

fn wish(service: &str) -> Value {
    json!({ "service": service, "command": ["sls", "deploy"], "source": { "commit": COMMIT } })
}

async fn begins(server: &Server, token: &str, stage: &str, wish: &Value) -> (StatusCode, String) {
    let path = format!("/api/v1/apps/workshop/stages/{stage}/laptop");
    let (status, body) = answer(server.post(&path).bearer_auth(token).json(wish)).await;
    (status, format!("{} {}", body["detail"].as_str().unwrap_or_default(), body["errors"]))
}

/// A stage of this one's with a command that runs.
async fn own(scene: &Scene<'_>, who: &str) -> (Stage, LaptopSessionId, InstanceId) {
    let mut conn = scene.server.db.acquire().await.unwrap();
    let owner = Owner { person: None, name: who.into() };
    let now = scene.server.now();
    let ids = || -> Uuid { id() };
    let at = Moment { now, ids: &ids };
    let name = who.parse().unwrap();
    let stage = store::order::personal(&mut conn, &scene.app, &name, &owner, at).await.unwrap();
    let spec = service("restapi");
    let region = "us-east-1".parse().unwrap();
    let instance = InstanceId(id());
    let instance =
        store::personal::begun(&mut conn, instance, stage.id, &region, &spec, now).await.unwrap();
    let source =
        Source { commit: COMMIT.parse().unwrap(), pushed: None, branch: None, dirty: true };
    let session = LaptopSessionId(id());
    let new = NewSession {
        id: session,
        stage: stage.id,
        owner: &owner,
        service: &spec.name,
        region: &region,
        instance: Some(instance),
        purpose: Use::Exec,
        command: "npx serverless deploy",
        source: &source,
        machine: Some("their-laptop"),
        from_ip: None,
        parameters_digest: "",
        began_at: now,
        expires_at: now + TimeDelta::hours(1),
    };
    store::personal::insert(&mut conn, &new).await.unwrap();
    (stage, session, instance)
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn who_may_not_is_told_why_and_whose_the_stage_is(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    own(&scene, "ann").await;
    scene.stage("staging", StageKind::LongLived).await;
    scene.stage("feature-x", StageKind::Preview).await;
    let bob = token(&server, "bob", Role::Deployer).await;
    let viewer = token(&server, "eve", Role::Viewer).await;
    for (token, stage, expected, words) in [
        (&viewer, "eve", StatusCode::FORBIDDEN, "deployer or admin"),
        (&bob, "ann", StatusCode::CONFLICT, "personal stage of ann"),
        (&bob, "staging", StatusCode::CONFLICT, "laptop: [deployer]"),
        (&bob, "feature-x", StatusCode::CONFLICT, "preview"),
        (&bob, "no_name!", StatusCode::UNPROCESSABLE_ENTITY, "stage"),
    ] {
        let (status, said) = begins(&server, token, stage, &wish("restapi")).await;
        assert_eq!(status, expected, "{stage}: {said}");
        assert!(said.contains(words), "{stage}: {said}");
    }
    let (status, said) = begins(&server, &bob, "bob", &wish("nothing")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(said.contains("it has restapi"), "{said}");
    let mut outside = wish("restapi");
    outside["spec"] = serde_json::to_value(service("restapi")).unwrap();
    outside["spec"]["path"] = json!("../elsewhere");
    let (status, said) = begins(&server, &bob, "bob", &outside).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{said}");
    assert!(said.contains("spec.path"), "{said}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn where_the_role_lets_nobody_in_no_stage_is_left_behind(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let bob = token(&server, "bob", Role::Deployer).await;
    let mut wish = wish("restapi");
    wish["spec"] = serde_json::to_value(service("restapi")).unwrap();
    let (status, said) = begins(&server, &bob, "bob", &wish).await;
    assert!(matches!(status, StatusCode::BAD_GATEWAY | StatusCode::FORBIDDEN), "{status} {said}");
    let mut conn = server.db.acquire().await.unwrap();
    let name = "bob".parse().unwrap();
    assert_eq!(store::stage::find_open(&mut conn, scene.app.id, &name).await.unwrap(), None);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_command_is_its_makers_and_what_cannot_be_looked_at_is_not_called_gone(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let (_, session, instance) = own(&scene, "ann").await;
    let (ann, bob) =
        (token(&server, "ann", Role::Deployer).await, token(&server, "bob", Role::Admin).await);
    let path = format!("/api/v1/apps/workshop/stages/ann/laptop/{session}");
    let end = json!({ "exit_code": 3 });
    for call in ["renew", "end"] {
        let request = server.post(&format!("{path}/{call}")).bearer_auth(&bob).json(&end);
        let (status, body) = answer(request).await;
        assert_eq!(status, StatusCode::CONFLICT, "{body}");
        assert!(body["detail"].as_str().unwrap().contains("ann began this"), "{body}");
    }
    let request = server.post(&format!("{path}/end")).bearer_auth(&ann).json(&end);
    let (status, body) = answer(request).await;
    assert_eq!((status, &body["state"]), (StatusCode::OK, &json!("ended")), "{body}");
    let mut conn = server.db.acquire().await.unwrap();
    let row = store::instance::get(&mut conn, instance).await.unwrap();
    assert_eq!(row.state, InstanceState::Failed);
    assert!(row.reason.unwrap().contains("could not be looked at"));
    drop(conn);
    // told again, it stays as it was told
    let again = json!({ "exit_code": 0 });
    let request = server.post(&format!("{path}/end")).bearer_auth(&ann).json(&again);
    assert_eq!(answer(request).await.1["exit_code"], json!(3));
    let request = server.post(&format!("{path}/renew")).bearer_auth(&ann);
    let (status, body) = answer(request).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    let list = server.get("/api/v1/apps/workshop/stages/ann/laptop").bearer_auth(&bob);
    let (_, list) = answer(list).await;
    assert_eq!(list["sessions"][0]["command"], json!("npx serverless deploy"), "{list}");
    assert_eq!(list["sessions"][0]["machine"], json!("their-laptop"));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_personal_stage_is_removed_by_its_owner_or_an_admin_and_not_while_a_command_runs(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let (stage, session, _) = own(&scene, "ann").await;
    let bob = token(&server, "bob", Role::Deployer).await;
    let ann = token(&server, "ann", Role::Deployer).await;
    let removes = |token: &str| {
        answer(server.post("/api/v1/apps/workshop/stages/ann/remove").bearer_auth(token))
    };
    let (status, body) = removes(&bob).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(body["detail"].as_str().unwrap().contains("personal stage of ann"), "{body}");
    let (status, body) = removes(&ann).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let said = body["detail"].as_str().unwrap();
    assert!(said.contains("a command of ann works in it"), "{said}");
    let mut conn = server.db.acquire().await.unwrap();
    store::personal::end(&mut conn, session, 0, server.now()).await.unwrap();
    drop(conn);
    let (status, body) = removes(&ann).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    let mut conn = server.db.acquire().await.unwrap();
    let state = store::stage::get(&mut conn, stage.id).await.unwrap().state;
    assert_eq!(state, StageState::Removing);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn pages_show_whose_a_stage_is_and_what_ran_there(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    own(&scene, "ann").await;
    let text = async |path: &str| server.get(path).send().await.unwrap().text().await.unwrap();
    let board = text("/").await;
    assert!(board.contains("Personal stages") && board.contains("of ann, used"), "{board}");
    let page = text("/apps/workshop/stages/ann").await;
    for words in ["npx serverless deploy", "not pushed, with changed files", "their-laptop"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("Build it"), "no build goes there");
}
