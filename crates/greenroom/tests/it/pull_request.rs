//! On the pull request: one comment that is edited where it is, deployments that end with the
//! preview, and nothing lost while GitHub is away.

use fakes::{Comment, Deployment, Fault, Matcher};
use serde_json::{Value, json};

use crate::sample::Sample;
use crate::server::until;
use crate::world::{World, app};

/// Tests share the accounts: this one's stacks are nobody else's.
const TWO: &str = r#"
services:
  api:
    path: api
    framework: custom
    deploy: |
      test ! -e broken || { echo 'ask @acme/ops | <b>now</b>' >&2; exit 1; }
      {
        echo "Url=https://api-$GREENROOM_STAGE.example.com/"
        echo "Table=visits-of-$GREENROOM_STAGE"
        echo "AdminPassword=hunter$((1 + 1))"
        echo "Callback=https://x.example.com/?k=$endpoint_api_key"
      } > "$GREENROOM_PUBLISH_FILE"
    remove: 'true'
    parameters: { endpoint_api_key: '${param:endpoint_api_key}' }
  site: { path: site, template: topic.yml, stack: 'noted-${stage}' }
"#;

const TOPIC: &str = "Resources: { Topic: { Type: AWS::SNS::Topic } }\n";
const TWO_TOPICS: &str =
    "Resources: { Topic: { Type: AWS::SNS::Topic }, News: { Type: AWS::SNS::Topic } }\n";

const MARKER: &str = "<!-- greenroom:workshop:pr -->";

async fn world() -> World {
    let world = World::as_app().await;
    let mut file = app();
    file["stages"] = json!({});
    file["rules"] = json!([{ "preview": { "base": ["master"] } }]);
    world.apply(&file).await;
    let sample = Sample::of(TWO).file("site/topic.yml", TOPIC);
    world.repository.commit("master", &sample.files(), "First").await.unwrap();
    world
}

/// A pull request that touches both services; its number and its build.
async fn proposed(world: &World, branch: &str) -> (u64, Value) {
    let changed = [("api/NOTE", Some("x")), ("site/NOTE", Some("x"))];
    let repository = &world.repository;
    let head = repository.commit_on(branch, Some("master"), &changed, "Two").await.unwrap();
    let number = repository.open_pr(branch, "master", "Two").await.unwrap();
    (number, world.succeeds(&format!("commit={head}")).await)
}

/// Waits until the one comment of ours says this.
async fn comment(world: &World, number: u64, says: &str) -> Comment {
    until(&format!("the comment to say {says:?}"), async || {
        let comments = world.repository.comments(number);
        assert!(comments.len() <= 1, "{comments:#?}");
        comments.into_iter().find(|comment| comment.body.contains(says))
    })
    .await
}

/// Waits until the deployments of an environment have come to these states, oldest first.
async fn deployments(world: &World, environment: &str, states: &[&str]) -> Vec<Deployment> {
    until(&format!("the deployments to {environment} to be {states:?}"), async || {
        let mut all = world.repository.deployments();
        all.retain(|deployment| deployment.environment == environment);
        (last_states(&all) == states).then_some(all)
    })
    .await
}

fn last_states(deployments: &[Deployment]) -> Vec<&str> {
    deployments.iter().filter_map(|one| one.statuses.last().map(|s| s.state.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_comment_follows_the_pull_request_through_push_failure_fix_and_removal() {
    let world = world().await;
    let repository = &world.repository;
    let (number, build) = proposed(&world, "feature/noted").await;
    let environment = "preview/feature-noted";

    let first = comment(&world, number, ": ready").await;
    assert!(first.body.starts_with(MARKER), "{}", first.body);
    let stage = format!("{}/apps/workshop/stages/feature-noted", world.server.url);
    for expected in [
        format!("### Preview [feature-noted]({stage}): ready"),
        format!("[Build {}]({}) of", build["number"], build["url"].as_str().unwrap()),
        "| api | deployed | <https://api-feature-noted.example.com/> |".to_owned(),
        "| site | deployed |  | 1 added |".to_owned(),
        "<code>visits-of-feature-noted</code>".to_owned(),
        "<code>AdminPassword</code> | *not shown: it may be a secret*".to_owned(),
        "<code>Callback</code> | *not shown: it may be a secret*".to_owned(),
        "- added <code>Topic</code> <code>AWS::SNS::Topic</code>".to_owned(),
    ] {
        assert!(first.body.contains(&expected), "{expected} in {}", first.body);
    }
    let all = deployments(&world, environment, &["success"]).await;
    assert!(all[0].transient_environment && !all[0].production_environment, "{all:#?}");
    let last = all[0].statuses.last().unwrap();
    assert_eq!(last.environment_url, "https://api-feature-noted.example.com/");
    assert_eq!(last.log_url, build["url"].as_str().unwrap());

    // a push that fails
    let broken = [("api/broken", Some("x")), ("site/topic.yml", Some(TWO_TOPICS))];
    let head = repository.commit_on("feature/noted", None, &broken, "Break it").await.unwrap();
    world.fails(&format!("commit={head}")).await;
    let failed = comment(&world, number, ": not deployed as it should be").await;
    assert_eq!(failed.id, first.id);
    assert!(failed.body.contains("| api | **failed**: <code>deploy failed: "), "{}", failed.body);
    assert!(failed.body.contains("| site | deployed |  | 1 added |"), "{}", failed.body);
    assert!(!failed.body.contains("@acme"), "{}", failed.body);
    deployments(&world, environment, &["success", "failure"]).await;

    // one that mends it
    let mended = [("api/broken", None)];
    let head = repository.commit_on("feature/noted", None, &mended, "Mend it").await.unwrap();
    world.succeeds(&format!("commit={head}")).await;
    let ready = comment(&world, number, ": ready").await;
    assert_eq!(ready.id, first.id);
    assert!(ready.body.contains("| site | skipped: <code>"), "{}", ready.body);
    deployments(&world, environment, &["inactive", "failure", "success"]).await;

    // and its end
    repository.delete_branch("feature/noted").await.unwrap();
    let removed = comment(&world, number, ": removed").await;
    assert_eq!(removed.id, first.id);
    assert!(removed.body.contains("Nothing of it is left."), "{}", removed.body);
    assert!(!removed.body.contains("example.com/>"), "{}", removed.body);
    deployments(&world, environment, &["inactive", "inactive", "inactive"]).await;

    for text in removed.earlier_bodies.iter().chain([&removed.body]) {
        assert!(!text.contains("hunter2") && !text.contains("7f3a9c"), "a secret stands in {text}");
    }
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_github_that_is_away_makes_neither_two_comments_nor_two_deployments() {
    let world = world().await;
    let comments = || Matcher::path("/repos/acme/workshop/issues/");
    let deploys = || Matcher::path("/repos/acme/workshop/deployments");
    for matcher in [comments(), deploys()] {
        world.github.fail_next(matcher, Some(2), Fault::Status { status: 502 });
    }
    for path in ["/repos/acme/workshop/issues/", "/repos/acme/workshop/deployments"] {
        let made = Matcher::new("POST", path);
        world.github.fail_next(made, Some(1), Fault::LoseAnswer);
    }
    let (number, _) = proposed(&world, "feature/away").await;
    let first = comment(&world, number, ": ready").await;
    let all = deployments(&world, "preview/feature-away", &["success"]).await;
    let states: Vec<&str> = all[0].statuses.iter().map(|status| status.state.as_str()).collect();
    let done = states.iter().position(|state| *state == "success").unwrap();
    assert!(states[done..].iter().all(|state| *state == "success"), "{states:?}");

    // a person deletes the comment: the next thing to say is said in a new one
    world.repository.delete_comment(first.id);
    let changed = [("api/NOTE", Some("y"))];
    let head = world.repository.commit_on("feature/away", None, &changed, "Again").await.unwrap();
    world.succeeds(&format!("commit={head}")).await;
    let second = comment(&world, number, ": ready").await;
    assert_ne!(second.id, first.id);
    deployments(&world, "preview/feature-away", &["inactive", "success"]).await;

    // GitHub is away for the whole of the removal
    world.github.fail_next(comments(), Some(3), Fault::Status { status: 502 });
    world.github.fail_next(deploys(), Some(3), Fault::Drop);
    world.repository.delete_branch("feature/away").await.unwrap();
    comment(&world, number, ": removed").await;
    deployments(&world, "preview/feature-away", &["inactive", "inactive"]).await;
    world.github.reset_faults();
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_that_is_only_tested_gets_statuses_and_no_comment() {
    let world = World::as_app().await;
    let head = world.fork_pull_request(&Sample::tested_by("console.log('fine')")).await;
    world.succeeds(&format!("commit={head}")).await;
    world.status(&head, "greenroom", "success").await;
    assert!(world.repository.comments(1).is_empty());
    assert!(world.repository.deployments().is_empty());
    world.ends().await;
}
