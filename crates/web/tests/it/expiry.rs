//! Previews that end by themselves: extended, rescheduled by another app file, and removed as far as
//! somebody wants.

use chrono::TimeDelta;
use model::stage::StageKind;
use model::worker_api::RemoveHow;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::job::Work;
use store::stage::Stage;

use crate::page_scene::{Scene, service};
use crate::support::{Server, answer, workshop};

/// The workshop with previews that live so long.
fn file(lifetime: Option<&str>) -> Value {
    let mut file = workshop();
    let mut preview = json!({ "base": ["master"] });
    if let Some(lifetime) = lifetime {
        preview["expires_after"] = json!(lifetime);
    }
    file["rules"] = json!([{ "preview": preview }]);
    file
}

/// A preview of a pull request against master, needed now.
async fn preview(scene: &Scene<'_>) -> Stage {
    let stage = scene.stage("feature-x", StageKind::Preview).await;
    let mut conn = scene.server.db.acquire().await.unwrap();
    let base = "master".parse().unwrap();
    store::stage::follow(&mut conn, stage.id, Some(7), &base).await.unwrap();
    let now = scene.server.now();
    store::order::use_stage(&mut conn, &scene.app, stage.id, now).await.unwrap();
    store::stage::get(&mut conn, stage.id).await.unwrap()
}

async fn row(server: &Server, stage: &Stage) -> Stage {
    store::stage::get(&mut server.db.acquire().await.unwrap(), stage.id).await.unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_preview_is_extended_by_its_whole_time(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &file(Some("4h"))).await;
    let stage = preview(&scene).await;
    let token = server.token(model::permission::Role::Deployer).await;
    server.pass(TimeDelta::hours(3));
    let extend = |name: &str| {
        let path = format!("/api/v1/apps/workshop/stages/{name}/extend");
        answer(server.post(&path).bearer_auth(&token))
    };
    let (status, shown) = extend("feature-x").await;
    assert_eq!(status, StatusCode::OK, "{shown}");
    let left = row(&server, &stage).await.expires_at.unwrap() - server.now();
    assert!(left > TimeDelta::minutes(239), "{left}");
    assert_eq!((&shown["base"], &shown["left_over"]), (&json!("master"), &Value::Null));

    scene.stage("staging", StageKind::LongLived).await;
    let (status, problem) = extend("staging").await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("it is no preview"), "{problem}");
    let (status, _) = extend("nowhere").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let viewer = server.token(model::permission::Role::Viewer).await;
    let path = "/api/v1/apps/workshop/stages/feature-x/extend";
    let (status, _) = answer(server.post(path).bearer_auth(&viewer)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn another_app_file_moves_the_end_of_the_previews_that_stand(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let scene = Scene::of(&server, &file(Some("4h"))).await;
    let stage = preview(&scene).await;
    let needed = stage.active_at;
    for (lifetime, expected) in [(Some("2d"), Some(48)), (None, None), (Some("1h"), Some(1))] {
        server.apply(&admin, &file(lifetime)).await;
        let expires_at = row(&server, &stage).await.expires_at;
        assert_eq!(expires_at, expected.map(|hours| needed + TimeDelta::hours(hours)));
    }
    server.apply(&admin, &file(None)).await;
    let path = "/api/v1/apps/workshop/stages/feature-x/extend";
    let (status, problem) = answer(server.post(path).bearer_auth(&admin)).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("expires_after"), "{problem}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_fixed_name_that_another_stage_has_is_a_mistake_of_the_file(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let scene = Scene::of(&server, &file(None)).await;
    preview(&scene).await;
    let mut shared = file(None);
    shared["rules"][0]["preview"]["stage_name"] = json!({ "fixed": "Feature-X" });
    let (status, problem) = server.apply(&admin, &shared).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let mistake = &problem["errors"][0];
    assert_eq!(mistake["key"], "rules", "{problem}");
    let said = mistake["message"].as_str().unwrap();
    assert!(said.starts_with("the preview of branch feature-x has the name"), "{said}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_removal_goes_as_far_as_it_is_told(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let scene = Scene::of(&server, &file(None)).await;
    let stage = preview(&scene).await;
    scene.build(&stage, None, &[]).await;
    {
        let mut conn = server.db.acquire().await.unwrap();
        let (id, spec, now) = (server.id(), service("restapi"), server.now());
        let region = "us-east-1".parse().unwrap();
        let id = model::InstanceId(id);
        store::instance::ensure(&mut conn, id, stage.id, &spec.name, &region, &spec, now)
            .await
            .unwrap();
        store::instance::failed(&mut conn, id, "half of it is there", now).await.unwrap();
    }
    let remove = |how: Value| {
        let path = "/api/v1/apps/workshop/stages/feature-x/remove";
        answer(server.post(path).bearer_auth(&admin).json(&how))
    };
    let (status, problem) = remove(json!({ "how": "gently" })).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let (status, build) = remove(json!({ "how": "forced" })).await;
    assert_eq!(status, StatusCode::CREATED, "{build}");
    let mut conn = server.db.acquire().await.unwrap();
    let build = build["id"].as_str().unwrap().parse().unwrap();
    let jobs = store::job::list(&mut conn, build).await.unwrap();
    let how = match &jobs[0].work {
        Some(Work::Removal { how, .. }) => *how,
        other => panic!("{other:?}"),
    };
    assert_eq!(how, RemoveHow::Forced);
    assert_eq!(row(&server, &stage).await.remove_how, RemoveHow::Forced);
}
