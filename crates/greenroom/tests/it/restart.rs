//! The plug is pulled: at each point the build ends by itself after the restart, once, with the
//! right outcome.

use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::json;

use crate::aws::{LocalAws, STAGING};
use crate::gate::Gate;
use crate::sample::Sample;
use crate::server::{Server, until};
use crate::world::{World, jobs};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_right_after_its_202_builds_once_all_the_same() {
    let mut world = World::with_own_postgres().await;
    let sample = Sample::tested_by("console.log('fine')");
    let head = world.fork_pull_request(&sample).await;
    until("the delivery to be accepted", async || {
        let deliveries = world.github.deliveries();
        deliveries
            .iter()
            .any(|delivery| delivery.event == "pull_request" && answer(delivery) == Some(202))
            .then_some(())
    })
    .await;
    world.server.kill().await;
    world.server.start_again().await;
    world.succeeds(&format!("commit={head}")).await;
    let builds = world.get(&format!("/apps/workshop/builds?commit={head}")).await;
    assert_eq!(builds["builds"].as_array().unwrap().len(), 1, "{builds:#}");
    // a redelivery of what is known starts nothing
    let id = world.github.deliveries().iter().find(|d| d.event == "pull_request").unwrap().id;
    world.github.redeliver(id).unwrap();
    world.github.settle_deliveries().await;
    assert_eq!(answer(world.github.deliveries().last().unwrap()), Some(200));
    // nor does a replay of the stored row
    let guid =
        world.github.deliveries().iter().find(|d| d.event == "pull_request").unwrap().guid.clone();
    world.replay(&guid).await;
    let builds = world.get(&format!("/apps/workshop/builds?commit={head}")).await;
    assert_eq!(builds["builds"].as_array().unwrap().len(), 1);
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_while_a_test_runs_runs_that_test_again() {
    let mut world = World::with_own_postgres().await;
    let gate = Gate::closed().await;
    let head = world.fork_pull_request(&Sample::tested_by(&gate.javascript("test"))).await;
    gate.arrived("test", 1).await;
    world.server.kill().await;
    world.server.start_again().await;
    gate.arrived("test", 2).await;
    gate.open();
    let build = world.succeeds(&format!("commit={head}")).await;
    let test = jobs(&build).find(|job| job["kind"] == "test").unwrap();
    assert_eq!(test["attempt"], json!(2));
    assert_eq!(gate.arrivals("test"), 2);
    world.status(&head, "greenroom", "success").await;
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_while_a_deploy_runs_looks_at_the_stack_and_ends_the_deploy_once() {
    let mut world = World::with_own_postgres().await;
    let before = Gate::closed().await;
    let after = Gate::closed().await;
    let plugin = format!(
        "constructor() {{ this.hooks = {{
            'before:aws:deploy:deploy:updateStack': async () => {{ {}; }},
            'after:aws:deploy:deploy:updateStack': async () => {{ {}; }},
        }}; }}",
        before.javascript("before"),
        after.javascript("after"),
    );
    let sample = Sample::table("notes", &plugin);
    let sha = world.repository.commit("master", &sample.files(), "First").await.unwrap();

    // killed before CloudFormation was asked: the next attempt deploys
    before.arrived("before", 1).await;
    world.server.kill().await;
    before.open();
    world.server.start_again().await;

    // killed after it was asked: the next attempt finds the stack as it should be
    after.arrived("after", 1).await;
    world.server.kill().await;
    after.open();
    world.server.start_again().await;
    let build = world.succeeds(&format!("commit={sha}")).await;
    let deploy = jobs(&build).find(|job| job["kind"] == "deploy").unwrap();
    assert_eq!(deploy["attempt"], json!(3));
    assert_eq!((before.arrivals("before"), after.arrivals("after")), (2, 1));
    assert_eq!(LocalAws::accounts_with("notes-staging").await, BTreeSet::from([STAGING]));
    let history = world.get("/apps/workshop/stages/staging/deployments").await;
    let deployments = history["deployments"].as_array().unwrap();
    assert_eq!(deployments.len(), 1, "{history:#}");
    assert_eq!(deployments[0]["state"], "succeeded");
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_worker_takes_over_the_jobs_of_one_that_was_killed() {
    let world = World::with(&[("GREENROOM_WORKER_COUNT", "0")]).await;
    let token = world.server.token("workers", "worker").await;
    let gate = Gate::closed().await;
    let mut first = worker(&world.server, &token, "first").await;
    let head = world.fork_pull_request(&Sample::tested_by(&gate.javascript("test"))).await;
    gate.arrived("test", 1).await;
    let mut second = worker(&world.server, &token, "second").await;
    first.kill().await.unwrap();
    gate.arrived("test", 2).await;
    gate.open();
    let build = world.succeeds(&format!("commit={head}")).await;
    let test = jobs(&build).find(|job| job["kind"] == "test").unwrap();
    assert_eq!(test["attempt"], json!(2));
    second.kill().await.unwrap();
    world.ends().await;
}

fn answer(delivery: &fakes::Delivery) -> Option<u16> {
    delivery.outcome.as_ref().map(|outcome| outcome.status_code)
}

async fn worker(server: &Server, token: &str, name: &str) -> tokio::process::Child {
    let directory = server.data_dir.with_file_name(name);
    server
        .command()
        .args(["worker", "--url", &server.url, "--token", token, "--name", name, "--slots", "1"])
        .arg("--work-dir")
        .arg(&directory)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}
