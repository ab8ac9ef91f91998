//! Back to what a stage had: by an artifact that is still kept, and by git. The functions are
//! called: what they answer is what is deployed.

use serde_json::{Value, json};

use crate::aws::{DEVELOPMENT, LocalAws};
use crate::look::{decision, instance, job};
use crate::sample::Sample;
use crate::world::{World, jobs};

/// A function that says which version it is, and a topic beside it. `mark`: a test's own names in
/// AWS.
fn sample(mark: &str, version: &str) -> Sample {
    let pipeline = format!(
        "services:\n  hello: {{ path: hello }}\n  topic: {{ path: topic, template: topic.yml, \
         stack: '{mark}-topic-${{stage}}' }}\n"
    );
    let serverless = format!(
        "service: {mark}-hello
frameworkVersion: '4'
provider: {{ name: aws, runtime: nodejs20.x, region: '${{opt:region}}' }}
package: {{ patterns: ['!**', 'hello.js'] }}
functions: {{ hello: {{ handler: hello.handler }} }}
"
    );
    Sample::of(&pipeline)
        .serverless("hello", &serverless)
        .file("hello/hello.js", &function(version))
        .file("topic/topic.yml", &topic(version))
}

fn function(version: &str) -> String {
    format!("exports.handler = async () => ({{ version: '{version}' }});\n")
}

fn topic(version: &str) -> String {
    format!(
        "Resources: {{ Topic: {{ Type: AWS::SNS::Topic, Properties: {{ DisplayName: {version} }} }} }}
Outputs: {{ Version: {{ Value: '{version}' }} }}
"
    )
}

async fn answers(mark: &str) -> Value {
    let answer = LocalAws::invoke(DEVELOPMENT, &format!("{mark}-hello-dev-hello")).await;
    answer["version"].clone()
}

async fn deployments(world: &World) -> Vec<Value> {
    let all = world.get("/apps/workshop/stages/dev/deployments").await;
    all["deployments"].as_array().unwrap().clone()
}

const STAGE: &str = "/apps/workshop/stages/dev";

#[tokio::test(flavor = "multi_thread")]
async fn an_older_artifact_is_deployed_again_to_its_own_stage() {
    let mark = "returning";
    let world = World::new().await;
    let push = async |version: &str| {
        let files = sample(mark, version);
        world.repository.commit("develop", &files.files(), version).await.unwrap()
    };
    let first = push("one").await;
    world.succeeds(&format!("commit={first}")).await;
    let second = push("two").await;
    world.succeeds(&format!("commit={second}")).await;
    assert_eq!(answers(mark).await, "two");

    // one service: its function is the old one again, with the source of its commit
    let history = deployments(&world).await;
    let older = history.iter().rev().find(|one| one["service"] == "hello").unwrap();
    assert_eq!((&older["commit"], &older["build"]), (&json!(first), &json!(1)));
    let wanted = json!({ "service": "hello", "deployment": older["id"] });
    let build = world.orders(&format!("{STAGE}/rollback"), &wanted).await;
    assert_eq!((&build["purpose"], &build["commit"]), (&json!("rollback"), &json!(first)));
    assert_eq!(answers(mark).await, "one");
    let log = world.log(job(&build, "rollback", "hello")).await;
    assert!(log.contains(&first[..7]), "the log names the commit: {log}");
    assert!(log.contains("--force"), "{log}");
    let shown = world.get(STAGE).await;
    assert_eq!(instance(&shown, "hello")["commit"], json!(first));
    assert_eq!(instance(&shown, "topic")["outputs"]["Version"], "two", "it is left alone");
    let newest = deployments(&world).await.remove(0);
    assert_eq!((&newest["kind"], &newest["state"]), (&json!("rollback"), &json!("succeeded")));
    assert_eq!(newest["artifact"], older["artifact"]);
    let (status, problem) = world.post(&format!("{STAGE}/rollback"), &wanted).await;
    assert_eq!(status, 409, "{problem}");

    // the next push goes on from what runs, not from what was pushed
    let files = [("topic/NOTE", "nothing of hello")];
    let third = world.repository.commit("develop", &files, "A note").await.unwrap();
    let build = world.succeeds(&format!("commit={third}")).await;
    let reason = decision(&build, "hello");
    assert_eq!(reason.0, "run", "{build:#}");
    assert_eq!(answers(mark).await, "two");

    // the whole stage, and it stays so
    let freeze = json!({ "reason": "two is broken" });
    let wanted = json!({ "build": 1, "freeze": freeze });
    let build = world.orders(&format!("{STAGE}/rollback"), &wanted).await;
    assert_eq!(jobs(&build).filter(|job| job["kind"] == "rollback").count(), 2);
    assert_eq!(answers(mark).await, "one");
    let shown = world.get(STAGE).await;
    assert_eq!(instance(&shown, "topic")["outputs"]["Version"], "one");
    assert_eq!(shown["frozen"]["reason"], "two is broken");
    let fourth = push("four").await;
    let waits = crate::server::until("the push to wait for the stage", async || {
        let build = world.build(&format!("commit={fourth}")).await;
        (build["state"] == "waiting").then_some(build)
    })
    .await;
    assert_eq!(answers(mark).await, "one");
    let (status, said) = world.post(&format!("{STAGE}/unfreeze"), &json!({})).await;
    assert_eq!(status, 200, "{said}");
    let build = world.finished(waits["number"].as_i64().unwrap()).await;
    assert_eq!(build["outcome"], "succeeded", "{build:#}");
    assert_eq!(answers(mark).await, "four");
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revert_deploys_what_was_there_before() {
    let mark = "reverting";
    let world = World::new().await;
    let first = sample(mark, "one");
    let good = world.repository.commit("develop", &first.files(), "One").await.unwrap();
    world.succeeds(&format!("commit={good}")).await;
    let files = [("hello/hello.js", &*function("two"))];
    let bad = world.repository.commit("develop", &files, "Two").await.unwrap();
    world.succeeds(&format!("commit={bad}")).await;
    assert_eq!(answers(mark).await, "two");

    let files = [("hello/hello.js", &*function("one"))];
    let title = "Revert \"Two\"";
    let revert = world.repository.commit("develop", &files, title).await.unwrap();
    let build = world.succeeds(&format!("commit={revert}")).await;
    assert_eq!((&build["purpose"], &build["title"]), (&json!("deploy"), &json!(title)));
    assert_eq!((decision(&build, "hello").0, decision(&build, "topic").0), ("run", "skip"));
    assert_eq!(answers(mark).await, "one");
    let shown = world.get(STAGE).await;
    assert_eq!(instance(&shown, "hello")["commit"], json!(revert));
    world.ends().await;
}

const FAILS: &str = r#"
services:
  notes:
    path: notes
    framework: custom
    package: mkdir -p out && cp version out/
    deploy: |
      test "$GREENROOM_COMMIT" != "$refused" || { echo "this one is refused"; exit 1; }
      echo "version=$(cat version)" > "$GREENROOM_PUBLISH_FILE"
    remove: 'true'
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_fails_is_told_on_the_stage_and_stops_nothing() {
    let world = World::new().await;
    let pushed = async |version: &str| {
        let sample = Sample::of(FAILS).file("notes/version", version);
        let sha = world.repository.commit("develop", &sample.files(), version).await.unwrap();
        world.succeeds(&format!("commit={sha}")).await;
        sha
    };
    let first = pushed("one").await;
    let second = pushed("two").await;
    // what was fine then is refused now
    let mut file = crate::world::app();
    file["stages"]["dev"]["parameters"] = json!({ "refused": first });
    world.apply(&file).await;
    let (status, build) = world.post(&format!("{STAGE}/rollback"), &json!({ "build": 1 })).await;
    assert_eq!(status, 201, "{build}");
    let build = world.finished(build["number"].as_i64().unwrap()).await;
    assert_eq!(build["outcome"], "failed", "{build:#}");
    let shown = world.get(STAGE).await;
    let notes = instance(&shown, "notes");
    assert_eq!((&notes["state"], &notes["commit"]), (&json!("failed"), &json!(second)));
    let reason = notes["reason"].as_str().unwrap();
    let said = format!("the rollback to {} did not go through: ", &first[..7]);
    assert!(reason.starts_with(&said), "{reason}");

    file["stages"]["dev"]["parameters"] = json!({});
    world.apply(&file).await;
    world.orders(&format!("{STAGE}/rollback"), &json!({ "build": 1 })).await;
    let shown = world.get(STAGE).await;
    assert_eq!(instance(&shown, "notes")["outputs"]["version"], "one");
    world.ends().await;
}
