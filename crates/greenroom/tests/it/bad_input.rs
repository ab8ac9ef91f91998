//! What is wrong is named where the person who can mend it looks, with what to change.

use fakes::{Fault, Matcher};
use serde_json::json;

use crate::sample::Sample;
use crate::world::{World, app};

/// The reason with which the build of this sample on master fails.
async fn failure(world: &World, sample: &Sample) -> String {
    let sha = world.repository.commit("master", &sample.files(), "Try").await.unwrap();
    let number = world.build(&format!("commit={sha}")).await["number"].as_i64().unwrap();
    let build = world.finished(number).await;
    assert_eq!(build["outcome"], "failed", "{build:#}");
    let reasons: Vec<&str> = build["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|job| job["outcome"] == "failed")
        .filter_map(|job| job["reason"].as_str())
        .collect();
    let status = world.status(&sha, "greenroom", "failure").await;
    assert!(status.description.is_some_and(|text| text.chars().count() <= 140));
    reasons.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_cannot_be_built_says_which_file_and_key_to_change() {
    let world = World::new().await;
    let pipeline = |text: &str| Sample::tested_by("").file("greenroom.yml", text);
    for (text, named) in [
        (
            "services:\n  notes: { path: nots }\n",
            vec!["greenroom.yml", "services.notes.path", "nots"],
        ),
        ("services:\n  notes: { path: ../etc }\n", vec!["greenroom.yml:2", "services.notes.path"]),
        ("services:\n  notes: { path: notes, tset: x }\n", vec!["greenroom.yml:2", "tset"]),
        ("services:\n  notes: { path: notes, depends_on: [notse] }\n", vec!["notse", "depends_on"]),
        ("services: [\n", vec!["greenroom.yml:1"]),
    ] {
        let reason = failure(&world, &pipeline(text)).await;
        for word in named {
            assert!(reason.contains(word), "{word:?} is not in: {reason}");
        }
    }
    let dashboard = Sample::tested_by("")
        .file("notes/serverless.yml", "service: notes\norg: acme\napp: notes\n");
    let reason = failure(&world, &dashboard).await;
    assert!(reason.contains("org") && reason.contains("serverless.yml"), "{reason}");
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_role_says_what_its_trust_policy_must_allow() {
    let world = World::new().await;
    let mut wrong = app();
    wrong["profiles"]["staging"]["external_id"] = json!("somebody-elses");
    let (status, body) = world.put("/apps/workshop", &wrong).await;
    assert_eq!(status, 200, "{body}");
    let sample = Sample::of("services: { net: { path: net, template: net.yml } }\n")
        .file("net/net.yml", "Resources: { Topic: { Type: AWS::SNS::Topic } }\n");
    let reason = failure(&world, &sample).await;
    assert!(reason.contains("sts:AssumeRole") && reason.contains("222222222222"), "{reason}");
    assert!(reason.contains("external"), "{reason}");
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_the_token_cannot_see_is_named_with_the_remedy() {
    let world = World::new().await;
    // GitHub says "not found" to whoever may not see a repository
    world.github.fail_next(
        Matcher::path("/acme/workshop.git"),
        None,
        Fault::Status { status: 404 },
    );
    let sha =
        world.repository.commit("master", &Sample::tested_by("").files(), "Try").await.unwrap();
    let number = world.build(&format!("commit={sha}")).await["number"].as_i64().unwrap();
    let build = world.finished(number).await;
    let reason = build["jobs"][0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("check that the GitHub App or token may read"), "{reason}");
    world.status(&sha, "greenroom", "failure").await;
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_file_with_mistakes_is_refused_with_every_key() {
    let world = World::new().await;
    let mut wrong = app();
    wrong["stages"]["qa"] = json!({ "profile": "quality" });
    wrong["profiles"]["staging"]["role_arn"] = json!("greenroom-deploy");
    wrong["rules"][0]["stage"] = json!("stagign");
    wrong["colour"] = json!("green");
    let (status, body) = world.put("/apps/workshop", &wrong).await;
    assert_eq!(status, 422, "{body}");
    let text = body.to_string();
    for key in ["stages.qa.profile", "profiles.staging.role_arn", "stagign", "colour"] {
        assert!(text.contains(key), "{key} is not in {text}");
    }
    let (status, _) = world.put("/apps/other", &app()).await;
    assert_eq!(status, 422, "the name in the path and the name in the file differ");
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_and_check_name_file_line_and_key() {
    let world = World::new().await;
    let directory = tempfile::tempdir().unwrap();
    let good = directory.path().join("workshop.yml");
    std::fs::write(&good, yaml("staging")).unwrap();
    let bad = directory.path().join("bad.yml");
    std::fs::write(&bad, yaml("stagign")).unwrap();
    let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());

    let checked = world.server.run(&["check", bad]).await;
    assert!(!checked.status.success());
    let text = String::from_utf8(checked.stdout).unwrap();
    assert!(text.contains(&format!("{bad}:11: rules[0].stage")), "{text}");
    assert!(world.server.run(&["check", good]).await.status.success());

    let dry = world.server.run(&["apply", "--dry-run", good]).await;
    let text = String::from_utf8(dry.stdout).unwrap();
    assert!(dry.status.success() && text.contains("nothing was changed"), "{text}");
    let applied = world.server.run(&["apply", good]).await;
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let again = world.server.run(&["apply", good]).await;
    assert_eq!(String::from_utf8(again.stdout).unwrap().trim(), "workshop: unchanged");
    let refused = world.server.run(&["apply", bad]).await;
    assert!(!refused.status.success());
    world.ends().await;
}

fn yaml(stage: &str) -> String {
    format!(
        "app: workshop
repository: acme/workshop
default_profile: development
profiles:
  development:
    role_arn: arn:aws:iam::111111111111:role/greenroom-deploy
    region: us-east-1
stages:
  staging: {{ profile: development }}
rules:
  - {{ branch: master, stage: {stage} }}
"
    )
}
