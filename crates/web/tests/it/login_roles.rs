//! What people may after they signed in: by GitHub's word, asked again, and by the configuration.

use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::entrance::{Browser, House, REPOSITORY, TOKEN, location, login};
use crate::support::{Server, answer, workshop};

const STAGE: &str = "/apps/workshop/stages/staging";

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_right_in_the_repository_is_a_role_in_the_app(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    for (right, freeze) in [
        ("admin", StatusCode::OK),
        ("maintain", StatusCode::OK),
        ("write", StatusCode::OK),
        ("triage", StatusCode::FORBIDDEN),
        ("read", StatusCode::FORBIDDEN),
    ] {
        house.github.set_right(REPOSITORY, "grace", Some(right));
        let mut grace = house.browser("grace").await;
        assert_eq!(grace.page("/").await.0, StatusCode::OK, "{right}");
        assert_eq!(grace.page(&format!("{STAGE}/freeze")).await.0, freeze, "{right}");
        let administers = grace.page("/tokens").await.0 == StatusCode::OK;
        assert_eq!(administers, ["admin", "maintain"].contains(&right), "{right}");
        assert_eq!(grace.page("/system").await.0, StatusCode::FORBIDDEN, "{right}: one app only");
    }
    assert!(house.github.unknown_calls().is_empty(), "{:?}", house.github.unknown_calls());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn somebody_without_rights_is_told_so_and_whom_to_ask(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    let mut linus = house.browser("linus").await;
    for path in ["/", "/builds", STAGE, "/previews", "/audit", "/members", "/metrics"] {
        let (status, page) = linus.page(path).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
        assert!(page.contains("have no rights here yet"), "{path}");
        assert!(page.contains("<strong>ada</strong>") && !page.contains("workshop"), "{path}");
    }
    house.github.set_right(REPOSITORY, "linus", Some("read"));
    linus.post("/account/check", &[]).await;
    assert_eq!(linus.page("/").await.0, StatusCode::OK, "asked again by the button");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn that_everybody_may_read_a_public_repository_gives_nobody_a_role(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    house.github.repo(REPOSITORY).set_private(false).unwrap();
    let mut linus = house.browser("linus").await;
    assert_eq!(linus.page("/").await.0, StatusCode::FORBIDDEN);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_right_that_was_taken_is_gone_after_ten_minutes_and_a_person_too(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    house.github.set_right(REPOSITORY, "grace", Some("write"));
    let mut grace = house.browser("grace").await;
    house.github.set_right(REPOSITORY, "grace", Some("read"));
    assert_eq!(grace.page(&format!("{STAGE}/freeze")).await.0, StatusCode::OK, "not asked yet");
    house.server.pass(TimeDelta::minutes(10));
    assert_eq!(grace.page(&format!("{STAGE}/freeze")).await.0, StatusCode::FORBIDDEN);
    house.github.remove_user("grace");
    house.server.pass(TimeDelta::minutes(10));
    assert_eq!(grace.page("/").await.0, StatusCode::FORBIDDEN);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_login_that_went_to_somebody_else_takes_no_rights_along(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    let mut ada = house.browser("ada").await;
    assert_eq!(ada.page("/system").await.0, StatusCode::OK);
    house.github.rename_user("ada", "ada-l");
    house.github.user("ada");
    house.server.pass(TimeDelta::minutes(10));
    assert_eq!(ada.page("/system").await.0, StatusCode::FORBIDDEN, "the configuration names ada");
    let (_, account) = ada.page("/account").await;
    assert!(account.contains("ada-l"), "{account}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn while_github_is_away_what_was_known_holds_for_an_hour(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    house.github.set_right(REPOSITORY, "grace", Some("write"));
    let mut grace = house.browser("grace").await;
    let all = fakes::Matcher::path("/");
    house.github.fail_next(all, None, fakes::Fault::Status { status: 503 });
    house.server.pass(TimeDelta::minutes(59));
    assert_eq!(grace.page(&format!("{STAGE}/freeze")).await.0, StatusCode::OK);
    house.server.pass(TimeDelta::minutes(1));
    let (status, page) = grace.page("/").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(page.contains("GitHub could not be asked"), "{page}");
    house.github.reset_faults();
    house.server.pass(TimeDelta::minutes(1));
    assert_eq!(grace.page("/").await.0, StatusCode::OK, "and comes back with GitHub");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_team_of_the_configuration_has_its_role_in_the_whole_server(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::with(options, &["Acme/Platform"]).await;
    house.github.set_member("acme/platform", "grace", true);
    let mut grace = house.browser("grace").await;
    assert_eq!(grace.page("/system").await.0, StatusCode::OK);
    house.github.set_member("acme/platform", "grace", false);
    house.server.pass(TimeDelta::minutes(10));
    assert_eq!(grace.page("/system").await.0, StatusCode::FORBIDDEN);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn whoever_may_read_one_app_sees_nothing_of_another(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    house.github.repo("acme/secret").create("master").await.unwrap();
    let mut other = workshop();
    (other["app"], other["repository"]) = (json!("secret-app"), json!("acme/secret"));
    let admin = house.server.token(model::permission::Role::Admin).await;
    let put = house.server.request(reqwest::Method::PUT, "/api/v1/apps/secret-app");
    let (status, text) = answer(put.bearer_auth(&admin).json(&other)).await;
    assert_eq!(status, StatusCode::CREATED, "{text}");
    house.github.set_right(REPOSITORY, "grace", Some("admin"));
    let mut grace = house.browser("grace").await;
    let pages = ["/", "/builds", "/previews", "/audit", "/tokens", "/members", "/account"];
    for path in pages {
        let (status, page) = grace.page(path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(!page.contains("secret-app"), "{path}: {page}");
    }
    for path in
        ["/apps/secret-app/stages/staging", "/builds?app=secret-app", "/audit?app=secret-app"]
    {
        let (status, page) = grace.page(path).await;
        let hidden = status == StatusCode::NOT_FOUND || !page.contains("secret-app #");
        assert!(hidden, "{path}: {status}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn where_everybody_may_read_nobody_has_a_form(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let github = fakes::GitHub::builder().token(TOKEN).start().await.unwrap();
    github.repo(REPOSITORY).create("master").await.unwrap();
    let login = web::Login { anonymous_read: true, ..login() };
    let server = Server::with_login(options, github.url(), Some(TOKEN), login).await;
    server.workshop().await;
    let mut anyone = Browser::new(&server);
    for path in ["/", "/builds", "/previews", STAGE] {
        let (status, page) = anyone.page(path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(!page.contains("method=\"post\""), "{path}: {page}");
    }
    let frozen = anyone.post(&format!("{STAGE}/freeze"), &[("reason", "x")]).await;
    assert_eq!(frozen.status(), StatusCode::FORBIDDEN);
    assert_eq!(location(&anyone.get("/account").await), "/login?back=%2Faccount");
    assert_eq!(anyone.get("/audit").await.status(), StatusCode::FORBIDDEN);
}

fn asked(server: &Server, token: &str, body: &Value) -> reqwest::RequestBuilder {
    server.post("/api/v1/tokens").bearer_auth(token).json(body)
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_token_is_no_stronger_than_its_maker_and_ends(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    let server = &house.server;
    let admin = server.token(model::permission::Role::Admin).await;
    let end = (server.now() + TimeDelta::days(1)).to_rfc3339();
    let wanted = json!({ "name": "app", "role": "admin", "app": "workshop", "expires_at": end });
    let (status, made) = answer(asked(server, &admin, &wanted)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let token = made["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("grn_") && made["created_by"].as_str().is_some());

    let show = |token: &str| server.get("/api/v1/apps/workshop").bearer_auth(token);
    assert_eq!(answer(show(&token)).await.0, StatusCode::OK);
    for (wanted, status) in [
        (json!({ "name": "everywhere", "role": "viewer" }), StatusCode::FORBIDDEN),
        (
            json!({ "name": "for-ever", "role": "viewer", "app": "workshop" }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            json!({ "name": "a/b", "role": "viewer", "app": "workshop", "expires_at": end }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            json!({ "name": "app", "role": "viewer", "app": "workshop", "expires_at": end }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            json!({ "name": "less", "role": "viewer", "app": "workshop", "expires_at": end }),
            StatusCode::CREATED,
        ),
    ] {
        let (answered, text) = answer(asked(server, &token, &wanted)).await;
        assert_eq!(answered, status, "{wanted}: {text}");
    }
    let (_, seen) = answer(server.get("/api/v1/tokens").bearer_auth(&token)).await;
    let names: Vec<&str> = seen["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["less", "app"], "those of the app, and no text");
    assert!(!seen.to_string().contains("grn_"));

    let less = seen["tokens"][0]["id"].as_str().unwrap();
    let revoke = server.request(reqwest::Method::DELETE, &format!("/api/v1/tokens/{less}"));
    assert_eq!(answer(revoke.bearer_auth(&token)).await.0, StatusCode::NO_CONTENT);
    server.pass(TimeDelta::days(1));
    assert_eq!(answer(show(&token)).await.0, StatusCode::UNAUTHORIZED);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_session_of_a_token_ends_when_the_token_is_revoked(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    let mut ada = house.browser("ada").await;
    let form = [("name", "ann"), ("role", "viewer"), ("app", ""), ("days", "30")];
    let made = ada.post("/tokens", &form).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let page = made.text().await.unwrap();
    let (_, text) = page.split_once("grn_").unwrap();
    let token = format!("grn_{}", &text[..64]);
    assert!(!ada.page("/tokens").await.1.contains(&token), "shown once");

    let mut ann = Browser::new(&house.server);
    let entered = ann.post("/login/token", &[("token", &token), ("back", "/builds")]).await;
    assert_eq!(location(&entered), "/builds");
    assert!(ann.cookies.values().all(|cookie| !token.contains(cookie)), "not the token itself");
    assert_eq!(ann.page("/builds").await.0, StatusCode::OK);
    let (_, tokens) = ada.page("/tokens").await;
    let (before, _) = tokens.split_once("/revoke\" aria-label=\"Revoke ann\"").unwrap();
    let (_, id) = before.rsplit_once("/tokens/").unwrap();
    assert_eq!(ada.page(&format!("/tokens/{id}/revoke")).await.0, StatusCode::OK);
    ada.post(&format!("/tokens/{id}/revoke"), &[]).await;
    assert_eq!(location(&ann.get("/builds").await), "/login?back=%2Fbuilds");
    let wrong = ann.post("/login/token", &[("token", &token)]).await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
}
