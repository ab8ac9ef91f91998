//! A person deploys past the server: the next build says so, and so does the stage, until a deploy
//! of ours has gone over it.

use serde_json::{Value, json};

use crate::aws::{DEVELOPMENT, LocalAws};
use crate::world::{World, jobs};

/// Tests run side by side and share the accounts.
const STACK: &str = "by-hand-dev";
const PIPELINE: &str = "services:
  queue: { path: queue, framework: cloudformation, stack: 'by-hand-${stage}' }
";

fn template(seconds: u32) -> String {
    format!(
        "Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {{ VisibilityTimeout: {seconds} }}
Outputs:
  Url: {{ Value: !Ref Queue }}
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_was_changed_by_hand_is_shown_as_such() {
    let world = World::new().await;
    let push = async |template: &str| {
        let files = [("greenroom.yml", PIPELINE), ("queue/template.yml", template)];
        world.repository.commit("develop", &files, "A queue").await.unwrap()
    };
    let first = push(&template(10)).await;
    let build = world.succeeds(&format!("commit={first}&stage=dev")).await;
    assert!(outside(&build).is_empty(), "{build:#}");
    let second = push(&template(20)).await;
    let build = world.succeeds(&format!("commit={second}&stage=dev")).await;
    assert!(outside(&build).is_empty(), "the first deploy was ours: {build:#}");
    assert_eq!(changed_outside(&world).await, Value::Null);

    let stack = LocalAws::deploy_by_hand(DEVELOPMENT, STACK, &template(99)).await;
    assert_eq!(stack.status, aws::StackStatus::UpdateComplete);

    // a push that comes to nothing tells it all the same, and it stays on the stage
    let broken = push("Resources: { Queue: { Type: AWS::Nothing::AtAll } }\n").await;
    let build = world.build(&format!("commit={broken}&stage=dev")).await;
    let build = world.finished(build["number"].as_i64().unwrap()).await;
    assert_eq!(build["outcome"], "failed", "{build:#}");
    tells_it(&build, 2);
    let shown = changed_outside(&world).await;
    assert_eq!(
        (&shown["build"], &shown["reason"]),
        (&json!(3), &json!(format!("stack {STACK} was changed")))
    );

    // the next deploy warns, goes over it and clears it
    let mended = push(&template(30)).await;
    let build = world.succeeds(&format!("commit={mended}&stage=dev")).await;
    tells_it(&build, 2);
    let package = jobs(&build).find(|job| job["kind"] == "package").unwrap();
    let log = world.log(package).await;
    assert!(log.contains("warning: not by Greenroom: stack by-hand-dev: it was changed"), "{log}");
    assert_eq!(changed_outside(&world).await, Value::Null);
    let last = push(&template(40)).await;
    let build = world.succeeds(&format!("commit={last}&stage=dev")).await;
    assert!(outside(&build).is_empty(), "{build:#}");
    world.ends().await;
}

/// The findings of a build about what others did.
fn outside(build: &Value) -> Vec<&Value> {
    let findings = jobs(build).filter_map(|job| job["checks"]["findings"].as_array()).flatten();
    findings.filter(|finding| finding["check"]["kind"] == "outside").collect()
}

fn tells_it(build: &Value, last_deploy: i64) {
    let [finding] = outside(build)[..] else { panic!("one finding of it: {build:#}") };
    assert_eq!(
        (&finding["level"], &finding["place"]),
        (&json!("warning"), &json!(format!("stack {STACK}")))
    );
    let problem = finding["problem"].as_str().unwrap();
    assert!(problem.starts_with("it was changed outside Greenroom at "), "{problem}");
    assert!(problem.contains(&format!("after build {last_deploy} had deployed it")), "{problem}");
}

async fn changed_outside(world: &World) -> Value {
    let stage = world.get("/apps/workshop/stages/dev").await;
    let instance = &stage["instances"][0];
    assert_eq!(instance["service"], "queue");
    instance["changed_outside"].clone()
}
