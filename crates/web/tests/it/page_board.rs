//! The board: what is deployed where, what is to be promoted, and to whom it is shown.

use model::StageId;
use model::permission::Role;
use model::stage::{StageKind, StageState};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::lead::{Found, Lead};
use store::stage::Stage;

use crate::page_scene::{Scene, shown};
use crate::support::{Server, answer};

const PROMOTE: &str = "href=\"/apps/workshop/stages/prod/promote\">Promote…</a>";

fn commit(digit: char) -> String {
    digit.to_string().repeat(40)
}

fn settings() -> Value {
    let mut file = crate::support::workshop();
    let profile = file["default_profile"].clone();
    file["stages"] = json!({
        "staging": { "profile": profile },
        "prod": { "profile": profile, "promote_from": "staging" },
    });
    file["rules"] = json!([
        { "branch": "master", "stage": "staging" },
        { "branch": "release", "stage": "prod" },
    ]);
    file
}

/// What GitHub said of the two.
async fn counted(server: &Server, to: &Stage, from: StageId, pair: (char, char), by: (u32, u32)) {
    let lead = Lead {
        stage_id: to.id,
        from_stage: from,
        base: commit(pair.0).parse().unwrap(),
        head: commit(pair.1).parse().unwrap(),
        found: Found::Counted { ahead_by: by.0, behind_by: by.1 },
    };
    let mut conn = server.db.acquire().await.unwrap();
    store::lead::put(&mut conn, &lead, server.now()).await.unwrap();
}

async fn as_whom(server: &Server, token: &str, path: &str) -> String {
    server.get(path).bearer_auth(token).send().await.unwrap().text().await.unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_is_told_by_its_commit_and_by_how_far_it_is_behind(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &settings()).await;
    let staging = scene.stage("staging", StageKind::LongLived).await;
    scene.past(&staging, "restapi", &commit('b')).await;
    let board = shown(&server, "/").await;
    for part in [
        "<code>bbbbbbb</code>",
        "Say hello",
        "octocat, <time",
        "by <a href=\"/apps/workshop/builds/1\">build 1</a>",
        "nothing of staging yet",
        PROMOTE,
    ] {
        assert!(board.contains(part), "{part}: {board}");
    }
    let order = [board.find(">staging</a>").unwrap(), board.find(">prod</a>").unwrap()];
    assert!(order[0] < order[1], "as a commit comes to them");

    let prod = scene.stage("prod", StageKind::LongLived).await;
    scene.past(&prod, "restapi", &commit('a')).await;
    assert!(shown(&server, "/").await.contains("differs from staging"), "nobody has counted yet");
    counted(&server, &prod, staging.id, ('a', 'b'), (3, 0)).await;
    let board = shown(&server, "/").await;
    assert!(board.contains("3 commits behind staging") && board.contains(PROMOTE), "{board}");
    let viewer = server.token(Role::Viewer).await;
    let seen = as_whom(&server, &viewer, "/").await;
    assert!(seen.contains("3 commits behind staging") && !seen.contains("Promote…"), "{seen}");

    scene.past(&prod, "restapi", &commit('b')).await;
    let board = shown(&server, "/").await;
    assert!(board.contains("same commit as staging") && !board.contains("Promote…"), "{board}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_service_at_another_commit_than_its_stage_is_named(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &settings()).await;
    let staging = scene.stage("staging", StageKind::LongLived).await;
    scene.past(&staging, "database", &commit('a')).await;
    scene.past(&staging, "restapi", &commit('b')).await;
    let board = shown(&server, "/").await;
    assert!(board.contains("2 services; database at <code>aaaaaaa</code></summary>"), "{board}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_wants_looking_after_is_marked(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &settings()).await;
    let staging = scene.stage("staging", StageKind::LongLived).await;
    let past = scene.past(&staging, "restapi", &commit('a')).await;
    let preview = scene.stage("feature-x", StageKind::Preview).await;
    scene.build(&preview, None, &[]).await;
    let mut conn = server.db.acquire().await.unwrap();
    store::instance::failed(&mut conn, past.instance, "no quota", server.now()).await.unwrap();
    let gone = scene.stage("feature-y", StageKind::Preview).await;
    store::stage::set_state(&mut conn, gone.id, StageState::Removing, server.now()).await.unwrap();
    store::stage::remove_failed(&mut conn, gone.id, "a bucket is left", None).await.unwrap();
    drop(conn);
    let board = shown(&server, "/").await;
    for mark in ["title=\"restapi\"><svg", "</svg>failed</span>", "</svg>removal failed</span>"] {
        assert!(board.contains(mark), "{mark}: {board}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn only_the_apps_that_somebody_may_read_are_shown(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &settings()).await;
    server.other_app().await;
    let stage = scene.stage("staging", StageKind::LongLived).await;
    scene.build(&stage, None, &[]).await;
    scene.stage("feature-x", StageKind::Preview).await;
    let token = server.token_in("other", Role::Deployer).await;
    for path in ["/", "/previews"] {
        let seen = as_whom(&server, &token, path).await;
        assert!(!seen.contains("workshop") && !seen.contains("feature-x"), "{path}: {seen}");
        assert!(!seen.contains("href=\"/system\""), "what is not theirs is not in the navigation");
        let all = shown(&server, path).await;
        assert!(all.contains("workshop") && all.contains("feature-x"), "{path}: {all}");
    }
    assert!(as_whom(&server, &token, "/").await.contains("id=\"app-other\""));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn previews_are_found_by_what_people_know_of_them(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &settings()).await;
    for name in ["feature-x", "feature-y"] {
        let preview = scene.stage(name, StageKind::Preview).await;
        scene.build(&preview, None, &[]).await;
    }
    for (query, x, y) in [
        ("", true, true),
        ("?q=FEATURE-x", true, false),
        ("?q=octocat&app=workshop", true, true),
        ("?q=nobody", false, false),
    ] {
        let page = shown(&server, &format!("/previews{query}")).await;
        let has = |name: &str| page.contains(&format!("/stages/{name}\" data-open"));
        assert_eq!((has("feature-x"), has("feature-y")), (x, y), "{query}: {page}");
    }
    let none = shown(&server, "/previews?q=nobody").await;
    assert!(none.contains("No preview is like that"), "{none}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_newcomer_is_led_to_the_first_app(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let board = shown(&server, "/").await;
    assert!(board.contains("No app yet") && board.contains("href=\"/apps/new\""), "{board}");
    let viewer = server.token(Role::Viewer).await;
    let seen = as_whom(&server, &viewer, "/").await;
    assert!(seen.contains("An admin of this server sets up the first one"), "{seen}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn many_apps_stand_on_several_pages_and_are_found_by_name_or_repository(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.token(Role::Admin).await;
    let names: Vec<String> = (10..35).map(|number| format!("shop-{number}")).collect();
    for name in &names {
        let mut file = settings();
        file["app"] = json!(name);
        file["repository"] = json!(format!("Acme/{}", name.to_uppercase()));
        let request = server.request(Method::PUT, &format!("/api/v1/apps/{name}"));
        let (status, said) = answer(request.bearer_auth(&admin).json(&file)).await;
        assert_eq!(status, StatusCode::CREATED, "{said}");
    }
    let on = |page: &str| -> Vec<String> {
        let is_there = |name: &&String| page.contains(&format!("id=\"app-{name}\""));
        names.iter().filter(is_there).cloned().collect()
    };
    let first = shown(&server, "/").await;
    assert_eq!(on(&first), names[..20]);
    let (before, _) = first.split_once("\">More apps</a>").unwrap();
    let (_, next) = before.rsplit_once("href=\"").unwrap();
    let second = shown(&server, next).await;
    assert_eq!(on(&second), names[20..]);
    assert!(!second.contains("More apps"), "{second}");
    assert_eq!(on(&shown(&server, "/?q=ME%2Fshop-3").await), names[20..]);
    assert!(shown(&server, "/?q=cart").await.contains("No app is called like that"));
    let few = server.token_in("shop-10", Role::Viewer).await;
    let nothing = as_whom(&server, &few, "/?q=cart").await;
    assert!(nothing.contains("No app is called like that"), "{nothing}");
}
