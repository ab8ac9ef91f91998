//! Through the door, and to what only an admin does: signing in and out, and changing settings.
//! Each with JavaScript and without.

use super::chrome::{Browser, Script, Size, Theme};
use crate::world::World;

const SETTINGS: &str = "/apps/workshop/settings";

/// To the page that was wanted, by way of GitHub; the first try is broken off there.
async fn signs_in(browser: &Browser, login: &str) {
    browser.goto("/builds").await;
    assert!(browser.path().await.starts_with("/login"), "{}", browser.path().await);
    browser.submit("form[action='/login/github'] button").await;
    browser.submit("button[name=login][value='']").await;
    browser.element("[role=alert]").await;
    browser.goto("/builds").await;
    browser.submit("form[action='/login/github'] button").await;
    browser.submit(&format!("button[name=login][value='{login}']")).await;
    assert_eq!(browser.path().await, "/builds", "to where the person was going");
    browser.shows("header", login).await;
}

/// The other way: a wrong token, and the right one.
async fn signs_in_by_token(browser: &Browser, token: &str) {
    browser.goto("/previews").await;
    browser.fill("input[name=token]", "grn_of_nobody").await;
    browser.submit("form[action='/login/token'] button").await;
    browser.shows("[role=alert]", "not known here").await;
    browser.fill("input[name=token]", token).await;
    browser.submit("form[action='/login/token'] button").await;
    browser.goto("/previews").await;
    assert_eq!(browser.path().await, "/previews");
}

/// The number of jobs at once, in the file; a file with a mistake; and back to the revision before.
async fn changes_settings(browser: &Browser, world: &World, jobs: i64) {
    let newest = async || {
        let list = world.get("/apps/workshop/revisions").await;
        list["revisions"][0]["number"].as_i64().unwrap()
    };
    let before = newest().await;
    browser.goto(SETTINGS).await;
    browser.submit(&format!("a[href='{SETTINGS}/edit']")).await;
    let text = browser.evaluate("return document.querySelector('#text').value").await;
    let text = text.as_str().unwrap();
    assert!(!text.contains("7f3a9c"), "a secret is shown: {text}");
    browser.fill("#text", &format!("{text}\nconcurrency: {jobs}\n")).await;
    browser.submit("form.editor button.primary").await;
    browser.shows("main", "What changes").await;
    assert_eq!(newest().await, before, "to look at it saves nothing");
    browser.submit("form[action$='/save'] button").await;
    assert_eq!(newest().await, before + 1);
    assert_eq!(world.get("/apps/workshop").await["concurrency"], jobs);
    browser.goto(&format!("{SETTINGS}/history")).await;
    browser.shows("main", "in force").await;

    browser.goto(&format!("{SETTINGS}/edit")).await;
    browser.fill("#text", "app: workshop\nrules: nothing\n").await;
    browser.submit("form.editor button.primary").await;
    browser.shows("main", "to mend").await;
    browser.shows("main", "rules").await;
    assert_eq!(newest().await, before + 1);

    browser.goto(&format!("{SETTINGS}/history/{before}")).await;
    browser.submit("form[action$='/restore'] button").await;
    browser.submit("form[action$='/save'] button").await;
    assert_eq!(newest().await, before + 2);
    assert_ne!(world.get("/apps/workshop").await["concurrency"], jobs);
}

async fn signs_out(browser: &Browser) {
    browser.goto("/account").await;
    browser.submit("form[action='/logout'] button").await;
    browser.goto("/builds").await;
    assert!(browser.path().await.starts_with("/login"));
}

/// A server with a sign-in: ann is its admin, vic may read the repository.
async fn world() -> World {
    let environment = [
        ("GREENROOM_LOGIN_CLIENT_ID", fakes::CLIENT_ID),
        ("GREENROOM_LOGIN_CLIENT_SECRET", fakes::CLIENT_SECRET),
        ("GREENROOM_LOGIN_ADMINS", "ann"),
    ];
    let world = World::with(&environment).await;
    for login in ["ann", "vic"] {
        world.github.user(login);
    }
    world.github.set_right("acme/workshop", "vic", Some("read"));
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_do_what_they_may_and_sign_out_with_a_script_and_without() {
    let world = world().await;
    for (script, size) in [(Script::On, Size::Phone), (Script::Off, Size::Laptop)] {
        let browser = Browser::open(&world.server.url, script).await;
        browser.looks(size, Theme::Dark).await;
        signs_in(&browser, "vic").await;
        browser.goto(SETTINGS).await;
        assert!(!browser.text("main").await.contains("Edit the file"), "vic may only read");
        browser.goto(&format!("{SETTINGS}/edit")).await;
        browser.shows("main", "admin").await;
        signs_out(&browser).await;

        signs_in(&browser, "ann").await;
        changes_settings(&browser, &world, 7).await;
        signs_out(&browser).await;
        signs_in_by_token(&browser, &world.admin).await;
        signs_out(&browser).await;
        browser.close().await;
    }
    world.ends().await;
}
