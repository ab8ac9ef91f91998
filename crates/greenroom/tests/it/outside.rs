//! A person deploys past the server: the next build says so, and so does the stage, until a deploy
//! of ours has gone over it.

use std::time::Duration;

use aws::Template;
use aws::stack::{Patience, Proposed, Wanted};
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

    change_by_hand(&template(99)).await;

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

/// What somebody with the account's keys does from a command line.
async fn change_by_hand(template: &str) {
    let wanted = Wanted {
        stack: STACK.to_owned(),
        template: Template::parse(template).unwrap(),
        parameters: [].into(),
        tags: [].into(),
        capabilities: [].into(),
        role_arn: None,
        bucket: None,
        token: "by-hand".to_owned(),
    };
    let patience = Patience { poll: Duration::from_millis(100), deadline: Duration::from_secs(60) };
    let stacks = LocalAws::stacks(DEVELOPMENT);
    let Proposed::Change(proposal) = stacks.propose(&wanted, patience).await.unwrap() else {
        panic!("the template is another one")
    };
    let stack = proposal.carry_out(patience, &mut |_| {}).await.unwrap().unwrap();
    assert_eq!(stack.status, aws::StackStatus::UpdateComplete);
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
