//! Letting a command line in: the whole way, and each way in which it must not go.

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use web::Access;

use crate::entrance::{Browser, House, REPOSITORY, location};
use crate::support::{SECRETS, Server, answer};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What a program was given, and what it does with it.
struct Program<'a> {
    server: &'a Server,
    code: String,
    shown: String,
}

impl<'a> Program<'a> {
    async fn asks(server: &'a Server, role: &str) -> Self {
        let form = [("client_id", "greenroom"), ("scope", role), ("machine", "laptop")];
        let (status, codes) = answer(server.post("/login/device/code").form(&form)).await;
        assert_eq!(status, StatusCode::OK, "{codes}");
        assert_eq!(codes["verification_uri"], "https://ci.example.com/device");
        let (code, shown) = (codes["device_code"].clone(), codes["user_code"].clone());
        let [code, shown] = [code, shown].map(|text| text.as_str().unwrap().to_owned());
        assert_eq!(
            codes["verification_uri_complete"],
            format!("https://ci.example.com/device?code={shown}")
        );
        assert_eq!((&codes["expires_in"], &codes["interval"]), (&900.into(), &5.into()));
        Self { server, code, shown }
    }

    /// The token, or the error's name.
    async fn polls(&self) -> Result<String, String> {
        self.server.pass(TimeDelta::seconds(5));
        let (_, given) = self.polls_at_once().await;
        match given["access_token"].as_str() {
            Some(token) => Ok(token.to_owned()),
            None => Err(given["error"].as_str().unwrap_or_else(|| panic!("{given}")).to_owned()),
        }
    }

    async fn polls_at_once(&self) -> (StatusCode, Value) {
        let form = [("grant_type", GRANT_TYPE), ("device_code", &self.code)];
        answer(self.server.post("/login/device/token").form(&form)).await
    }

    async fn is_decided(
        &self,
        browser: &mut Browser<'_>,
        decision: &str,
        role: &str,
    ) -> StatusCode {
        let form =
            [("code", self.shown.as_str()), ("decision", decision), ("role", role), ("days", "30")];
        browser.post("/device", &form).await.status()
    }
}

async fn whoami(server: &Server, token: &str) -> (StatusCode, Value) {
    answer(server.get("/api/v1/whoami").bearer_auth(token)).await
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_person_lets_a_command_line_in_that_acts_as_them(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    house.github.set_right(REPOSITORY, "grace", Some("write"));
    let program = Program::asks(&house.server, "deployer").await;
    assert_eq!(program.polls().await, Err("authorization_pending".into()));
    let (status, early) = program.polls_at_once().await;
    assert_eq!((status, &early["error"]), (StatusCode::BAD_REQUEST, &"slow_down".into()));
    house.server.pass(TimeDelta::seconds(5));

    // who is not signed in is sent to do so, and comes back
    let there = format!("/device?code={}", program.shown);
    let mut browser = Browser::new(&house.server);
    let sent = browser.get(&there).await;
    assert_eq!(location(&sent), format!("/login?back=%2Fdevice%3Fcode%3D{}", program.shown));
    let back = house.sign_in(&mut browser, "grace", &there).await;
    assert_eq!(location(&back), there);
    let (status, page) = browser.page(&there).await;
    assert_eq!(status, StatusCode::OK);
    for shown in [&program.shown, "laptop", "127.0.0.1", "<dd>grace</dd>", "deployer: read, build"]
    {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("admin: "), "grace is no admin");
    let form = [
        ("code", program.shown.as_str()),
        ("decision", "confirm"),
        ("role", "deployer"),
        ("days", "30"),
    ];
    let done = browser.post("/device", &form).await;
    assert_eq!(location(&done), "/device?done=confirmed");

    let token = program.polls().await.unwrap();
    assert_eq!(program.polls().await, Err("expired_token".into()), "it is given once");
    let (status, me) = whoami(&house.server, &token).await;
    assert_eq!(status, StatusCode::OK, "{me}");
    assert_eq!((&me["name"], &me["kind"]), (&"grace".into(), &"person".into()));
    assert_eq!(me["apps"]["workshop"], "deployer");
    let name = me["token"]["name"].as_str().unwrap();
    assert!(name.starts_with("grace on laptop ("), "{name}");

    // what the person loses, the command line loses
    house.github.set_right(REPOSITORY, "grace", Some("read"));
    house.server.pass(TimeDelta::minutes(10));
    assert_eq!(whoami(&house.server, &token).await.1["apps"]["workshop"], "viewer");

    // it stands in the account, and ends there
    let (_, page) = browser.page("/account").await;
    assert!(page.contains(name), "{page}");
    let id = me["token"]["id"].as_str().unwrap();
    let mut stranger = house.browser("ada").await;
    let path = format!("/account/tokens/{id}/revoke");
    assert_eq!(stranger.post(&path, &[]).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(browser.post(&path, &[]).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(whoami(&house.server, &token).await.0, StatusCode::UNAUTHORIZED);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_command_line_may_no_more_than_it_was_lent(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    let mut ada = house.browser("ada").await;
    let program = Program::asks(&house.server, "admin").await;
    assert_eq!(program.is_decided(&mut ada, "confirm", "viewer").await, StatusCode::SEE_OTHER);
    let token = program.polls().await.unwrap();
    let (_, me) = whoami(&house.server, &token).await;
    assert_eq!((&me["name"], &me["role"]), (&"ada".into(), &"viewer".into()));
    let tokens = house.server.get("/api/v1/tokens").bearer_auth(&token);
    assert_eq!(answer(tokens).await.0, StatusCode::FORBIDDEN);

    // it lets nobody else in, and begins no session
    let other = Program::asks(&house.server, "viewer").await;
    let form = [
        ("code", other.shown.as_str()),
        ("decision", "confirm"),
        ("role", "viewer"),
        ("days", "365"),
    ];
    let tried = house.server.post("/device").bearer_auth(&token).form(&form);
    assert_eq!(tried.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(other.polls().await, Err("authorization_pending".into()));
    let mut browser = Browser::new(&house.server);
    let refused = browser.post("/login/token", &[("token", &token)]).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(browser.cookies.is_empty());

    // it is over after its time
    house.server.pass(TimeDelta::days(30));
    assert_eq!(whoami(&house.server, &token).await.0, StatusCode::UNAUTHORIZED);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn nobody_lends_a_role_that_they_have_not(_pool: PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.github.set_right(REPOSITORY, "grace", Some("read"));
    let mut grace = house.browser("grace").await;
    let program = Program::asks(&house.server, "deployer").await;
    for role in ["admin", "deployer", "worker", ""] {
        let status = program.is_decided(&mut grace, "confirm", role).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{role}");
    }
    assert_eq!(program.polls().await, Err("authorization_pending".into()));
    assert_eq!(program.is_decided(&mut grace, "confirm", "viewer").await, StatusCode::SEE_OTHER);
    assert!(program.polls().await.is_ok());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_command_line_that_is_refused_is_told_so(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    let mut ada = house.browser("ada").await;
    let program = Program::asks(&house.server, "deployer").await;
    assert_eq!(program.is_decided(&mut ada, "refuse", "").await, StatusCode::SEE_OTHER);
    assert_eq!(program.polls().await, Err("access_denied".into()));
    assert_eq!(program.polls().await, Err("expired_token".into()));
    let late = program.is_decided(&mut ada, "confirm", "viewer").await;
    assert_eq!(late, StatusCode::UNPROCESSABLE_ENTITY);

    // who said so stands in the audit log, once
    let (_, page) = ada.page("/audit").await;
    assert_eq!(page.matches("turned a command line away").count(), 1, "{page}");
    assert!(page.contains("laptop"), "{page}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_code_is_over_after_its_time(_pool: PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    let mut ada = house.browser("ada").await;
    let program = Program::asks(&house.server, "deployer").await;
    house.server.pass(TimeDelta::minutes(15));
    let late = program.is_decided(&mut ada, "confirm", "viewer").await;
    assert_eq!(late, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(program.polls().await, Err("expired_token".into()));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn codes_cannot_be_guessed_for_long(_pool: PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    let mut ada = house.browser("ada").await;
    for _ in 0..10 {
        let (status, page) = ada.page("/device?code=BBBB-BBBB").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.contains("No command line shows this code"), "{page}");
    }
    let program = Program::asks(&house.server, "viewer").await;
    let (_, page) = ada.page(&format!("/device?code={}", program.shown)).await;
    assert!(page.contains("Too many codes"), "{page}");
    let mut grace = house.browser("grace").await;
    house.github.set_right(REPOSITORY, "grace", Some("read"));
    grace.post("/account/check", &[]).await;
    let (status, _) = grace.page(&format!("/device?code={}", program.shown)).await;
    assert_eq!(status, StatusCode::OK, "it is ada who has to wait");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_was_confirmed_with_a_token_is_in_its_app_and_ends_with_it(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::with(pool, options, Access::Token, &SECRETS).await;
    server.workshop().await;
    let token = server.token_in("workshop", model::permission::Role::Deployer).await;
    let mut browser = Browser::new(&server);
    let entered = browser.post("/login/token", &[("token", &token)]).await;
    assert_eq!(entered.status(), StatusCode::SEE_OTHER);
    let program = Program::asks(&server, "deployer").await;
    let decided = program.is_decided(&mut browser, "confirm", "deployer").await;
    assert_eq!(decided, StatusCode::SEE_OTHER);
    let lent = program.polls().await.unwrap();
    let (_, me) = whoami(&server, &lent).await;
    assert_eq!((&me["role"], &me["apps"]["workshop"]), (&Value::Null, &"deployer".into()));

    // whoever has a token may end it: all that hangs on it goes too
    let ended = server.request(Method::POST, "/api/v1/logout").bearer_auth(&token);
    assert_eq!(ended.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(whoami(&server, &lent).await.0, StatusCode::UNAUTHORIZED);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_no_question_is_refused_by_its_name(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    for (path, form, error) in [
        ("/login/device/code", [("scope", "worker")], "invalid_scope"),
        ("/login/device/token", [("grant_type", "password")], "unsupported_grant_type"),
        ("/login/device/token", [("grant_type", GRANT_TYPE)], "expired_token"),
    ] {
        let answered = server.post(path).form(&form).send().await.unwrap();
        assert_eq!(answered.status(), StatusCode::BAD_REQUEST);
        assert_eq!(answered.headers()["content-type"], "application/json");
        assert_eq!(answered.json::<Value>().await.unwrap()["error"], error);
    }
}
