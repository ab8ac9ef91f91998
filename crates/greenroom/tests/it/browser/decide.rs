//! What a person decides: a deploy that waits is approved, a stage rolled back, a preview removed.
//! All of it really happens, in the local AWS; once with JavaScript and once without.

use serde_json::{Value, json};

use super::chrome::{Browser, Script, Size, Theme};
use crate::aws::{LocalAws, STAGING};
use crate::look::instance;
use crate::sample::Sample;
use crate::server::until;
use crate::world::{World, app};

const STAGE: &str = "/apps/workshop/stages/decided";

/// A function of the Serverless Framework and a topic, which say their version.
fn sample(version: &str) -> Sample {
    let pipeline = "services:\n  hello: { path: hello }\n  topic: { path: topic, template: topic.yml, stack: 'deciding-topic-${stage}' }\n";
    let serverless = "service: deciding-hello\nframeworkVersion: '4'\nprovider: { name: aws, runtime: nodejs20.x, region: '${opt:region}' }\npackage: { patterns: ['!**', 'hello.js'] }\nfunctions: { hello: { handler: hello.handler } }\n";
    Sample::of(pipeline)
        .serverless("hello", serverless)
        .file("hello/hello.js", &function(version))
        .file("topic/topic.yml", &topic(version))
}

fn function(version: &str) -> String {
    format!("exports.handler = async () => ({{ version: '{version}' }});\n")
}

fn topic(version: &str) -> String {
    format!(
        "Resources: {{ Topic: {{ Type: AWS::SNS::Topic, Properties: {{ DisplayName: {version} }} }} }}\nOutputs: {{ Version: {{ Value: '{version}' }} }}\n"
    )
}

async fn runs(version: &str) {
    let answer = LocalAws::invoke(STAGING, "deciding-hello-decided-hello").await;
    assert_eq!(answer["version"], version);
}

async fn approves(browser: &Browser, world: &World, commit: &str) -> Value {
    let build = world.build(&format!("commit={commit}&stage=decided")).await;
    let number = build["number"].as_i64().unwrap();
    until("the build to wait for somebody", async || {
        let build = world.get(&format!("/apps/workshop/builds/{number}")).await;
        (build["state"] == "waiting").then_some(())
    })
    .await;
    browser.goto("/").await;
    browser.shows("main", "waiting").await;
    let page = format!("/apps/workshop/builds/{number}");
    browser.goto(&page).await;
    browser.submit(&format!("a[href='{page}/approve']")).await;
    // where it goes stands above the button, and on it
    browser.shows("main", "deciding-topic-decided").await;
    browser.shows("form[action$='/approve'] button", STAGING).await;
    browser.submit("form[action$='/approve'] button").await;
    assert_eq!(browser.path().await.split('?').next(), Some(page.as_str()));
    ended(browser, world, number).await
}

/// Waits for the end of a build that the browser shows. Without a script the page is loaded again.
async fn ended(browser: &Browser, world: &World, number: i64) -> Value {
    let build = world.finished(number).await;
    assert_eq!(build["outcome"], "succeeded", "{build:#}");
    match browser.script {
        Script::On => {}
        Script::Off => browser.page.refresh().await.unwrap(),
    }
    browser.shows("main", "succeeded").await;
    build
}

/// Back to the build with this number, from the stage's own page.
async fn rolls_back(browser: &Browser, world: &World, to: i64) {
    browser.goto(STAGE).await;
    browser.submit(&format!("a[href='{STAGE}/rollback']")).await;
    browser.submit(&format!("a[href='{STAGE}/rollback?build={to}']")).await;
    browser.shows("main", "What a rollback does not undo").await;
    browser.submit(&format!("form[action='{STAGE}/rollback'] button.primary")).await;
    let path = browser.path().await;
    let number = number_in(&path);
    ended(browser, world, number).await;
}

fn number_in(path: &str) -> i64 {
    let (_, rest) = path.split_once("/builds/").unwrap_or_else(|| panic!("{path} is no build"));
    rest.split(['?', '/']).next().unwrap().parse().unwrap()
}

async fn removes_preview(browser: &Browser, world: &World, name: &str) {
    let stage = format!("/apps/workshop/stages/{name}");
    browser.goto("/previews").await;
    browser.submit(&format!("a[href='{stage}/remove']")).await;
    browser.shows("main", "What they hold is lost").await;
    // another name removes nothing
    browser.fill("#confirm", "another").await;
    browser.submit("form[action$='/remove'] button").await;
    let shown = world.get(&stage).await;
    assert_eq!(shown["state"], "active", "it was not its name");
    browser.goto(&format!("{stage}/remove")).await;
    browser.fill("#confirm", name).await;
    browser.submit("form[action$='/remove'] button").await;
    until(&format!("{name} to be gone"), async || {
        let shown = world.get(&stage).await;
        (shown["state"] == "closed").then_some(())
    })
    .await;
    browser.goto("/previews").await;
    let left = browser.text("main").await;
    assert!(!left.contains(name), "{left}");
}

async fn world() -> World {
    let world = World::new().await;
    let mut file = app();
    file["stages"] = json!({ "decided": { "profile": "staging", "approvers": ["ann"] } });
    file["rules"] = json!([
        { "branch": "master", "stage": "decided" },
        { "preview": { "base": ["master"] } },
    ]);
    world.apply(&file).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_approves_rolls_back_and_removes_with_a_script_and_without() {
    let world = world().await;
    let mut first = 0;
    for (script, size, version) in
        [(Script::On, Size::Laptop, "one"), (Script::Off, Size::Phone, "two")]
    {
        let browser = Browser::open(&world.server.url, script).await;
        browser.looks(size, Theme::Light).await;
        let files = sample(version);
        let commit = world.repository.commit("master", &files.files(), version).await.unwrap();
        let build = approves(&browser, &world, &commit).await;
        runs(version).await;
        if script == Script::On {
            first = build["number"].as_i64().unwrap();
        } else {
            rolls_back(&browser, &world, first).await;
            runs("one").await;
            let shown = world.get(STAGE).await;
            assert_eq!(instance(&shown, "topic")["outputs"]["Version"], "one");
        }

        let branch = format!("preview-{version}");
        let change = topic(&branch);
        let changed = [("topic/topic.yml", Some(change.as_str()))];
        let head = world.repository.commit_on(&branch, Some("master"), &changed, "Try").await;
        let head = head.unwrap();
        world.repository.open_pr(&branch, "master", "Try").await.unwrap();
        world.succeeds(&format!("commit={head}")).await;
        let stack = format!("deciding-topic-{branch}");
        assert_eq!(LocalAws::accounts_with(&stack).await.len(), 1);
        removes_preview(&browser, &world, &branch).await;
        assert!(LocalAws::accounts_with(&stack).await.is_empty());
        browser.close().await;
    }
    world.ends().await;
}
