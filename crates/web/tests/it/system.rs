//! The system page and `GET /api/v1/system`: each part in words, and deliveries one by one.

use chrono::TimeDelta;
use model::permission::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::delivery::{DeliveryEnd, NewDelivery};

use crate::authority_ground::notification;
use crate::page_approval::settings;
use crate::page_scene::{Scene, shown};
use crate::support::{Server, answer};

const GUID: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";

async fn deliver(server: &Server, guid: &str, event: &str, body: &Value) {
    let delivery = NewDelivery {
        guid: guid.into(),
        event: event.into(),
        headers: json!({ "x-github-event": event, "user-agent": "<script>GitHub</script>" }),
        body: body.to_string().into(),
        received_at: server.now(),
    };
    let mut conn = server.db.acquire().await.unwrap();
    store::delivery::insert(&mut conn, &[delivery]).await.unwrap();
}

async fn part(server: &Server, token: &str, name: &str) -> Value {
    let (status, system) = answer(server.get("/api/v1/system").bearer_auth(token)).await;
    assert_eq!(status, StatusCode::OK, "{system}");
    let parts = system["parts"].as_array().unwrap();
    parts.iter().find(|part| part["part"] == name).unwrap().clone()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn every_part_says_how_it_fares(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let viewer = server.token(Role::Viewer).await;
    assert_eq!(part(&server, &viewer, "workers").await["health"], "failing");
    server.worker("one").await;
    let workers = part(&server, &viewer, "workers").await;
    assert_eq!(workers["health"], "ok");
    assert_eq!(workers["reason"], "1 worker here, 0 of 2 slots busy.");
    assert_eq!(part(&server, &viewer, "database").await["health"], "ok");
    assert_eq!(part(&server, &viewer, "deliveries").await["health"], "off");
    let (_, system) = answer(server.get("/api/v1/system").bearer_auth(&viewer)).await;
    assert_eq!(system["health"], "ok", "{system}");
    assert!(system["database"]["size_bytes"].as_i64().unwrap() > 0, "{system}");
    let page = shown(&server, "/system").await;
    assert!(page.contains("1 worker here, 0 of 2 slots busy."), "{page}");

    server.pass(TimeDelta::minutes(10));
    let page = shown(&server, "/system").await;
    assert!(page.contains("No worker is here"), "{page}");
    assert!(page.contains("silent</span>"), "{page}");
    let (_, system) = answer(server.get("/api/v1/system").bearer_auth(&viewer)).await;
    assert_eq!(system["health"], "failing", "{system}");

    deliver(&server, GUID, "push", &json!({})).await;
    server.pass(TimeDelta::minutes(5));
    let deliveries = part(&server, &viewer, "deliveries").await;
    assert_eq!(deliveries["health"], "degraded", "{deliveries}");
    assert!(deliveries["remedy"].is_string(), "{deliveries}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_delivery_is_found_read_and_replayed(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let body = json!({ "ref": "refs/heads/</pre><script>alert(1)</script>" });
    deliver(&server, GUID, "push", &body).await;
    deliver(&server, "another", "ping", &json!({})).await;
    {
        let mut conn = server.db.acquire().await.unwrap();
        let why = DeliveryEnd::Failed("<b>no</b> such app".into());
        store::delivery::end(&mut conn, GUID, why, server.now()).await.unwrap();
    }
    let failed = shown(&server, "/system/deliveries?state=failed").await;
    assert!(failed.contains(GUID) && !failed.contains("another"), "{failed}");
    let pings = shown(&server, "/system/deliveries?event=ping").await;
    assert!(!pings.contains(GUID) && pings.contains("another"), "{pings}");
    let wrong = server.get("/system/deliveries?state=lost").send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);

    let path = format!("/system/deliveries/{GUID}");
    let page = shown(&server, &path).await;
    for part in
        ["&#34;ref&#34;: &#34;refs/heads/", "&#60;b&#62;no&#60;/b&#62; such app", "x-github-event"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    for markup in ["<script>alert", "<script>GitHub", "<b>no"] {
        assert!(!page.contains(markup), "{markup}: {page}");
    }
    let raw = server.get(&format!("{path}/body")).send().await.unwrap();
    assert_eq!(raw.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(raw.headers()["x-content-type-options"], "nosniff");
    assert_eq!(raw.text().await.unwrap(), body.to_string());

    let viewer = server.token(Role::Viewer).await;
    let theirs = server.get(&path).bearer_auth(&viewer).send().await.unwrap();
    assert!(!theirs.text().await.unwrap().contains("Replay…"), "no button that would be refused");
    for refused in [server.get(&format!("{path}/replay")), server.post(&format!("{path}/replay"))] {
        let status = refused.bearer_auth(&viewer).send().await.unwrap().status();
        assert_eq!(status, StatusCode::FORBIDDEN);
    }
    let dialog = shown(&server, &format!("{path}/replay")).await;
    assert!(dialog.contains("is not made a second time"), "{dialog}");
    let done = server.post(&format!("{path}/replay")).send().await.unwrap();
    assert_eq!(done.headers()["location"], path.as_str());
    let page = shown(&server, &path).await;
    assert!(page.contains("received</span>"), "it waits for intake again: {page}");
    let nothing = server.get("/system/deliveries/none").send().await.unwrap();
    assert_eq!(nothing.status(), StatusCode::NOT_FOUND);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_a_receiver_was_not_told_is_sent_again_by_those_who_may(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &settings()).await;
    let id = notification(&scene).await;
    let viewer = server.token(Role::Viewer).await;
    let listed = async || {
        let (_, listed) =
            answer(server.get("/api/v1/system/notifications").bearer_auth(&viewer)).await;
        listed["notifications"][0].clone()
    };
    let given_up = listed().await;
    assert_eq!((&given_up["state"], &given_up["id"]), (&json!("given_up"), &json!(id)));
    assert_eq!(given_up["next_attempt_at"], json!(null));
    assert!(shown(&server, "/system").await.contains("given up"));
    let path = format!("/system/notifications/{id}/replay");
    let refused = server.post(&path).bearer_auth(&viewer).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let done = server.post(&path).send().await.unwrap();
    assert_eq!(done.headers()["location"], "/system#notifications");
    assert_eq!(listed().await["state"], "waiting");
    let admin = server.token(Role::Admin).await;
    let (_, audit) = answer(server.get("/api/v1/audit").bearer_auth(&admin)).await;
    assert_eq!(audit["entries"][0]["detail"]["thing"], "build/1", "{audit}");
    let nothing = format!("/api/v1/system/notifications/{}/replay", uuid::Uuid::nil());
    let nothing = server.post(&nothing).bearer_auth(&admin).send().await.unwrap();
    assert_eq!(nothing.status(), StatusCode::NOT_FOUND);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn github_is_told_at_once_by_those_who_may(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let hurry = || server.post("/system/outbox/hurry");
    let deployer = server.token(Role::Deployer).await;
    let refused = hurry().bearer_auth(&deployer).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let done = hurry().send().await.unwrap();
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let admin = server.token(Role::Admin).await;
    let (_, audit) = answer(server.get("/api/v1/audit").bearer_auth(&admin)).await;
    assert_eq!(audit["entries"][0]["action"], "hurry");
}
