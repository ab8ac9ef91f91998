//! What no webhook told: the server looks at GitHub itself, and what it finds is built, or removed,
//! once.

use serde_json::{Value, json};

use crate::aws::{DEVELOPMENT, LocalAws};
use crate::sample::Sample;
use crate::server::until;
use crate::world::{World, app};

/// Tests run side by side and share the accounts.
const PIPELINE: &str = "services:
  queue: { path: queue, framework: cloudformation, stack: 'unheard-${stage}' }
";
const TEMPLATE: &str = "Resources: { Queue: { Type: AWS::SQS::Queue } }\n";

fn sample() -> Sample {
    Sample::of(PIPELINE).file("queue/template.yml", TEMPLATE)
}

async fn builds(world: &World, query: &str) -> Vec<Value> {
    let list = world.get(&format!("/apps/workshop/builds?{query}")).await;
    list["builds"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_webhook_tells_is_built_and_removed_all_the_same() {
    let world = World::with(&[("GREENROOM_RECONCILE_EVERY", "1s")]).await;
    let mut file = app();
    file["rules"] = json!([
        { "branch": "develop", "stage": "dev" },
        { "preview": { "base": ["develop"] } },
    ]);
    world.apply(&file).await;
    world.github.set_hook(None);
    let repository = &world.repository;
    let first = repository.commit("master", &sample().files(), "First").await.unwrap();
    repository.set_branch("develop", &first).await.unwrap();
    let build = world.succeeds(&format!("commit={first}&stage=dev")).await;
    assert_eq!((&build["event"], &build["title"]), (&json!("push"), &json!("First")));

    let files = [("queue/NOTE", Some("x"))];
    let head =
        repository.commit_on("feature/unheard", Some("develop"), &files, "New").await.unwrap();
    let number = repository.open_pr("feature/unheard", "develop", "New").await.unwrap();
    let build = world.succeeds(&format!("commit={head}")).await;
    assert_eq!(build["pull_request"], number);
    let stage = build["stage"].as_str().unwrap().to_owned();
    let stack = format!("unheard-{stage}");
    assert_eq!(LocalAws::accounts_with(&stack).await, [DEVELOPMENT].into());

    repository.close_pr(number).await.unwrap();
    repository.delete_branch("feature/unheard").await.unwrap();
    until("the preview to be closed", async || {
        let shown = world.get(&format!("/apps/workshop/stages/{stage}")).await;
        (shown["state"] == "closed").then_some(())
    })
    .await;
    assert_eq!(LocalAws::accounts_with(&stack).await, [].into());

    // each head was built once, and looking on has found nothing more
    assert_eq!(builds(&world, &format!("commit={first}")).await.len(), 1);
    let of_head = builds(&world, &format!("commit={head}")).await;
    let purposes: Vec<&Value> = of_head.iter().map(|build| &build["purpose"]).collect();
    assert_eq!(purposes, ["remove", "deploy"]);
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_failed_while_the_server_was_down_is_asked_for_when_it_is_back() {
    let mut world = World::as_app().await;
    world.server.kill().await;
    let files = Sample::of(PIPELINE.replace("unheard", "undelivered").as_str());
    let files = files.file("queue/template.yml", TEMPLATE);
    let head = world.repository.commit("develop", &files.files(), "First").await.unwrap();
    world.github.settle_deliveries().await;
    let failed = |delivery: &fakes::Delivery| delivery.event == "push" && !arrived(delivery);
    let guid = world.github.deliveries().into_iter().find(failed).unwrap().guid;

    world.server.start_again().await;
    world.succeeds(&format!("commit={head}&stage=dev")).await;
    until("the delivery to be made again", async || {
        let deliveries = world.github.deliveries();
        let again = |delivery: &fakes::Delivery| delivery.guid == guid && delivery.redelivery;
        deliveries.iter().any(|delivery| again(delivery) && arrived(delivery)).then_some(())
    })
    .await;
    assert_eq!(builds(&world, &format!("commit={head}&stage=dev")).await.len(), 1);
    world.ends().await;
}

fn arrived(delivery: &fakes::Delivery) -> bool {
    let code = delivery.outcome.as_ref().map_or(0, |outcome| outcome.status_code);
    (200..300).contains(&code)
}
