//! Monitors of builds, badges, and how programs sign in that know passwords alone.

use model::build::BuildOutcome;
use model::permission::Role;
use reqwest::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, WWW_AUTHENTICATE};
use reqwest::{Method, StatusCode};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use web::Access;

use crate::job::Story;
use crate::support::{SECRETS, Server, answer};

const BADGE: &str = "/apps/workshop/stages/staging/badge.svg";

/// A server that knows nobody by being near, and a build of staging that failed.
async fn failed(pool: PgPoolOptions, options: PgConnectOptions) -> Server {
    let server = Server::with(pool, options, Access::Token, &SECRETS).await;
    let admin = server.workshop().await;
    let build = Story::build(&server, &admin).await;
    let mut conn = server.db.acquire().await.unwrap();
    let build = build["id"].as_str().unwrap().parse().unwrap();
    let outcome = BuildOutcome::Failed;
    store::build::finish(&mut conn, build, outcome, Some("it broke"), server.now()).await.unwrap();
    drop(conn);
    server
}

async fn text(server: &Server, path: &str, token: &str) -> String {
    let (status, text) = answer(server.get(path).bearer_auth(token)).await;
    assert_eq!(status, StatusCode::OK, "{path}: {text}");
    text.as_str().unwrap().to_owned()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_monitor_sees_each_stage_of_the_apps_that_its_token_may_read(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = failed(pool, options).await;
    server.other_app().await;
    let viewer = server.token_in("workshop", Role::Viewer).await;
    let projects = text(&server, "/cc.xml", &viewer).await;
    assert!(projects.starts_with("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Projects>"));
    let project = "<Project name=\"workshop staging\" activity=\"Sleeping\" \
                   lastBuildStatus=\"Failure\" lastBuildLabel=\"1\" \
                   lastBuildTime=\"2024-10-04T00:00:00Z\" \
                   webUrl=\"https://ci.example.com/apps/workshop/stages/staging\"/>";
    assert!(projects.contains(project), "{projects}");
    assert!(!projects.contains("other"), "{projects}");

    let admin = server.token(Role::Admin).await;
    Story::build(&server, &admin).await;
    let projects = text(&server, "/cc.xml", &viewer).await;
    let building = "activity=\"Building\" lastBuildStatus=\"Failure\" lastBuildLabel=\"1\"";
    assert!(projects.contains(building), "{projects}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn who_asks_again_is_told_whether_anything_changed(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = failed(pool, options).await;
    let viewer = server.token(Role::Viewer).await;
    for path in ["/cc.xml", BADGE] {
        let first = server.get(path).bearer_auth(&viewer).send().await.unwrap();
        let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
        assert_eq!(first.headers()[CACHE_CONTROL], "private, no-cache", "{path}");
        let again = || server.get(path).bearer_auth(&viewer).header(IF_NONE_MATCH, &tag);
        assert_eq!(again().send().await.unwrap().status(), StatusCode::NOT_MODIFIED, "{path}");
        let other = server.get(path).bearer_auth(&viewer).header(IF_NONE_MATCH, "W/\"other\"");
        assert_eq!(other.send().await.unwrap().status(), StatusCode::OK, "{path}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn programs_that_know_only_passwords_show_the_token_as_one_and_only_to_read(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = failed(pool, options).await;
    let viewer = server.token(Role::Viewer).await;
    let feeds = ["/apps/workshop/feed.atom", "/apps/workshop/stages/staging/feed.atom"];
    let badges = ["/apps/workshop/badge.svg", BADGE];
    for path in feeds.into_iter().chain(badges).chain(["/cc.xml", "/metrics"]) {
        let asked = server.get(path).send().await.unwrap();
        assert_eq!(asked.status(), StatusCode::UNAUTHORIZED, "{path}");
        let challenge = asked.headers()[WWW_AUTHENTICATE].to_str().unwrap();
        assert!(challenge.starts_with("Basic realm="), "{path}: {challenge}");
        let right = server.get(path).basic_auth("reader", Some(&viewer)).send().await.unwrap();
        assert_eq!(right.status(), StatusCode::OK, "{path}");
        let wrong = server.get(path).basic_auth("reader", Some("nobody's")).send().await.unwrap();
        assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    let admin = server.token(Role::Admin).await;
    for (method, path) in [
        (Method::GET, "/builds"),
        (Method::GET, "/api/v1/apps"),
        (Method::POST, "/apps/workshop/stages/staging/build"),
        (Method::POST, "/apps/workshop/settings/badges"),
    ] {
        let request = server.request(method, path).basic_auth("x", Some(&admin));
        let status = request.form(&[("what", "publish")]).send().await.unwrap().status();
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_badge_says_how_a_stage_and_an_app_stand(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = failed(pool, options).await;
    let viewer = server.token(Role::Viewer).await;
    let stage = server.get(BADGE).bearer_auth(&viewer).send().await.unwrap();
    let kind = stage.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind, "image/svg+xml; charset=utf-8");
    let stage = stage.text().await.unwrap();
    assert!(stage.contains("<title>workshop staging: failed</title>"), "{stage}");
    let app = text(&server, "/apps/workshop/badge.svg", &viewer).await;
    assert!(app.contains("<title>workshop: staging failed</title>"), "{app}");
    let preview = "/apps/workshop/stages/feature-x/badge.svg";
    let (status, _) = answer(server.get(preview).bearer_auth(&viewer)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

/// What the settings page gives to paste, without what is around the key.
async fn public_badge(server: &Server, token: &str) -> Option<String> {
    let page = text(server, "/apps/workshop/settings", token).await;
    let (_, rest) = page.split_once("https://ci.example.com/badges/")?;
    let (path, _) = rest.split_once("/badge.svg")?;
    Some(format!("/badges/{path}"))
}

async fn set(server: &Server, token: &str, what: &str) {
    let request = server.post("/apps/workshop/settings/badges").bearer_auth(token);
    let answer = request.form(&[("what", what)]).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{what}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn badges_are_for_everybody_only_under_an_address_that_an_admin_made(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = failed(pool, options).await;
    let admin = server.token(Role::Admin).await;
    let status = async |path: &str| server.get(path).send().await.unwrap().status();
    assert_eq!(public_badge(&server, &admin).await, None);
    assert_eq!(status(BADGE).await, StatusCode::UNAUTHORIZED);

    set(&server, &admin, "publish").await;
    let first = public_badge(&server, &admin).await.expect("Markdown to paste");
    let badge = server.get(&format!("{first}/badge.svg")).send().await.unwrap();
    assert_eq!(badge.status(), StatusCode::OK);
    assert_eq!(badge.headers()[CACHE_CONTROL], "public, max-age=60");
    assert!(badge.text().await.unwrap().contains("workshop: staging failed"));
    let stage = format!("{first}/stages/staging/badge.svg");
    assert_eq!(status(&stage).await, StatusCode::OK);

    set(&server, &admin, "publish").await;
    let second = public_badge(&server, &admin).await.expect("Markdown to paste");
    assert_ne!(first, second);
    assert_eq!(status(&stage).await, StatusCode::NOT_FOUND, "the address before is over");
    assert_eq!(status(&format!("{second}/badge.svg")).await, StatusCode::OK);

    set(&server, &admin, "hide").await;
    assert_eq!(status(&format!("{second}/badge.svg")).await, StatusCode::NOT_FOUND);
    assert_eq!(public_badge(&server, &admin).await, None);
    let audit = text(&server, "/audit", &admin).await;
    assert!(audit.contains("gave the badges a public address"), "{audit}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_wrong_key_is_answered_alike_whatever_there_is(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = failed(pool, options).await;
    let admin = server.token(Role::Admin).await;
    set(&server, &admin, "publish").await;
    let key = public_badge(&server, &admin).await.unwrap();
    for path in [
        "/badges/0000/badge.svg".to_owned(),
        "/badges/workshop/badge.svg".to_owned(),
        "/badges/0000/stages/staging/badge.svg".to_owned(),
        "/badges/0000/stages/n%20o/badge.svg".to_owned(),
        format!("{key}/stages/nowhere/badge.svg"),
        format!("{key}/stages/feature-x/badge.svg"),
    ] {
        let answer = server.get(&path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        let page = answer.text().await.unwrap();
        assert!(page.contains("there is no badge at this address"), "{page}");
        assert!(!page.contains("workshop") || path.contains("workshop"), "{page}");
    }
}
