//! The pages: whole without a script, escaped, and for nobody who may not see them.

use model::StageId;
use model::permission::Role;
use model::stage::StageKind;
use reqwest::StatusCode;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::stage::NewStage;
use uuid::Uuid;
use web::Access;

use crate::job::Story;
use crate::support::{Server, Worker};

const PAGES: [&str; 5] = ["/", "/builds", "/previews", "/styleguide", "/system"];

async fn page(server: &Server, path: &str) -> (StatusCode, String) {
    let answer = server.get(path).header("accept", "text/html").send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn every_page_is_there_for_an_empty_server(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    for path in PAGES {
        let answer = server.get(path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
        let text = answer.text().await.unwrap();
        assert!(
            !text.contains("style=") && !text.contains("onclick"),
            "{path}: against the policy"
        );
    }
    assert_eq!(page(&server, "/apps/unknown/builds/1").await.0, StatusCode::NOT_FOUND);
    let (status, text) = page(&server, "/nowhere").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(text.contains("<!doctype html>") && text.contains("request"), "{text}");
    for file in ["greenroom.css", "greenroom.js", "icon-ok.svg"] {
        assert_eq!(page(&server, &format!("/static/{file}")).await.0, StatusCode::OK, "{file}");
    }
    let (status, schema) = page(&server, "/schema/greenroom.json").await;
    assert_eq!(status, StatusCode::OK);
    assert!(schema.contains("\"title\": \"greenroom.yml\""), "editors read it from here");
}

async fn fill(server: &Server, worker: &Worker<'_>, story: &Story<'_>) {
    story.package(worker).await;
    let deploy = worker.job().await;
    worker.log(&deploy, 0, "<b>bold</b> \u{1b}[31mred\u{1b}[0m\n").await;
    let deployed = json!({ "kind": "deployed", "deployed": {
        "stacks": ["restapi-staging"],
        "outputs": { "Url": "https://x.example", "Odd": "javascript:alert(1)" },
        "endpoints": ["https://x.example", "javascript:alert(1)"],
    } });
    let status = worker.finish(&deploy, crate::job::succeeded(), deployed).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let mut conn = server.db.acquire().await.unwrap();
    let app = store::app::find(&mut conn, &"workshop".parse().unwrap()).await.unwrap().unwrap();
    let preview = NewStage {
        id: StageId(Uuid::from_u128(9)),
        app_id: app.id,
        name: "script-alert".parse().unwrap(),
        kind: StageKind::Preview,
        profile: "development".parse().unwrap(),
        branch: Some("<script>alert(1)</script>".parse().unwrap()),
        pull_request: Some(12),
        created_at: server.now(),
    };
    store::stage::insert(&mut conn, &preview).await.unwrap();
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_filled_server_shows_what_it_has_and_escapes_it(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let story = Story::planned(&server).await;
    let worker = server.worker("one").await;
    fill(&server, &worker, &story).await;
    let stage = "/apps/workshop/stages/staging";
    for (path, shows) in [
        ("/", "restapi"),
        ("/", "&#60;script&#62;alert(1)"),
        ("/builds?app=workshop&state=running", "workshop #1"),
        ("/builds?app=workshop&branch=%3Cscript%3E", "No build is like that"),
        ("/apps/workshop/builds/1", "it was never in this stage"),
        ("/apps/workshop/builds/1", "&lt;b&gt;bold&lt;/b&gt; <span class=\"f1\">red</span>"),
        (stage, "restapi-staging"),
        (stage, "<a href=\"https://x.example\""),
        (stage, "deploy restapi"),
        ("/apps/workshop/stages/script-alert", "#12"),
        ("/previews", "&#60;script&#62;alert(1)"),
        ("/system", "bubblewrap"),
    ] {
        let (status, text) = page(&server, path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        assert!(text.contains(shows), "{path} shows {shows}: {text}");
        assert!(!text.contains("<script>alert"), "{path}");
        assert!(!text.contains("href=\"javascript:"), "{path}");
        assert!(!text.contains("s3cr3t-value"), "{path}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_build_is_canceled_and_run_again_by_its_buttons(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    Story::build(&server, &admin).await;
    let post = |path: &str| server.post(path).form(&[("failed_only", "true")]);
    let foreign = post("/apps/workshop/builds/1/cancel").header("sec-fetch-site", "cross-site");
    assert_eq!(foreign.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let canceled = post("/apps/workshop/builds/1/cancel").send().await.unwrap();
    assert_eq!(canceled.status(), StatusCode::SEE_OTHER);
    assert_eq!(canceled.headers()["location"], "/apps/workshop/builds/1");
    assert!(
        page(&server, "/apps/workshop/builds/1")
            .await
            .1
            .contains("canceled by someone on this machine")
    );
    let again = post("/apps/workshop/builds/1/rerun").send().await.unwrap();
    assert_eq!(again.headers()["location"], "/apps/workshop/builds/2");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn only_someone_on_this_machine_needs_no_token(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let through_a_proxy = server.get("/").header("x-forwarded-for", "203.0.113.9");
    assert_eq!(through_a_proxy.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let rebound = server.get("/").header("host", "evil.example");
    assert_eq!(rebound.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let metrics = server.get("/metrics").header("x-forwarded-for", "203.0.113.9");
    assert_eq!(metrics.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn with_token_access_everyone_signs_in_and_a_viewer_changes_nothing(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::with(pool, options, Access::Token, &[]).await;
    let admin = server.workshop().await;
    Story::build(&server, &admin).await;
    for path in PAGES {
        let (status, text) = page(&server, path).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{path}");
        assert!(!text.contains("workshop"), "{path}");
    }
    let sign_in = |token: &str| {
        server.post("/login/token").form(&[("token", token), ("back", "/builds")]).send()
    };
    assert_eq!(sign_in("wrong").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let worker = server.token(Role::Worker).await;
    assert_eq!(sign_in(&worker).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let viewer = server.token(Role::Viewer).await;
    let signed_in = sign_in(&viewer).await.unwrap();
    assert_eq!(signed_in.status(), StatusCode::SEE_OTHER);
    assert_eq!(signed_in.headers()["location"], "/builds");
    let cookie = signed_in.headers()["set-cookie"].to_str().unwrap().to_owned();
    for part in ["HttpOnly", "SameSite=Lax", "Secure"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let build = "/apps/workshop/builds/1";
    let shown = server.get(build).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(shown.status(), StatusCode::OK);
    assert!(!shown.text().await.unwrap().contains("Cancel</button>"), "a viewer has no button");
    let cancel = server.post(&format!("{build}/cancel")).header("cookie", &cookie);
    assert_eq!(cancel.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let by_header = server.get("/").bearer_auth(&viewer).send().await.unwrap();
    assert_eq!(by_header.status(), StatusCode::OK);
}
