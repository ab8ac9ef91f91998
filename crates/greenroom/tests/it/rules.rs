//! What a push, a tag and a person start.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::look::{decision, deployed};
use crate::sample::Sample;
use crate::server::until;
use crate::world::{TOKEN, World, app, jobs};

const PAIR: &str = "
services:
  one: { path: one, framework: custom, deploy: echo one, remove: 'true' }
  two: { path: two, framework: custom, deploy: echo two, remove: 'true' }
";

async fn world(rules: &Value) -> World {
    let world = World::new().await;
    let mut file = app();
    file["rules"] = rules.clone();
    world.apply(&file).await;
    world
}

/// The stages that a commit was built for, and by what, once everything GitHub sent is looked at.
async fn started(world: &World, commit: &str) -> BTreeSet<(String, String)> {
    world.github.settle_deliveries().await;
    until("every delivery to be processed", async || {
        let system = world.page("/system").await;
        (!system.contains("received")).then_some(())
    })
    .await;
    let builds = world.get(&format!("/apps/workshop/builds?commit={commit}")).await;
    let of = |build: &Value| {
        let text = |key: &str| build[key].as_str().unwrap_or_default().to_owned();
        (text("stage"), text("event"))
    };
    builds["builds"].as_array().unwrap().iter().map(of).collect()
}

fn builds(expected: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    expected.iter().map(|(stage, event)| ((*stage).to_owned(), (*event).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_push_is_built_for_every_stage_whose_rule_matches_with_the_services_of_that_rule() {
    let world = world(&json!([
        { "branch": "release/*", "stage": "staging", "services": ["one"] },
        { "branch": "release/1.*", "stage": "dev" },
        { "branch": "release/1.*", "stage": "prod", "trigger": "manual" },
    ]))
    .await;
    let repository = &world.repository;
    let sha = repository.commit("release/1.0", &Sample::of(PAIR).files(), "First").await.unwrap();
    assert_eq!(started(&world, &sha).await, builds(&[("staging", "push"), ("dev", "push")]));
    let dev = world.succeeds(&format!("commit={sha}&stage=dev")).await;
    assert_eq!(deployed(&dev), ["one", "two"].into());
    let staging = world.succeeds(&format!("commit={sha}&stage=staging")).await;
    assert_eq!(deployed(&staging), ["one"].into());
    assert_eq!(decision(&staging, "two"), ("skip", "the rule builds only one"));

    // another branch of the glob is for one stage alone
    let files = [("two/NOTE", Some("for the second"))];
    let second = repository.commit_on("release/2.0", Some(&sha), &files, "Second").await.unwrap();
    assert_eq!(started(&world, &second).await, builds(&[("staging", "push")]));

    // a commit may ask not to be built; a person's word goes before it
    let files = [("one/NOTE", "tidy")];
    let skipped = repository.commit("release/1.0", &files, "Tidy up [skip ci]").await.unwrap();
    assert_eq!(started(&world, &skipped).await, builds(&[]));
    let system = world.page("/system").await;
    assert!(system.contains("the commit's title says [skip ci]"), "{system}");
    let order = json!({ "branch": "release/1.0", "stage": "dev" });
    let build = world.orders("/apps/workshop/builds", &order).await;
    assert_eq!((&build["commit"], deployed(&build)), (&json!(skipped), ["one"].into()));

    // forced, what did not change is deployed as well
    let order = json!({ "branch": "release/1.0", "stage": "dev", "force": true });
    let build = world.orders("/apps/workshop/builds", &order).await;
    assert_eq!(decision(&build, "two"), ("run", "the build was forced"));
    assert_eq!(deployed(&build), ["one", "two"].into());

    // what waits for a person is built when one says so
    let order = json!({ "branch": "release/1.0", "stage": "prod" });
    let build = world.orders("/apps/workshop/builds", &order).await;
    assert_eq!((&build["stage"], &build["event"]), (&json!("prod"), &json!("manual")));
    assert_eq!(deployed(&build), ["one", "two"].into());
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_tags_pushed_at_once_each_goes_where_its_rule_says() {
    let world = world(&json!([
        { "tag": "one-v*", "stage": "staging", "services": ["one"] },
        { "tag": "v[0-9]*", "stage": "prod" },
        { "tag": "nightly-*", "stage": "dev" },
    ]))
    .await;
    let sha = world.repository.commit("master", &Sample::of(PAIR).files(), "First").await.unwrap();
    let clone = tempfile::tempdir().unwrap();
    let url = world.repository.clone_url_with(TOKEN);
    git(clone.path(), &["clone", "--quiet", &url, "."]).await;
    git(clone.path(), &["tag", "one-v3"]).await;
    git(clone.path(), &["tag", "v1.0"]).await;
    git(clone.path(), &["push", "--quiet", "--tags"]).await;
    assert_eq!(started(&world, &sha).await, builds(&[("staging", "tag"), ("prod", "tag")]));
    let staging = world.succeeds(&format!("commit={sha}&stage=staging")).await;
    assert_eq!((&staging["tag"], deployed(&staging)), (&json!("one-v3"), ["one"].into()));
    let prod = world.succeeds(&format!("commit={sha}&stage=prod")).await;
    assert_eq!((&prod["tag"], deployed(&prod)), (&json!("v1.0"), ["one", "two"].into()));
    assert!(jobs(&prod).all(|job| job["outcome"] == "succeeded"), "{prod:#}");
    world.ends().await;
}

async fn git(directory: &std::path::Path, arguments: &[&str]) {
    let done = tokio::process::Command::new("git")
        .args(arguments)
        .current_dir(directory)
        .output()
        .await
        .unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}
