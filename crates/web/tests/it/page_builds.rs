//! The list of builds, its search, and the feeds.

use model::build::{BuildOutcome, Purpose};
use model::permission::Role;
use reqwest::StatusCode;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::job::Story;
use crate::support::Server;

async fn page(server: &Server, path: &str) -> (StatusCode, String) {
    let answer = server.get(path).header("accept", "text/html").send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn builds_are_found_by_what_people_remember_of_them(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    Story::build(&server, &admin).await;
    for (query, found) in [
        ("q=1111111", true),
        ("q=nothing-like-that", false),
        ("q=%25", false),
        ("app=workshop&q=1111", true),
        ("state=running", true),
        ("state=failed", false),
    ] {
        let (status, text) = page(&server, &format!("/builds?{query}")).await;
        assert_eq!(status, StatusCode::OK, "{query}: {text}");
        assert_eq!(text.contains("workshop #1"), found, "{query}");
    }
    let (status, text) = page(&server, "/builds?state=broken").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text.contains("running, waiting or finished"), "{text}");
    let (_, text) = page(&server, "/builds?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert!(!text.contains("<script>alert"), "{text}");
    let (_, text) = page(&server, "/builds").await;
    assert!(text.contains("no worker has been heard of lately"), "why it does not go on: {text}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_no_text_can_keep_is_refused_in_an_address_and_in_a_form(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let form = server.post("/login/token").form(&[("token", "a\0b")]);
    for request in [server.get("/builds?q=a%00b"), server.get("/apps/a%00b/stages/dev"), form] {
        let answer = request.header("accept", "text/html").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let text = answer.text().await.unwrap();
        assert!(text.contains("the character NUL"), "{text}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_feed_tells_of_finished_builds_and_of_no_others(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    Story::build(&server, &admin).await;
    let feed = "/apps/workshop/feed.atom";
    let (status, text) = page(&server, feed).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert!(!text.contains("<entry>"), "it runs: {text}");
    let mut conn = server.db.acquire().await.unwrap();
    let app = store::app::find(&mut conn, &"workshop".parse().unwrap()).await.unwrap().unwrap();
    let build = store::build::find(&mut conn, app.id, 1).await.unwrap().unwrap();
    assert_eq!(build.purpose, Purpose::Deploy);
    let failed = BuildOutcome::Failed;
    store::build::finish(&mut conn, build.id, failed, Some("<b>"), server.now()).await.unwrap();
    for path in [feed, "/apps/workshop/stages/staging/feed.atom"] {
        let answer = server.get(path).send().await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(kind.starts_with("application/atom+xml"), "{kind}");
        let text = answer.text().await.unwrap();
        assert!(text.contains("#1 failed for staging"), "{text}");
        assert!(text.contains("https://ci.example.com/apps/workshop/builds/1"), "{text}");
        assert!(!text.contains("<b>"), "{text}");
    }
    let viewer = server.token(Role::Viewer).await;
    let by_password = server.get(feed).basic_auth("feed", Some(viewer)).send().await.unwrap();
    assert_eq!(by_password.status(), StatusCode::OK);
    let (status, _) = page(&server, "/apps/workshop/stages/nowhere/feed.atom").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
