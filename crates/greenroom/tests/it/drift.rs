//! Somebody changes by hand what was deployed: it is found when it is looked for, shown where people
//! decide, and forgotten with the next deploy.

use serde_json::{Value, json};

use crate::aws::{DEVELOPMENT, LocalAws};
use crate::world::{World, app, jobs};

const STACK: &str = "drifting-dev";
const PARAMETER: &str = "/drifting/endpoint";
const PIPELINE: &str = "services:
  config: { path: config, framework: cloudformation, stack: 'drifting-${stage}' }
";

fn template(display_name: &str) -> String {
    format!(
        "Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties: {{ DisplayName: {display_name} }}
  Endpoint:
    Type: AWS::SSM::Parameter
    Properties: {{ Name: {PARAMETER}, Type: String, Value: as declared }}
"
    )
}

async fn push(world: &World, display_name: &str) -> String {
    let template = template(display_name);
    let files = [("greenroom.yml", PIPELINE), ("config/template.yml", template.as_str())];
    world.repository.commit("develop", &files, display_name).await.unwrap()
}

async fn stage(world: &World) -> Value {
    world.get("/apps/workshop/stages/dev").await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_by_hand_is_shown_until_a_deploy_has_gone_over_it() {
    let world = World::new().await;
    let first = push(&world, "First").await;
    world.succeeds(&format!("commit={first}&stage=dev")).await;
    assert_eq!(stage(&world).await["drift"], Value::Null, "nobody looked");
    let look = world.orders("/apps/workshop/stages/dev/drift", &json!({})).await;
    assert_eq!((&look["purpose"], &look["event"]), (&json!("inspect"), &json!("manual")));
    assert_eq!(stage(&world).await["drift"]["status"], "in_sync");

    LocalAws::put_parameter(DEVELOPMENT, PARAMETER, "by hand").await;
    world.orders("/apps/workshop/stages/dev/drift", &json!({})).await;
    let drift = stage(&world).await["drift"].clone();
    assert_eq!(drift["status"], "drifted", "{drift:#}");
    let instance = &drift["instances"][0];
    assert_eq!((&instance["service"], &instance["build"]), (&json!("config"), &json!(3)));
    let resource = &instance["stacks"][0]["status"]["resources"][0];
    assert_eq!(resource["logical_id"], "Endpoint", "{drift:#}");
    let differences = resource["deed"]["differences"].as_array().unwrap();
    let value = differences.iter().find(|one| one["path"] == "/Value").unwrap();
    assert_eq!((&value["expected"], &value["actual"]), (&json!("as declared"), &json!("by hand")));

    // looks are no builds that people have to see
    let listed = world.get("/apps/workshop/builds").await;
    assert_eq!(listed["builds"].as_array().unwrap().len(), 1, "{listed:#}");
    let looks = world.get("/apps/workshop/builds?purpose=inspect").await;
    assert_eq!(looks["builds"].as_array().unwrap().len(), 2, "{looks:#}");
    assert!(
        world.repository.statuses(&first).iter().all(|status| !status
            .target_url
            .as_deref()
            .unwrap_or("")
            .ends_with("/builds/2"))
    );

    // a deploy past the server is seen by the look too
    let stack = LocalAws::deploy_by_hand(DEVELOPMENT, STACK, &template("ByHand")).await;
    assert_eq!(stack.status, aws::StackStatus::UpdateComplete);
    world.orders("/apps/workshop/stages/dev/drift", &json!({})).await;
    let outside = &stage(&world).await["instances"][0]["changed_outside"];
    assert_eq!(outside["reason"], format!("stack {STACK} was changed"), "{outside:#}");

    let second = push(&world, "Second").await;
    world.succeeds(&format!("commit={second}&stage=dev")).await;
    let whole = stage(&world).await;
    assert_eq!(
        (&whole["drift"], &whole["instances"][0]["changed_outside"]),
        (&Value::Null, &Value::Null)
    );
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_approves_a_deploy_is_told_what_has_drifted_there() {
    let world = World::new().await;
    let mut file = app();
    file["rules"] = json!([{ "branch": "develop", "stage": "dev" }]);
    world.apply(&file).await;
    let pipeline = PIPELINE.replace("drifting", "asked-and-drifting");
    let topic = "Resources: { Topic: { Type: AWS::SNS::Topic } }\n";
    let push = async |template: &str| {
        let files = [("greenroom.yml", pipeline.as_str()), ("config/template.yml", template)];
        world.repository.commit("develop", &files, "A topic").await.unwrap()
    };
    let first = push(topic).await;
    world.succeeds(&format!("commit={first}&stage=dev")).await;
    file["stages"]["dev"]["approvers"] = json!(["release-team"]);
    world.apply(&file).await;
    let second = push(&format!("Description: Second\n{topic}")).await;
    let build = world.build(&format!("commit={second}&stage=dev")).await;
    let path = format!("/apps/workshop/builds/{}", build["number"]);
    crate::server::until("the build to wait for its approval, and to have looked", async || {
        let build = world.get(&path).await;
        let looked = jobs(&build).any(|job| job["kind"] == "drift" && job["state"] == "finished");
        (build["state"] == "waiting" && looked).then_some(())
    })
    .await;
    assert_eq!(stage(&world).await["drift"]["status"], "in_sync");
    let (status, answer) =
        world.post(&format!("{path}/approve"), &json!({ "commit": second })).await;
    assert_eq!(status, 200, "{answer}");
    world.succeeds(&format!("commit={second}&stage=dev")).await;
    world.ends().await;
}
