//! Somebody who pushes to a repository wants to run a script in the browsers of those who look.

use super::chrome::{Browser, Script};
use crate::sample::Sample;
use crate::world::{World, jobs};

/// What would run, written in the ways in which texts come to a page.
const MARKUP: &str =
    "'\"><img src=x onerror=\"window.__pwned=1\"><script>window.__pwned=1</script>";
const BRANCH: &str = "x'\"><svg/onload=window.__pwned=1>";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_writes_runs_in_no_browser() {
    let world = World::new().await;
    let check = format!(
        "const said = {text}; console.log(said); console.log('\\u001b[31m' + said + '\\u001b[0m');\n\
         console.log('\\u001b]8;;javascript:window.__pwned=1\\u0007click\\u001b]8;;\\u0007');\n\
         console.log('\\u001b[31' + said); process.stdout.write(said + '\\r' + said + '\\n'); process.exit(1);",
        text = serde_json::to_string(MARKUP).unwrap(),
    );
    world.repository.commit("master", &[("README.md", "notes")], "First").await.unwrap();
    let files = Sample::tested_by(&check);
    let files = files.files();
    let files: Vec<(&str, Option<&str>)> =
        files.iter().map(|(path, text)| (*path, Some(*text))).collect();
    let head = world.repository.commit_on(BRANCH, Some("master"), &files, MARKUP).await.unwrap();
    world.repository.open_pr(BRANCH, "master", MARKUP).await.unwrap();
    let build = world.fails(&format!("commit={head}")).await;
    let stage = build["stage"].as_str().unwrap_or("dev").to_owned();

    let browser = Browser::open(&world.server.url, Script::On).await;
    let page = format!("/apps/workshop/builds/{}", build["number"]);
    let mut pages: Vec<String> =
        ["/", "/builds", "/previews", "/system", "/audit"].map(str::to_owned).into();
    pages.push(page.clone());
    pages.extend(jobs(&build).map(|job| format!("{page}?job={}", job["id"].as_str().unwrap())));
    pages.push(format!("/apps/workshop/stages/{stage}"));
    let evil = "%27%22%3E%3Cimg%20src=x%20onerror=%22window.__pwned=1%22%3E";
    for query in ["q", "branch", "author", "app"] {
        pages.push(format!("/builds?{query}={evil}"));
    }
    pages.push(format!("/{evil}"));
    for path in &pages {
        browser.goto(path).await;
        let ran = browser.evaluate("return String(window.__pwned)").await;
        assert_eq!(ran, "undefined", "{path}");
        let foreign = "return document.querySelectorAll('main svg[onload], img[src=x], [onerror], a[href^=javascript]').length";
        assert_eq!(browser.evaluate(foreign).await, 0, "{path}");
    }
    // it was there to be seen
    browser.goto(&format!("{page}?job={}", failed(&build))).await;
    browser.shows("#lines", "<img src=x").await;
    browser.close().await;
    world.ends().await;
}

fn failed(build: &serde_json::Value) -> &str {
    let job = jobs(build).find(|job| job["outcome"] == "failed").unwrap();
    job["id"].as_str().unwrap()
}
