//! Signing in with GitHub: the whole way, and each way in which it must not go.

use chrono::TimeDelta;
use reqwest::StatusCode;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::entrance::{Browser, House, location};

const SESSION: &str = "__Host-greenroom";

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_person_signs_in_and_comes_back_to_where_they_wanted(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    let mut browser = Browser::new(&house.server);
    let sent = browser.get("/builds?app=workshop").await;
    assert_eq!(sent.status(), StatusCode::SEE_OTHER);
    assert_eq!(location(&sent), "/login?back=%2Fbuilds%3Fapp%3Dworkshop");
    let (status, page) = browser.page("/login?back=%2Fbuilds%3Fapp%3Dworkshop").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("action=\"/login/github\"") && page.contains("name=\"token\""));
    assert!(page.contains("value=\"/builds?app=workshop\""), "{page}");

    let answer = house.sign_in(&mut browser, "ada", "/builds?app=workshop").await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(location(&answer), "/builds?app=workshop");
    let cookies: Vec<&str> =
        answer.headers().get_all("set-cookie").iter().map(|one| one.to_str().unwrap()).collect();
    let session = cookies.iter().find(|one| one.starts_with("__Host-greenroom=")).unwrap();
    for part in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(session.contains(part), "{session}");
    }
    let (status, page) = browser.page("/builds?app=workshop").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains(">ada</a>"), "who is signed in is shown");

    // what the person gave us was used once, for their name
    let asked = house.github.requests();
    assert_eq!(asked.iter().filter(|one| one.path == "/user").count(), 1);
    let mut conn = house.server.db.acquire().await.unwrap();
    let kept = store::audit::list(&mut conn, &filter(1)).await.unwrap();
    assert_eq!(kept[0].entry.deed, store::audit::Deed::SignIn);
    assert_eq!(kept[0].entry.who, "ada");
    assert!(kept[0].entry.from.is_some());
    assert!(house.github.unknown_calls().is_empty(), "{:?}", house.github.unknown_calls());
}

fn filter(limit: i64) -> store::audit::Filter {
    store::audit::Filter { limit, ..store::audit::Filter::default() }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_state_counts_once_and_only_in_the_browser_that_was_sent(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    let mut victim = Browser::new(&house.server);
    let mut attacker = Browser::new(&house.server);
    let callback = house.to_github(&mut attacker, "linus", "/").await;

    // the attacker's way back in the victim's browser, with and without a way of their own
    for _ in 0..2 {
        let refused = victim.get(&callback).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        assert!(!victim.cookies.contains_key(SESSION));
        victim.post("/login/github", &[("back", "/")]).await;
    }
    // a state that nobody was given
    let (path, _) = callback.split_once("state=").unwrap();
    let wrong = attacker.get(&format!("{path}state={}", "0".repeat(64))).await;
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);

    assert_eq!(attacker.get(&callback).await.status(), StatusCode::SEE_OTHER);
    let replayed = attacker.get(&callback).await;
    assert_eq!(replayed.status(), StatusCode::BAD_REQUEST);
    assert!(replayed.text().await.unwrap().contains("used already"));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_attempt_is_over_after_ten_minutes(_pool: PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    let mut browser = Browser::new(&house.server);
    let callback = house.to_github(&mut browser, "ada", "/").await;
    house.server.pass(TimeDelta::minutes(10));
    assert_eq!(browser.get(&callback).await.status(), StatusCode::BAD_REQUEST);
    assert!(!browser.cookies.contains_key(SESSION));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_code_that_was_given_for_another_verifier_signs_nobody_in(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    let mut browser = Browser::new(&house.server);
    let mine = house.to_github(&mut browser, "ada", "/").await;
    let other = house.to_github(&mut browser, "ada", "/").await;
    // the code of the one way with the state of the other: injected
    let (_, code) = other.split_once("code=").unwrap();
    let (code, _) = code.split_once('&').unwrap();
    let (_, state) = mine.split_once("state=").unwrap();
    let refused = browser.get(&format!("/login/callback?code={code}&state={state}")).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert!(refused.text().await.unwrap().contains("over or used already"));
    assert!(!browser.cookies.contains_key(SESSION));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn who_says_no_at_github_reads_why_nothing_happened(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    let mut browser = Browser::new(&house.server);
    house.github.set_consent(fakes::Consent::Deny);
    let asked = browser.post("/login/github", &[("back", "/")]).await;
    let callback = house.through_github(&location(&asked)).await;
    let refused = browser.get(&callback).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(refused.text().await.unwrap().contains("You did not let GitHub say who you are"));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_github_that_is_away_is_said(_pool: PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    let mut browser = Browser::new(&house.server);
    let callback = house.to_github(&mut browser, "ada", "/").await;
    let matcher = fakes::Matcher::path("/login/oauth/access_token");
    house.github.fail_next(matcher, Some(1), fakes::Fault::Status { status: 502 });
    let failed = browser.get(&callback).await;
    assert_eq!(failed.status(), StatusCode::BAD_GATEWAY);
    assert!(failed.text().await.unwrap().contains("GitHub cannot be reached"));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn signing_in_leads_nowhere_else(_pool: PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    for evil in
        ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
    {
        let mut browser = Browser::new(&house.server);
        let answer = house.sign_in(&mut browser, "ada", evil).await;
        assert_eq!(location(&answer), "/", "{evil}");
        let (_, page) = browser.page(&format!("/login?back={evil}")).await;
        assert!(!page.contains("evil.example") && !page.contains("javascript:"), "{evil}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_session_that_was_there_before_is_not_the_one_after(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    let linus = house.browser("linus").await;
    let planted = linus.cookies[SESSION].clone();
    let mut browser = Browser::new(&house.server);
    browser.cookies.insert(SESSION.into(), planted.clone());
    house.sign_in(&mut browser, "ada", "/").await;
    assert_ne!(browser.cookies[SESSION], planted);
    let mut old = Browser::new(&house.server);
    old.cookies.insert(SESSION.into(), planted);
    assert_eq!(location(&old.get("/").await), "/login?back=%2F", "it has ended");
    // nor does a made-up one become anything
    let made_up = "f".repeat(64);
    let mut browser = Browser::new(&house.server);
    browser.cookies.insert(SESSION.into(), made_up.clone());
    house.sign_in(&mut browser, "ada", "/").await;
    assert_ne!(browser.cookies[SESSION], made_up);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_session_ends_by_time_by_its_button_and_everywhere(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    let mut first = house.browser("ada").await;
    let mut second = house.browser("ada").await;
    let mut third = house.browser("ada").await;
    let (_, account) = first.page("/account").await;
    assert_eq!(account.matches("a test&#39;s browser").count(), 5, "three, two with a button");
    let (_, rest) = account.split_once("/account/sessions/").unwrap();
    let (id, _) = rest.split_once('/').unwrap();
    let ended = first.post(&format!("/account/sessions/{id}/end"), &[]).await;
    assert_eq!(location(&ended), "/account");
    assert_eq!(location(&third.get("/").await), "/login?back=%2F", "the newest was ended");

    let cookie = second.cookies[SESSION].clone();
    assert_eq!(location(&second.post("/logout", &[]).await), "/login");
    assert!(!second.cookies.contains_key(SESSION));
    second.cookies.insert(SESSION.into(), cookie);
    assert_eq!(second.get("/").await.status(), StatusCode::SEE_OTHER, "it is gone, not forgotten");

    let mut fourth = house.browser("ada").await;
    let mut grace = house.browser("grace").await;
    first.post("/logout/everywhere", &[]).await;
    assert_eq!(fourth.get("/").await.status(), StatusCode::SEE_OTHER);
    assert_eq!(grace.page("/account").await.0, StatusCode::OK, "others stay");
    house.server.pass(TimeDelta::days(8));
    assert_eq!(grace.get("/account").await.status(), StatusCode::SEE_OTHER);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn another_site_s_form_does_nothing_and_its_session_is_nobody_s(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    let mut ada = house.browser("ada").await;
    let (evil, own) = ("https://evil.example", "https://ci.example.com");
    for path in ["/logout", "/logout/everywhere", "/tokens", "/login/token", "/login/github"] {
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", evil),
            ("origin", "null"),
        ] {
            let request = house.server.post(path).form(&[("token", "x"), ("name", "x")]);
            let answer = ada.send(request.header(name, value)).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path} {name}: {value}");
        }
    }
    assert_eq!(ada.get("/account").await.status(), StatusCode::OK, "still signed in");
    let request = house.server.post("/account/check").header("origin", own);
    assert_eq!(ada.send(request).await.status(), StatusCode::SEE_OTHER, "by the public address");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn without_an_app_or_a_client_there_is_no_button_and_this_machine_needs_none(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = crate::support::Server::start(pool, options).await;
    let mut browser = Browser::new(&server);
    let (status, page) = browser.page("/login").await;
    assert_eq!(status, StatusCode::OK);
    assert!(!page.contains("/login/github") && page.contains("name=\"token\""), "{page}");
    assert_eq!(browser.post("/login/github", &[]).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(browser.get("/").await.status(), StatusCode::OK);
}
