//! Services without the Serverless Framework: a template alone, and commands alone.

use serde_json::{Value, json};

use crate::aws::LocalAws;
use crate::look::{instance, job};
use crate::sample::Sample;
use crate::world::{World, app};

const PLAIN: &str = r#"
services:
  names:
    path: names
    framework: custom
    deploy: echo "label=$(cat label)" > "$GREENROOM_PUBLISH_FILE"
    remove: 'true'
  topics:
    path: topics
    template: topics.yml
    stack: ${service}-${stage}
    parameters: { Label: '${output:names.label}', Place: 'at ${param:endpoint}' }
"#;

fn topics(old: &str, name: &str) -> String {
    format!(
        "
Parameters: {{ Label: {{ Type: String }}, Place: {{ Type: String }} }}
Resources:
  Kept: {{ Type: AWS::SNS::Topic, Properties: {{ TopicName: !Sub '${{AWS::StackName}}-kept', DisplayName: {name} }} }}
  {old}: {{ Type: AWS::SQS::Queue, Properties: {{ QueueName: !Sub '${{AWS::StackName}}-{old}' }} }}
Outputs:
  Kept: {{ Value: !GetAtt Kept.TopicName }}
  Said: {{ Value: !Sub '${{Label}} ${{Place}}' }}
"
    )
}

/// A world in which `sample` is a pull request, which gets a preview; its branch's commit.
async fn pull_request(branch: &str, sample: &Sample) -> (World, String) {
    let world = World::new().await;
    let mut file = app();
    file["rules"] = json!([{ "preview": { "base": ["master"] } }]);
    world.apply(&file).await;
    let repository = &world.repository;
    repository.commit("master", &[("README.md", "empty")], "First").await.unwrap();
    let head = repository.commit(branch, &sample.files(), "All of it").await.unwrap();
    repository.open_pr(branch, "master", "All of it").await.unwrap();
    (world, head)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_template_is_deployed_by_a_change_set_shown_changed_and_removed() {
    let sample = Sample::of(PLAIN)
        .file("names/label", "visits")
        .file("topics/topics.yml", &topics("Old", "!Ref Label"));
    let (world, sha) = pull_request("plain", &sample).await;
    let build = world.succeeds(&format!("commit={sha}")).await;
    let stage = world.get("/apps/workshop/stages/plain").await;
    let topics_there = instance(&stage, "topics");
    assert_eq!(topics_there["stacks"], json!(["topics-plain"]));
    let outputs = json!({
        "Kept": "topics-plain-kept",
        "Said": "visits at https://dev.example.com",
    });
    assert_eq!(topics_there["outputs"], outputs);
    let page = world.build_page(&build).await;
    assert!(page.contains("topics new stack topics-plain: 2 added"), "{page}");
    let log = world.log(job(&build, "deploy", "topics")).await;
    assert!(log.contains("CREATE_COMPLETE Kept (AWS::SNS::Topic)"), "{log}");

    // what the next deploy changes is on its page and in the answer
    let template = topics("New", "!Sub '${Label}!'");
    let files = [("topics/topics.yml", template.as_str())];
    let sha = world.repository.commit("plain", &files, "Second").await.unwrap();
    let build = world.succeeds(&format!("commit={sha}")).await;
    let change = &job(&build, "package", "topics")["checks"]["change"][0];
    let effects: Vec<(&Value, &Value)> = change["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (&change["logical_id"], &change["effect"]))
        .collect();
    let (added, changed, removed) = (json!("added"), json!("changed"), json!("removed"));
    let (kept, new, old) = (json!("Kept"), json!("New"), json!("Old"));
    let expected = [(&kept, &changed), (&new, &added), (&old, &removed)];
    assert!(expected.iter().all(|one| effects.contains(one)), "{change:#}");
    assert_eq!(effects.len(), 3, "{change:#}");
    let page = world.build_page(&build).await;
    let counts = "stack topics-plain: 1 removed, 1 changed, 1 added";
    assert!(page.contains(counts), "{page}");
    assert!(page.contains("changed Kept"), "{page}");

    let removal = world.orders("/apps/workshop/stages/plain/remove", &json!({})).await;
    let log = world.log(job(&removal, "remove", "topics")).await;
    assert!(log.contains("stack topics-plain is gone, verified"), "{log}");
    assert!(LocalAws::accounts_with("topics-plain").await.is_empty());
    let stage = world.get("/apps/workshop/stages/plain").await;
    assert_eq!(instance(&stage, "topics")["state"], "removed");
    world.ends().await;
}

const COMMANDS: &str = r#"
services:
  names:
    path: names
    framework: custom
    deploy: echo label=visits > "$GREENROOM_PUBLISH_FILE"
    remove: 'true'
  site:
    path: site
    framework: custom
    depends_on: [names]
    package: |
      echo "<h1>$GREENROOM_OUTPUT_NAMES_LABEL of $GREENROOM_STAGE at $endpoint</h1>" > "$GREENROOM_PACKAGE_DIR/index.html"
    deploy: |
      cat "$GREENROOM_PACKAGE_DIR/index.html"
      echo '{ "url": "https://site.example.com", "pages": 1 }' > "$GREENROOM_PUBLISH_FILE"
    before_remove: echo "saving what people wrote in $GREENROOM_STAGE"
    remove: test -n "$AWS_SESSION_TOKEN" && echo "removed from $AWS_REGION"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_a_framework_is_packaged_deployed_and_removed_by_its_commands() {
    let (world, sha) = pull_request("commands", &Sample::of(COMMANDS)).await;
    let build = world.succeeds(&format!("commit={sha}")).await;
    let log = world.log(job(&build, "deploy", "site")).await;
    assert!(log.contains("<h1>visits of commands at https://dev.example.com</h1>"), "{log}");
    let stage = world.get("/apps/workshop/stages/commands").await;
    let site = instance(&stage, "site");
    assert_eq!(site["outputs"], json!({ "url": "https://site.example.com", "pages": "1" }));
    assert_eq!(site["endpoints"], json!(["https://site.example.com"]));
    let page = world.page("/apps/workshop/stages/commands").await;
    assert!(page.contains("url https://site.example.com ${output:site.url}"), "{page}");

    let removal = world.orders("/apps/workshop/stages/commands/remove", &json!({})).await;
    let log = world.log(job(&removal, "remove", "site")).await;
    let (saved, removed) =
        (log.find("saving what people wrote in commands"), log.find("removed from us"));
    assert!(saved.is_some() && saved < removed, "{log}");
    assert!(
        job(&removal, "remove", "site")["finished_at"].as_str()
            <= job(&removal, "remove", "names")["started_at"].as_str()
    );
    let stage = world.get("/apps/workshop/stages/commands").await;
    assert_eq!(instance(&stage, "site")["state"], "removed");
    world.ends().await;
}
