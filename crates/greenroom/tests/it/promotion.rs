//! From staging to production by git; and what a pull request would change in staging.

use serde_json::json;

use crate::aws::{LocalAws, STAGING};
use crate::look::{instance, job};
use crate::sample::Sample;
use crate::server::until;
use crate::world::{World, app, jobs};

const TWO: &str = r#"
services:
  api:
    path: api
    framework: custom
    deploy: echo "notes=$(cat notes)" > "$GREENROOM_PUBLISH_FILE"
    remove: 'true'
  site:
    path: site
    framework: custom
    deploy: echo "page=$(cat page)" > "$GREENROOM_PUBLISH_FILE"
    remove: 'true'
"#;

const PROMOTE: &str = "/apps/workshop/stages/prod/promote";

#[tokio::test(flavor = "multi_thread")]
async fn production_gets_the_commit_that_staging_runs_and_git_stays_the_truth() {
    let world = World::as_app().await;
    let mut file = app();
    file["stages"]["prod"]["promote_from"] = json!("staging");
    world.apply(&file).await;
    let sample = Sample::of(TWO).file("api/notes", "one").file("site/page", "one");
    let first = world.repository.commit("master", &sample.files(), "One").await.unwrap();
    world.succeeds(&format!("commit={first}&stage=staging")).await;

    // the branch is not there yet: it is made, and its push deploys as any other
    let (status, made) = world.post(PROMOTE, &json!({})).await;
    assert_eq!((status, &made["outcome"]), (200, &json!("created")), "{made}");
    let build = world.succeeds(&format!("commit={first}&stage=prod")).await;
    assert_eq!((&build["event"], &build["branch"]), (&json!("push"), &json!("prod")));

    // one service changes: the other stands at an older commit of the same line
    let files = [("api/notes", "two")];
    let second = world.repository.commit("master", &files, "Two").await.unwrap();
    world.succeeds(&format!("commit={second}&stage=staging")).await;
    let (status, moved) = world.post(PROMOTE, &json!({ "from": "staging" })).await;
    assert_eq!((status, &moved["outcome"]), (200, &json!("moved")), "{moved}");
    assert_eq!(world.repository.head("prod").await.unwrap(), second);
    world.succeeds(&format!("commit={second}&stage=prod")).await;
    let prod = world.get("/apps/workshop/stages/prod").await;
    assert_eq!(instance(&prod, "api")["outputs"], json!({ "notes": "two" }));
    let (status, there) = world.post(PROMOTE, &json!({})).await;
    assert_eq!((status, &there["outcome"]), (200, &json!("already_there")), "{there}");

    // production has something of its own: it is not overwritten
    let files = [("site/page", "mended")];
    let hotfix = world.repository.commit("prod", &files, "Hotfix").await.unwrap();
    world.succeeds(&format!("commit={hotfix}&stage=prod")).await;
    let files = [("api/notes", "three")];
    let third = world.repository.commit("master", &files, "Three").await.unwrap();
    world.succeeds(&format!("commit={third}&stage=staging")).await;
    let (status, refused) = world.post(PROMOTE, &json!({})).await;
    assert_eq!(status, 409, "{refused}");
    let why = refused["detail"].as_str().unwrap();
    assert!(why.contains("it has 1 commit that") && why.contains("merge the branch back"), "{why}");
    assert_eq!(world.repository.head("prod").await.unwrap(), hotfix);
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_of_a_manual_rule_is_made_and_built_by_hand() {
    let world = World::new().await;
    let mut file = app();
    file["rules"][2] = json!({ "tag": "v*", "stage": "prod", "trigger": "manual" });
    world.apply(&file).await;
    let sample = Sample::of(TWO).file("api/notes", "one").file("site/page", "one");
    let sha = world.repository.commit("master", &sample.files(), "One").await.unwrap();
    world.succeeds(&format!("commit={sha}&stage=staging")).await;
    let (status, made) = world.post(PROMOTE, &json!({ "from": "staging", "tag": "v1.0" })).await;
    assert_eq!(status, 200, "{made}");
    let build = world.finished(made["build"].as_i64().unwrap()).await;
    assert_eq!(build["outcome"], "succeeded", "{build:#}");
    assert_eq!((&build["event"], &build["tag"]), (&json!("manual"), &json!("v1.0")));
    let prod = world.get("/apps/workshop/stages/prod").await;
    assert_eq!(instance(&prod, "api")["commit"], json!(sha));
    world.ends().await;
}

const QUEUE: &str = "services:
  queue: { path: queue, template: queue.yml, stack: 'foreseen-${stage}' }
";

fn queue(seconds: u32, more: &str) -> String {
    format!(
        "Parameters: {{ endpoint: {{ Type: String }} }}
Resources:
  Queue: {{ Type: AWS::SQS::Queue, Properties: {{ VisibilityTimeout: {seconds} }} }}
{more}Outputs: {{ Url: {{ Value: !Ref Queue }} }}
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_shows_what_it_would_change_in_staging_and_touches_nothing_there() {
    let world = World::new().await;
    let mut file = app();
    file["rules"][3]["preview"]["foresee"] = json!("staging");
    world.apply(&file).await;
    let sample = Sample::of(QUEUE).file("queue/queue.yml", &queue(10, ""));
    let base = world.repository.commit("master", &sample.files(), "First").await.unwrap();
    world.succeeds(&format!("commit={base}&stage=staging")).await;
    let before = LocalAws::stacks(STAGING).look("foreseen-staging").await.unwrap().unwrap();

    let topic = "  Topic: { Type: AWS::SNS::Topic }\n";
    let template = queue(20, topic);
    let changed = [("queue/queue.yml", Some(&*template))];
    let head =
        world.repository.commit_on("feature/slow", Some("master"), &changed, "Slow").await.unwrap();
    world.repository.open_pr("feature/slow", "master", "Slow").await.unwrap();
    let build = world.succeeds(&format!("commit={head}")).await;
    let look = job(&build, "foresee", "queue");
    assert_eq!(look["outcome"], "succeeded", "{build:#}");
    let [change] = &look["checks"]["change"].as_array().unwrap()[..] else { panic!("{look:#}") };
    assert_eq!(change["stack"], "foreseen-staging", "{look:#}");
    let effect = |id: &str| {
        let all = change["changes"].as_array().unwrap();
        all.iter().find(|one| one["logical_id"] == id).map(|one| one["effect"].clone())
    };
    assert_eq!(
        (effect("Queue"), effect("Topic")),
        (Some(json!("may_be_replaced")), Some(json!("added")))
    );
    let after = LocalAws::stacks(STAGING).look("foreseen-staging").await.unwrap().unwrap();
    assert_eq!(after.changed_at(), before.changed_at());
    let deploy = job(&build, "deploy", "queue");
    assert!(!deploy["needs"].as_array().unwrap().contains(&look["id"]), "{build:#}");

    world.repository.delete_branch("feature/slow").await.unwrap();
    until("the preview to be closed", async || {
        let stages = world.get("/apps/workshop/stages").await;
        let all = stages["stages"].as_array().unwrap().clone();
        let preview = all.iter().find(|stage| stage["kind"] == "preview")?;
        (preview["state"] == "closed").then_some(())
    })
    .await;
    assert!(jobs(&build).all(|job| job["outcome"] == "succeeded"), "{build:#}");
    world.ends().await;
}
