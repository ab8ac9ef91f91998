//! What is tried again: by the job itself what AWS is known to refuse for a moment only, and by the
//! next push a stack that never came to be.

use serde_json::json;

use crate::aws::{DEVELOPMENT, LocalAws};
use crate::sample::Sample;
use crate::world::{World, jobs};

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_aws_refuses_for_a_moment_only_goes_through_by_itself() {
    let world = World::new().await;
    let sample = Sample::of(
        "services:
  site:
    path: site
    framework: custom
    deploy: 'test -e \"$HOME/asked\" || { touch \"$HOME/asked\"; echo ServerlessError: Rate exceeded; exit 1; }'
    remove: 'true'
",
    );
    let head = world.repository.commit("develop", &sample.files(), "First").await.unwrap();
    let build = world.succeeds(&format!("commit={head}")).await;
    let deploy = jobs(&build).find(|job| job["kind"] == "deploy").unwrap();
    assert_eq!(deploy["attempt"], json!(1));
    let log = world.log(deploy).await;
    let why =
        "the account's calls were more than AWS takes at once: this passes, tried again in 10 s";
    assert!(log.contains(why), "{log}");
    world.ends().await;
}

const PIPELINE: &str =
    "services:\n  net: { path: net, template: net.yml, stack: 'never-yet-${stage}' }\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_never_came_to_be_is_made_anew_by_the_next_push() {
    let world = World::new().await;
    let push = async |template: &str, title: &str| {
        let sample = Sample::of(PIPELINE).file("net/net.yml", template);
        world.repository.commit("develop", &sample.files(), title).await.unwrap()
    };
    let wrong = "Resources: { Wrong: { Type: AWS::CloudFormation::CustomResource, Properties: { ServiceToken: 'arn:aws:lambda:us-east-1:111111111111:function:none' } } }\n";
    let bad = push(wrong, "Bad").await;
    let build = world.fails(&format!("commit={bad}")).await;
    let deploy = jobs(&build).find(|job| job["kind"] == "deploy").unwrap();
    assert!(deploy["reason"].as_str().unwrap().contains("Wrong"), "{deploy}");
    let stacks = LocalAws::stacks(DEVELOPMENT);
    let stack = stacks.look("never-yet-dev").await.unwrap().unwrap();
    assert_eq!(stack.status.as_str(), "ROLLBACK_COMPLETE");

    let good = push("Resources: { Topic: { Type: AWS::SNS::Topic } }\n", "Good").await;
    world.succeeds(&format!("commit={good}")).await;
    let made = stacks.look("never-yet-dev").await.unwrap().unwrap();
    assert_eq!(made.status.as_str(), "CREATE_COMPLETE");
    assert_ne!(made.id, stack.id);
    world.ends().await;
}
