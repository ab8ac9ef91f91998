//! A stack whose rollback failed: the stage says at what it is stuck, a person leaves that behind,
//! and the next push deploys again. The failure is really produced: a custom resource whose
//! function refuses every update, also the one that would take it back.

use serde_json::{Value, json};

use crate::aws::{DEVELOPMENT, LocalAws};
use crate::look::instance;
use crate::sample::Sample;
use crate::world::World;

const STACK: &str = "stuck-dev";
const STAGE: &str = "/apps/workshop/stages/dev";

const REFUSES_UPDATES: &str = "const https = require('https'); exports.handler = (event) => new \
    Promise((done, fail) => { const bad = event.RequestType === 'Update'; \
    const body = JSON.stringify({ Status: bad ? 'FAILED' : 'SUCCESS', Reason: 'told to fail', \
    PhysicalResourceId: 'thing', StackId: event.StackId, RequestId: event.RequestId, \
    LogicalResourceId: event.LogicalResourceId }); \
    const to = new URL(event.ResponseURL); \
    const put = https.request({ hostname: to.hostname, port: to.port, \
    path: to.pathname + to.search, method: 'PUT', \
    headers: { 'content-type': '', 'content-length': body.length } }, \
    (answer) => { answer.resume(); answer.on('end', done); }); \
    put.on('error', fail); put.end(body); });";

fn template(version: &str) -> Value {
    json!({ "Resources": {
        "Role": { "Type": "AWS::IAM::Role", "Properties": {
            "RoleName": "stuck-lambdaRole",
            "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" },
                "Action": "sts:AssumeRole",
            }] },
        } },
        "Function": { "Type": "AWS::Lambda::Function", "Properties": {
            "FunctionName": "stuck-thing", "Runtime": "nodejs20.x", "Handler": "index.handler",
            "Timeout": 20, "Role": { "Fn::GetAtt": ["Role", "Arn"] },
            "Code": { "ZipFile": REFUSES_UPDATES },
        } },
        "Thing": { "Type": "Custom::Thing", "Properties": {
            "ServiceToken": { "Fn::GetAtt": ["Function", "Arn"] }, "Version": version,
        } },
        "Topic": { "Type": "AWS::SNS::Topic", "Properties": { "DisplayName": "one" } },
    } })
}

fn sample(template: &Value) -> Sample {
    Sample::of(
        "services:\n  thing: { path: thing, template: thing.json, stack: 'stuck-${stage}' }\n",
    )
    .file("thing/thing.json", &template.to_string())
}

async fn status() -> String {
    let stack = LocalAws::stacks(DEVELOPMENT).look(STACK).await.unwrap().unwrap();
    stack.status.as_str().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_stack_names_its_resource_is_recovered_without_it_and_deployed_again() {
    let world = World::new().await;
    let push = async |template: &Value, title: &str| {
        world.repository.commit("develop", &sample(template).files(), title).await.unwrap()
    };
    let first = push(&template("1"), "First").await;
    world.succeeds(&format!("commit={first}")).await;
    let bad = push(&template("2"), "Bad").await;
    world.fails(&format!("commit={bad}")).await;
    assert_eq!(status().await, "UPDATE_ROLLBACK_FAILED");
    let again = push(&template("3"), "Again").await;
    world.fails(&format!("commit={again}")).await;
    let shown = world.get(STAGE).await;
    let reason = instance(&shown, "thing")["reason"].as_str().unwrap();
    let stuck = model::stuck::stuck_at(reason);
    let names: Vec<_> = stuck.iter().map(|one| one.logical_id.as_str()).collect();
    assert_eq!(names, ["Thing"], "{reason}");

    let wanted = json!({ "service": "thing", "skip": names });
    let build = world.orders(&format!("{STAGE}/recover"), &wanted).await;
    assert_eq!(build["purpose"], "recover");
    assert_eq!(status().await, "UPDATE_ROLLBACK_COMPLETE");
    let shown = world.get(STAGE).await;
    let thing = instance(&shown, "thing");
    assert_eq!((&thing["state"], &thing["commit"]), (&json!("failed"), &json!(first)));
    assert!(thing["reason"].as_str().unwrap().starts_with("recovered; deploy again"), "{thing}");

    // nothing of the service changes, and it is deployed all the same
    let mut good = template("1");
    good["Resources"]["Topic"]["Properties"]["DisplayName"] = json!("two");
    let good = push(&good, "Good").await;
    world.succeeds(&format!("commit={good}")).await;
    let shown = world.get(STAGE).await;
    assert_eq!(instance(&shown, "thing")["state"], "deployed");
    world.ends().await;
}
