//! A build while it runs, watched without loading the page again.

use serde_json::Value;

use super::chrome::{Browser, Script};
use crate::gate::Gate;
use crate::sample::Sample;
use crate::world::World;

/// A pull request whose test says something, waits at the gate, and says something more.
async fn pushed(world: &World, gate: &Gate) -> i64 {
    let check = format!(
        "console.log('\\u001b[32mbefore the gate\\u001b[0m <b>'); {}; console.log('behind the gate');",
        gate.javascript("test")
    );
    let head = world.fork_pull_request(&Sample::tested_by(&check)).await;
    gate.arrived("test", 1).await;
    world.build(&format!("commit={head}")).await["number"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_watches_a_build_from_the_board_to_its_last_line() {
    let world = World::new().await;
    let gate = Gate::closed().await;
    let number = pushed(&world, &gate).await;
    let (browser, plain) = (
        Browser::open(&world.server.url, Script::On).await,
        Browser::open(&world.server.url, Script::Off).await,
    );
    browser.goto("/").await;
    browser.shows("main", "workshop").await;
    browser.goto("/builds").await;
    browser.click(&format!("main a[href^='/apps/workshop/builds/{number}']")).await;

    // the test's log, while it runs: colours are kept, markup is text
    browser.shows("#graph", "running").await;
    let build = world.get(&format!("/apps/workshop/builds/{number}")).await;
    let running = |job: &&Value| job["state"] == "running";
    let job = build["jobs"].as_array().unwrap().iter().find(running).unwrap()["id"].clone();
    let log = format!("/apps/workshop/builds/{number}?job={}", job.as_str().unwrap());
    browser.click(&format!("main a[href*='job={}']", job.as_str().unwrap())).await;
    browser.shows("#lines", "before the gate <b>").await;
    let loaded = browser.evaluate("return window.loaded = performance.timeOrigin").await;

    // who allows no script sees the same, as it is when the page is loaded
    plain.goto(&log).await;
    plain.shows("#lines", "before the gate <b>").await;
    assert!(!plain.text("#lines").await.contains("behind the gate"));

    // what comes after is there without loading again
    gate.open();
    browser.shows("#lines", "behind the gate").await;
    browser.shows("#graph", "succeeded").await;
    let still = browser.evaluate("return window.loaded").await;
    assert_eq!(loaded, still, "the page was loaded again");
    // what went well is folded, until its lines are asked for
    plain.goto(&format!("{log}&lines=1-99")).await;
    plain.shows("#lines", "behind the gate").await;
    plain.shows("#graph", "succeeded").await;

    browser.close().await;
    plain.close().await;
    world.ends().await;
}
