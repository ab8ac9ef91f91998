//! Previews beside others: what they leave to the stage behind them, and whose stages they leave
//! alone.

use chrono::DateTime;
use model::stage::StageKind;
use serde_json::json;
use store::stage::NewStage;

use crate::aws::{DEVELOPMENT, LocalAws};
use crate::look::{decision, deployed, instance};
use crate::sample::Sample;
use crate::server::until;
use crate::world::World;

const THREE: &str = r#"
services:
  base:
    path: base
    framework: custom
    deploy: echo table=visits-of-$GREENROOM_STAGE > "$GREENROOM_PUBLISH_FILE"
    remove: 'true'
  api:
    path: api
    framework: custom
    parameters: { Table: '${output:base.table}' }
    deploy: echo "reads=$Table" > "$GREENROOM_PUBLISH_FILE"
    remove: 'true'
  site: { path: site, template: topic.yml, stack: 'beside-${stage}' }
"#;

const TOPIC: &str = "Resources: { Topic: { Type: AWS::SNS::Topic } }\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_that_changes_two_services_deploys_both_and_leaves_a_personal_stage_alone() {
    let world = World::new().await;
    let repository = &world.repository;
    let sample = Sample::of(THREE).file("site/topic.yml", TOPIC);
    let base = repository.commit("master", &sample.files(), "First").await.unwrap();
    repository.set_branch("develop", &base).await.unwrap();
    world.succeeds(&format!("commit={base}&stage=dev")).await;

    // somebody has a stage of the name that the preview would get, with a stack in it
    personal_stage(&world, "feature-mine").await;
    let order = json!({
        "commit": base, "stage": "feature-mine", "services": ["site"], "force": true,
    });
    world.orders("/apps/workshop/builds", &order).await;
    let mine = async || world.get("/apps/workshop/stages/feature-mine").await;
    let before = mine().await;
    assert_eq!((&before["kind"], &before["state"]), (&json!("personal"), &json!("active")));
    let stack = instance(&before, "site")["stack"].as_str().unwrap().to_owned();
    assert_eq!(LocalAws::accounts_with(&stack).await, [DEVELOPMENT].into());

    let changed = [("api/NOTE", Some("x")), ("site/NOTE", Some("x"))];
    let head = repository.commit_on("feature/mine", Some("master"), &changed, "Two").await.unwrap();
    repository.open_pr("feature/mine", "master", "Two").await.unwrap();
    let build = world.succeeds(&format!("commit={head}")).await;
    let preview = build["stage"].as_str().unwrap();
    assert!(preview.starts_with("feature-mine-"), "{preview}");
    assert_eq!(deployed(&build), ["api", "site"].into());
    let (what, why) = decision(&build, "base");
    assert_eq!(what, "skip");
    assert!(why.ends_with("which runs in dev: the one there is used"), "{why}");
    let stage = world.get(&format!("/apps/workshop/stages/{preview}")).await;
    assert_eq!(instance(&stage, "api")["outputs"], json!({ "reads": "visits-of-dev" }));

    // the branch goes, its preview with it, and nothing else
    repository.delete_branch("feature/mine").await.unwrap();
    until("the preview to be closed", async || {
        let stage = world.get(&format!("/apps/workshop/stages/{preview}")).await;
        (stage["state"] == "closed").then_some(())
    })
    .await;
    assert!(LocalAws::accounts_with(&format!("beside-{preview}")).await.is_empty());
    assert_eq!(mine().await, before);
    assert_eq!(LocalAws::accounts_with(&stack).await, [DEVELOPMENT].into());
    world.ends().await;
}

/// A stage as a developer makes one.
async fn personal_stage(world: &World, name: &str) {
    let db = world.server.database().await;
    let mut conn = db.acquire().await.unwrap();
    let app = store::app::find(&mut conn, &"workshop".parse().unwrap()).await.unwrap().unwrap();
    let stage = NewStage {
        id: "01a1fe91-5a1a-740a-8445-d794cfd7dd8b".parse().unwrap(),
        app_id: app.id,
        name: name.parse().unwrap(),
        kind: StageKind::Personal,
        profile: "development".parse().unwrap(),
        branch: None,
        pull_request: None,
        created_at: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
    };
    store::stage::insert(&mut conn, &stage).await.unwrap();
    drop(conn);
    db.pool().close().await;
}
