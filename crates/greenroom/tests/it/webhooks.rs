//! Every kind of webhook that GitHub documents is taken, and none is too much for the server.

use std::path::Path;

use fakes::signature;
use serde_json::{Value, json};

use crate::server::{client, until};
use crate::world::{SECRET, World, app};

/// The examples that GitHub's own package has: (event, payload).
fn examples() -> Vec<(String, Value)> {
    let directory = std::env::var("GREENROOM_TEST_WEBHOOK_EXAMPLES")
        .expect("GREENROOM_TEST_WEBHOOK_EXAMPLES is not set: run script/test, which installs them");
    let text =
        std::fs::read_to_string(Path::new(&directory).join("api.github.com/index.json")).unwrap();
    let events: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut all = Vec::new();
    for event in &events {
        for example in event["examples"].as_array().unwrap() {
            all.push((event["name"].as_str().unwrap().to_owned(), example.clone()));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_payload_is_taken_and_none_ends_as_an_error_of_ours() {
    let world = World::with(&[("GREENROOM_WORKER_COUNT", "0")]).await;
    let examples = examples();
    assert_eq!(examples.len(), 329);
    let client = client();
    for (at, (event, payload)) in examples.iter().enumerate() {
        let body = payload.to_string();
        let answer = client
            .post(format!("{}/webhooks/github", world.server.url))
            .header("x-github-event", event)
            .header("x-github-delivery", format!("example-{at}"))
            .header("x-hub-signature-256", signature(SECRET, body.as_bytes()))
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 202, "{event}");
    }
    let db = world.server.database().await;
    let deliveries = until("every delivery to be processed", async || {
        let mut conn = db.acquire().await.unwrap();
        let all = store::delivery::list(&mut conn, None, 1000).await.unwrap();
        let done = all.iter().all(|d| d.state != store::delivery::DeliveryState::Received);
        (done && all.len() >= 329).then_some(all)
    })
    .await;
    for delivery in deliveries {
        assert_ne!(
            delivery.state,
            store::delivery::DeliveryState::Failed,
            "{} ended with {:?}",
            delivery.event,
            delivery.reason
        );
    }
    db.pool().close().await;
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_two_rules_match_is_built_for_both_stages() {
    let world = World::new().await;
    let mut settings = app();
    settings["rules"] =
        json!([{ "tag": "v*", "stage": "staging" }, { "tag": "v1.*", "stage": "prod" }]);
    let (status, body) = world.put("/apps/workshop", &settings).await;
    assert_eq!(status, 200, "{body}");
    let sha = world.repository.commit("master", &[("README.md", "empty")], "First").await.unwrap();
    world.repository.tag("v1.0", &sha).await.unwrap();
    let builds = until("two builds of the tag", async || {
        let list = world.get(&format!("/apps/workshop/builds?commit={sha}")).await;
        let builds = list["builds"].as_array().unwrap().clone();
        (builds.len() == 2).then_some(builds)
    })
    .await;
    let mut stages: Vec<&str> = builds.iter().map(|b| b["stage"].as_str().unwrap()).collect();
    stages.sort_unstable();
    assert_eq!(stages, ["prod", "staging"]);
    for build in &builds {
        assert_eq!((&build["event"], &build["tag"]), (&json!("tag"), &json!("v1.0")));
        world.finished(build["number"].as_i64().unwrap()).await;
    }
    world.ends().await;
}
