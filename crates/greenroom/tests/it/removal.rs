//! Removals of previews that do not go by themselves: the failure is really produced, the stage
//! stays in sight with the reason and a button, and it ends. `mark`: a test's own names in AWS.

use std::time::Duration;

use aws::Template;
use aws::stack::{Capability, Patience, Proposed, Wanted};
use serde_json::{Value, json};

use crate::aws::{DEVELOPMENT, LocalAws};
use crate::sample::Sample;
use crate::server::until;
use crate::world::{World, jobs};

const PATIENCE: Patience =
    Patience { poll: Duration::from_millis(100), deadline: Duration::from_secs(60) };

/// A preview of one service, `net`, that is this template; its name.
async fn preview(world: &World, mark: &str, template: &str) -> String {
    let pipeline = format!(
        "services:\n  net: {{ path: net, template: net.yml, stack: '{mark}-${{stage}}' }}\n"
    );
    let base = Sample::of(&pipeline)
        .file("net/net.yml", "Resources: { Topic: { Type: AWS::SNS::Topic } }\n");
    world.repository.commit("master", &base.files(), "First").await.unwrap();
    let changed = [("net/net.yml", Some(template))];
    let branch = format!("feature/{mark}");
    let head = world.repository.commit_on(&branch, Some("master"), &changed, "Two").await.unwrap();
    world.repository.open_pr(&branch, "master", "Two").await.unwrap();
    let build = world.succeeds(&format!("commit={head}")).await;
    build["stage"].as_str().unwrap().to_owned()
}

async fn stage(world: &World, name: &str) -> Value {
    world.get(&format!("/apps/workshop/stages/{name}")).await
}

/// Deletes the branch; the stage as it is once its removal has failed.
async fn left_over(world: &World, mark: &str, name: &str) -> Value {
    world.repository.delete_branch(&format!("feature/{mark}")).await.unwrap();
    until("the removal to have failed", async || {
        let stage = stage(world, name).await;
        (stage["state"] == "remove_failed").then_some(stage)
    })
    .await
}

async fn is_closed(world: &World, name: &str) {
    until("the preview to be closed", async || {
        (stage(world, name).await["state"] == "closed").then_some(())
    })
    .await;
}

/// A custom resource whose function refuses to delete it.
fn undying(mark: &str) -> String {
    let code = "const https = require('https'); exports.handler = (event) => new Promise((done, fail) => { \
         const bad = event.RequestType === 'Delete'; \
         const body = JSON.stringify({ Status: bad ? 'FAILED' : 'SUCCESS', Reason: 'told to fail', \
         PhysicalResourceId: 'thing', StackId: event.StackId, RequestId: event.RequestId, \
         LogicalResourceId: event.LogicalResourceId }); \
         const to = new URL(event.ResponseURL); \
         const put = https.request({ hostname: to.hostname, port: to.port, path: to.pathname + to.search, \
         method: 'PUT', headers: { 'content-type': '', 'content-length': body.length } }, \
         (answer) => { answer.resume(); answer.on('end', done); }); \
         put.on('error', fail); put.end(body); });";
    json!({ "Resources": {
        "Role": { "Type": "AWS::IAM::Role", "Properties": {
            "RoleName": format!("{mark}-lambdaRole"),
            "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" },
                "Action": "sts:AssumeRole",
            }] },
        } },
        "Function": { "Type": "AWS::Lambda::Function", "Properties": {
            "FunctionName": format!("{mark}-thing"), "Runtime": "nodejs20.x",
            "Handler": "index.handler", "Timeout": 20,
            "Role": { "Fn::GetAtt": ["Role", "Arn"] }, "Code": { "ZipFile": code },
        } },
        "Thing": { "Type": "Custom::Thing", "Properties": {
            "ServiceToken": { "Fn::GetAtt": ["Function", "Arn"] },
        } },
    } })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_cannot_be_deleted_keeps_the_preview_in_sight_until_it_may_stay() {
    let world = World::new().await;
    let mark = "undying";
    let name = preview(&world, mark, &undying(mark)).await;
    let stack = format!("{mark}-{name}");
    assert_eq!(LocalAws::accounts_with(&stack).await, [DEVELOPMENT].into());

    let seen = left_over(&world, mark, &name).await;
    let reason = seen["left_over"]["reason"].as_str().unwrap();
    assert!(reason.contains("Thing (Custom::Thing"), "{reason}");
    assert!(reason.contains("told to fail") && reason.contains(&stack), "{reason}");
    let page = world.page(&format!("/apps/workshop/stages/{name}")).await;
    assert!(page.contains("told to fail"), "{page}");
    assert_eq!(LocalAws::accounts_with(&stack).await, [DEVELOPMENT].into());

    // The button: what cannot be deleted stays, and is named.
    let path = format!("/apps/workshop/stages/{name}/remove");
    let build = world.orders(&path, &json!({ "how": "retaining" })).await;
    let job = jobs(&build).find(|job| job["kind"] == "remove").unwrap();
    let log = world.log(job).await;
    assert!(log.contains("kept: Thing (Custom::Thing"), "{log}");
    is_closed(&world, &name).await;
    assert!(LocalAws::accounts_with(&stack).await.is_empty());
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_with_full_buckets_is_gone_when_its_branch_is() {
    let world = World::new().await;
    let mark = "brimful";
    let bucket = |kind: &str| format!("{mark}-frontend-{kind}");
    let template = json!({ "Resources": {
        "Plain": { "Type": "AWS::S3::Bucket", "Properties": { "BucketName": bucket("plain") } },
        "Versioned": { "Type": "AWS::S3::Bucket", "Properties": {
            "BucketName": bucket("versioned"), "VersioningConfiguration": { "Status": "Enabled" },
        } },
    } });
    let name = preview(&world, mark, &template.to_string()).await;
    for kind in ["plain", "versioned"] {
        for text in ["one", "two"] {
            LocalAws::put_object(DEVELOPMENT, &bucket(kind), "a.txt", text).await;
        }
    }
    world.repository.delete_branch(&format!("feature/{mark}")).await.unwrap();
    is_closed(&world, &name).await;
    let build = world.succeeds(&format!("stage={name}")).await;
    let job = jobs(&build).find(|job| job["kind"] == "remove").unwrap();
    let log = world.log(job).await;
    for bucket in ["Plain", "Versioned"] {
        assert!(log.contains(&format!("EMPTY_COMPLETE {bucket} (AWS::S3::Bucket)")), "{log}");
    }
    assert!(!LocalAws::has_bucket(DEVELOPMENT, &bucket("versioned")).await);
    assert!(LocalAws::accounts_with(&format!("{mark}-{name}")).await.is_empty());
    world.ends().await;
}

/// A stack of somebody else's that reads what a preview exports.
fn importing(stack: &str, export: &str) -> Wanted {
    let template = json!({ "Resources": { "Value": { "Type": "AWS::SSM::Parameter", "Properties": {
        "Name": format!("/{stack}"), "Type": "String", "Value": { "Fn::ImportValue": export },
    } } } });
    Wanted {
        stack: stack.to_owned(),
        template: Template::parse(&template.to_string()).unwrap(),
        parameters: [].into(),
        tags: [].into(),
        capabilities: Capability::ALL.into(),
        role_arn: None,
        bucket: None,
        token: stack.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_in_use_names_its_importer_and_the_preview_goes_once_that_is_gone() {
    let world = World::new().await;
    let mark = "exporter";
    let template = json!({
        "Resources": { "Topic": { "Type": "AWS::SNS::Topic" } },
        "Outputs": { "Name": {
            "Value": { "Fn::GetAtt": ["Topic", "TopicName"] }, "Export": { "Name": mark },
        } },
    });
    let name = preview(&world, mark, &template.to_string()).await;
    let stacks = LocalAws::stacks(DEVELOPMENT);
    let importer = "somebody-elses-importer";
    let proposed = stacks.propose(&importing(importer, mark), PATIENCE).await.unwrap();
    let Proposed::Change(proposal) = proposed else { panic!("it is new") };
    proposal.carry_out(PATIENCE, &mut |_| {}).await.unwrap();

    let seen = left_over(&world, mark, &name).await;
    let reason = seen["left_over"]["reason"].as_str().unwrap();
    assert!(reason.contains(&format!("export {mark} is imported by {importer}")), "{reason}");

    stacks.delete(importer, importer).await.unwrap();
    until("the importer to be gone", async || {
        stacks.look(importer).await.unwrap().is_none().then_some(())
    })
    .await;
    world.orders(&format!("/apps/workshop/stages/{name}/remove"), &json!({})).await;
    is_closed(&world, &name).await;
    assert!(LocalAws::accounts_with(&format!("{mark}-{name}")).await.is_empty());
    world.ends().await;
}
