//! How far a deploy is, as CloudFormation tells it: by a change set of our own, and by a framework's
//! command that is watched from outside.

use serde_json::{Value, json};

use crate::look::job;
use crate::sample::Sample;
use crate::world::World;

fn template(topics: &[(&str, &str)]) -> Value {
    let topic =
        |words: &str| json!({ "Type": "AWS::SNS::Topic", "Properties": { "DisplayName": words } });
    let resources: serde_json::Map<String, Value> =
        topics.iter().map(|(name, words)| ((*name).to_owned(), topic(words))).collect();
    json!({ "Resources": resources })
}

fn sample(template: &Value) -> Sample {
    let pipeline =
        "services:\n  told: { path: told, template: told.json, stack: 'progress-${stage}' }\n";
    Sample::of(pipeline).file("told/told.json", &template.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_counts_the_resources_that_it_changes() {
    let world = World::new().await;
    let push = async |topics: &[(&str, &str)], title: &str| {
        let sample = sample(&template(topics));
        let commit = world.repository.commit("develop", &sample.files(), title).await.unwrap();
        world.succeeds(&format!("commit={commit}")).await
    };
    let first = push(&[("One", "1"), ("Two", "2"), ("Three", "3")], "Three topics").await;
    let whole = |many: u32| json!({ "done": many, "total": many, "doing": null });
    assert_eq!(job(&first, "deploy", "told")["progress"], whole(3));
    assert_eq!(job(&first, "package", "told")["progress"], Value::Null);

    let second = push(&[("One", "1"), ("Two", "another"), ("Three", "3")], "One of them").await;
    // the local AWS tells of every resource of a stack that it updates, AWS of those that change
    let progress = &job(&second, "deploy", "told")["progress"];
    assert!(*progress == whole(1) || *progress == whole(3), "{progress}");
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_of_a_framework_is_counted_while_it_runs() {
    let world = World::new().await;
    let sample = Sample::table("progress-notes", "");
    let commit = world.repository.commit("develop", &sample.files(), "A table").await.unwrap();
    let build = world.succeeds(&format!("commit={commit}")).await;
    let progress = &job(&build, "deploy", "notes")["progress"];
    // the table, and the framework's bucket with its policy
    assert_eq!(progress, &json!({ "done": 3, "total": 3, "doing": null }));
    world.ends().await;
}
