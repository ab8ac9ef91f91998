//! A service in several regions.

use serde_json::json;

use crate::aws::{DEVELOPMENT, LocalAws};
use crate::look::job;
use crate::sample::Sample;
use crate::world::{World, app, jobs};

const PIPELINE: &str = "
services:
  here: { path: here, template: topic.yml, stack: 'single-${stage}' }
  everywhere:
    path: everywhere
    template: topic.yml
    stack: manifold-${stage}
    test: 'true'
";

const TOPIC: &str = "
Resources: { Topic: { Type: AWS::SNS::Topic } }
Outputs: { Region: { Value: !Ref 'AWS::Region' } }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_service_in_two_regions_has_a_row_and_a_stack_in_each() {
    let world = World::new().await;
    let mut file = app();
    file["rules"] = json!([{ "preview": { "base": ["master"] } }]);
    file["services"] = json!({ "everywhere": { "regions": ["us-east-1", "eu-west-1"] } });
    world.apply(&file).await;
    let sample =
        Sample::of(PIPELINE).file("here/topic.yml", TOPIC).file("everywhere/topic.yml", TOPIC);
    let repository = &world.repository;
    repository.commit("master", &[("README.md", "empty")], "First").await.unwrap();
    let sha = repository.commit("regions", &sample.files(), "All of it").await.unwrap();
    repository.open_pr("regions", "master", "All of it").await.unwrap();
    let build = world.succeeds(&format!("commit={sha}")).await;

    let of = |kind: &str| {
        let of = jobs(&build)
            .filter(|job| job["kind"] == kind && job["service"] == "everywhere")
            .map(|job| job["region"].as_str().unwrap_or("no region"));
        let mut regions: Vec<&str> = of.collect();
        regions.sort_unstable();
        regions
    };
    assert_eq!(of("test"), ["no region"]);
    assert_eq!(of("package"), ["eu-west-1", "us-east-1"]);
    assert_eq!(of("deploy"), ["eu-west-1", "us-east-1"]);
    let stage = world.get("/apps/workshop/stages/regions").await;
    let mut rows: Vec<(&str, &str, &str)> = stage["instances"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let text = |key: &str| one[key].as_str().unwrap();
            (text("service"), text("region"), one["outputs"]["Region"].as_str().unwrap())
        })
        .collect();
    rows.sort_unstable();
    assert_eq!(
        rows,
        [
            ("everywhere", "eu-west-1", "eu-west-1"),
            ("everywhere", "us-east-1", "us-east-1"),
            ("here", "us-east-1", "us-east-1"),
        ]
    );
    assert_eq!(regions_with("manifold-regions").await, ["us-east-1", "eu-west-1"]);
    assert_eq!(regions_with("single-regions").await, ["us-east-1"]);
    let page = world.build_page(&build).await;
    assert!(page.contains("everywhere in eu-west-1"), "{page}");

    let removal = world.orders("/apps/workshop/stages/regions/remove", &json!({})).await;
    assert_eq!(job(&removal, "remove", "everywhere")["outcome"], "succeeded");
    assert!(regions_with("manifold-regions").await.is_empty());
    world.ends().await;
}

async fn regions_with(stack: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    for region in ["us-east-1", "eu-west-1"] {
        if LocalAws::stacks_in(DEVELOPMENT, region).look(stack).await.unwrap().is_some() {
            found.push(region);
        }
    }
    found
}
