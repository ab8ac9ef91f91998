//! The same commit in several stages: each with the account, the values and the secrets of its
//! own profile.

use serde_json::json;

use crate::aws::{DEVELOPMENT, LocalAws, STAGING};
use crate::look::{instance, job};
use crate::sample::Sample;
use crate::world::{World, app, jobs};

/// Publishes what it was given; of a secret only what tells whose it is.
const REPORTS: &str = r#"
services:
  probe:
    path: probe
    framework: custom
    test: echo "a test sees <$endpoint> <$endpoint_api_key>"
    deploy: |
      echo "the key is <$endpoint_api_key>"
      key=${endpoint_api_key#key-of-}
      echo "endpoint=$endpoint" > "$GREENROOM_PUBLISH_FILE"
      echo "key_of=${key%-*}" >> "$GREENROOM_PUBLISH_FILE"
    remove: 'true'
  topic: { path: topic, template: topic.yml, stack: 'surroundings-${stage}' }
"#;

const TOPIC: &str = "
Parameters:
  endpoint: { Type: String }
  endpoint_api_key: { Type: String, NoEcho: true }
Resources:
  Topic: { Type: AWS::SNS::Topic, Properties: { DisplayName: !Ref endpoint } }
Outputs:
  Endpoint: { Value: !Ref endpoint }
  Account: { Value: !Ref 'AWS::AccountId' }
";

#[tokio::test(flavor = "multi_thread")]
async fn each_environment_deploys_with_its_own_endpoint_and_key() {
    let world = World::new().await;
    let mut file = app();
    // what the stage says goes before what its profile says
    file["stages"]["dev"]["parameters"] = json!({ "endpoint": "https://next.example.com" });
    world.apply(&file).await;
    let sample = Sample::of(REPORTS).file("topic/topic.yml", TOPIC);
    let sha = world.repository.commit("develop", &sample.files(), "First").await.unwrap();
    world.repository.set_branch("master", &sha).await.unwrap();
    for (stage, endpoint, account) in [
        ("dev", "https://next.example.com", DEVELOPMENT),
        ("staging", "https://staging.example.com", STAGING),
    ] {
        let build = world.succeeds(&format!("commit={sha}&stage={stage}")).await;
        let shown = world.get(&format!("/apps/workshop/stages/{stage}")).await;
        let published = json!({ "endpoint": endpoint, "key_of": stage });
        assert_eq!(instance(&shown, "probe")["outputs"], published);
        let published = json!({ "Endpoint": endpoint, "Account": account });
        assert_eq!(instance(&shown, "topic")["outputs"], published);
        let stack = format!("surroundings-{stage}");
        assert_eq!(LocalAws::accounts_with(&stack).await, [account].into());

        let log = world.log(job(&build, "deploy", "probe")).await;
        assert!(log.contains("the key is <***>"), "{log}");
        let log = world.log(job(&build, "test", "probe")).await;
        assert!(log.contains(&format!("a test sees <{endpoint}> <>")), "{log}");
    }
    world.ends().await;
}

const READERS: &str = r#"
services:
  probe:
    path: probe
    framework: custom
    test: echo "a test sees <$api_key$password>"
    package: echo "a package sees <$api_key>"
    deploy: |
      echo "a deploy sees <$password>"
      echo "lengths=${#api_key} and ${#password}" > "$GREENROOM_PUBLISH_FILE"
    remove: 'true'
post_deploy: echo "the stage's command sees <$api_key> <$password>"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn parameters_of_ssm_and_secrets_manager_are_read_as_the_job_and_masked() {
    let world = World::new().await;
    LocalAws::put_parameter(DEVELOPMENT, "/surroundings/api_key", "first-key-5d1c").await;
    let secret = json!({ "user": "shop", "password": "hunter2-of-the-shop" }).to_string();
    LocalAws::create_secret(DEVELOPMENT, "surroundings/database", &secret).await;
    let mut file = app();
    let parameters = &mut file["profiles"]["development"]["parameters"];
    parameters["api_key"] = json!({ "ssm": "/surroundings/api_key" });
    parameters["password"] = json!({ "secretsmanager": "surroundings/database#password" });
    world.apply(&file).await;

    let sample = Sample::of(READERS);
    let sha = world.repository.commit("develop", &sample.files(), "First").await.unwrap();
    let build = world.succeeds(&format!("commit={sha}")).await;
    for (kind, line) in [
        ("test", "a test sees <>"),
        ("package", "a package sees <***>"),
        ("deploy", "a deploy sees <***>"),
        ("post_deploy", "the stage's command sees <***> <***>"),
    ] {
        let job = jobs(&build).find(|job| job["kind"] == kind).unwrap();
        let log = world.log(job).await;
        assert!(log.contains(line), "{line:?} is not in: {log}");
    }
    let lengths = async || {
        let stage = world.get("/apps/workshop/stages/dev").await;
        instance(&stage, "probe")["outputs"]["lengths"].clone()
    };
    assert_eq!(lengths().await, "14 and 19");

    // read when the job runs: what is there now counts, and nothing is kept
    LocalAws::put_parameter(DEVELOPMENT, "/surroundings/api_key", "a-longer-key-5d1c").await;
    let again = format!("/apps/workshop/builds/{}/rerun", build["number"]);
    let build = world.orders(&again, &json!({})).await;
    assert_eq!(lengths().await, "17 and 19");
    for text in [
        world.get("/apps/workshop").await.to_string(),
        world.page("/apps/workshop/stages/dev").await,
        world.log(job(&build, "deploy", "probe")).await,
    ] {
        assert!(!text.contains("5d1c") && !text.contains("hunter2"), "{text}");
    }
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_parameter_is_shown_and_the_same_commit_deployed_with_it() {
    let world = World::new().await;
    let sample = Sample::of(REPORTS).file("topic/topic.yml", TOPIC);
    let pipeline = REPORTS.replace("surroundings-${stage}", "changing-${stage}");
    let sample = sample.file("greenroom.yml", &pipeline);
    let sha = world.repository.commit("develop", &sample.files(), "First").await.unwrap();
    world.succeeds(&format!("commit={sha}")).await;
    let page = world.page("/apps/workshop/stages/dev").await;
    assert!(!page.contains("Parameters changed"), "{page}");

    let mut file = app();
    file["profiles"]["development"]["parameters"]["endpoint"] = json!("https://new.example.com");
    let applied = world.apply(&file).await;
    assert_eq!(applied["parameters_changed"], json!(["dev"]));
    let stage = world.get("/apps/workshop/stages/dev").await;
    for service in ["probe", "topic"] {
        assert_eq!(instance(&stage, service)["parameters_changed"], true);
    }
    let page = world.page("/apps/workshop/stages/dev").await;
    let offer = "Parameters changed since the last deploy of probe, topic. Redeploy";
    assert!(page.contains(offer), "{page}");

    let build = world.orders("/apps/workshop/stages/dev/redeploy", &json!({})).await;
    assert_eq!((&build["commit"], &build["forced"]), (&json!(sha), &json!(true)));
    let stage = world.get("/apps/workshop/stages/dev").await;
    for (service, key) in [("probe", "endpoint"), ("topic", "Endpoint")] {
        let instance = instance(&stage, service);
        assert_eq!(instance["outputs"][key], "https://new.example.com");
        assert_eq!(instance["parameters_changed"], false);
    }
    let (status, _) = world.post("/apps/workshop/stages/dev/redeploy", &json!({})).await;
    assert_eq!(status, 409, "there is nothing to redeploy");
    world.ends().await;
}
