//! What GitHub is to show of builds and stages: found in the outbox, from the rows alone.

use chrono::TimeDelta;
use model::status::deployment::{DeploymentState, Lasting};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::outbox::{CommentWish, DeploymentWish, Wish};

use crate::previews::{Pull, branch_deleted, fail, rule, work, world};
use crate::support::World;

/// Everything that GitHub is to show; nothing is ever sent here.
async fn wishes(world: &World) -> Vec<Wish> {
    let mut conn = world.conn().await;
    let later = world.now() + TimeDelta::days(400);
    let rows = store::outbox::due(&mut conn, later, 1_000).await.unwrap();
    rows.into_iter().map(|row| row.wish).collect()
}

/// The comment on a pull request.
async fn comment(world: &World, number: i64) -> Option<String> {
    wishes(world).await.into_iter().find_map(|wish| match wish {
        Wish::Comment(CommentWish { pull_request, body, .. }) if pull_request == number => {
            Some(body)
        }
        Wish::Comment(_) | Wish::Status(_) | Wish::Deployment(_) | Wish::Reaction(_) => None,
    })
}

/// `environment of build: state` of every deployment.
async fn deployments(world: &World) -> Vec<String> {
    let mut found: Vec<String> = wishes(world)
        .await
        .into_iter()
        .filter_map(|wish| match wish {
            Wish::Deployment(DeploymentWish { build, environment, state, lasting, .. }) => {
                assert_eq!(lasting == Lasting::Transient, environment.starts_with("preview/"));
                Some(format!("{environment} of {build}: {}", state.as_str()))
            }
            Wish::Comment(_) | Wish::Status(_) | Wish::Reaction(_) => None,
        })
        .collect();
    found.sort();
    found
}

fn says(comment: Option<String>, expected: &str) {
    let comment = comment.expect("there is a comment");
    assert!(comment.contains(expected), "{expected} in {comment}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_pull_request_has_one_comment_and_a_deployment_for_each_build(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = world(options, &rule(&json!({})), None).await;
    let mut pull = Pull::new(7, "feature/x");
    pull.does(&world, "opened").await;
    says(comment(&world, 7).await, "feature-x): under way");
    assert!(deployments(&world).await.is_empty(), "nothing is to be deployed yet");
    work(&world).await;
    says(comment(&world, 7).await, "feature-x): ready");
    assert_eq!(deployments(&world).await, ["preview/feature-x of 1: success"]);

    pull.pushed(&world, 'b').await;
    work(&world).await;
    let both = ["preview/feature-x of 1: inactive", "preview/feature-x of 2: success"];
    assert_eq!(deployments(&world).await, both);

    branch_deleted(&world, "feature/x").await;
    says(comment(&world, 7).await, "feature-x): being removed");
    assert_eq!(deployments(&world).await, both, "it stands until it is gone");
    work(&world).await;
    says(comment(&world, 7).await, "feature-x): removed");
    let ended = ["preview/feature-x of 1: inactive", "preview/feature-x of 2: inactive"];
    assert_eq!(deployments(&world).await, ended);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn looking_again_at_an_old_build_wants_nothing_that_is_over(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = world(options, &rule(&json!({})), None).await;
    let mut pull = Pull::new(7, "feature/x");
    pull.does(&world, "opened").await;
    work(&world).await;
    pull.pushed(&world, 'b').await;
    work(&world).await;
    let (text, deployed) = (comment(&world, 7).await, deployments(&world).await);
    let mut conn = world.conn().await;
    let old = store::build::find(&mut conn, world.app.id, 1).await.unwrap().unwrap();
    store::build::mark_dirty(&mut conn, old.id).await.unwrap();
    drop(conn);
    world.settle().await;
    assert_eq!((comment(&world, 7).await, deployments(&world).await), (text, deployed));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_removal_that_fails_is_told_with_its_reason(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = world(options, &rule(&json!({})), None).await;
    Pull::new(7, "feature/x").does(&world, "opened").await;
    work(&world).await;
    branch_deleted(&world, "feature/x").await;
    fail(&world, "the bucket assets is not empty").await;
    let text = comment(&world, 7).await;
    says(text.clone(), "feature-x): could not be removed");
    says(text, "restapi in us-east-1: the bucket assets is not empty");
    assert_eq!(deployments(&world).await, ["preview/feature-x of 1: success"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_preview_that_nobody_needs_is_warned_of_in_the_comment(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = world(options, &rule(&json!({ "expires_after": "7d" })), None).await;
    let mut pull = Pull::new(7, "feature/x");
    pull.does(&world, "opened").await;
    work(&world).await;
    let text = comment(&world, 7).await.unwrap();
    assert!(text.contains("<sub>Removed with the branch, or on ") && !text.contains("[!WARNING]"));
    world.pass(TimeDelta::days(6) + TimeDelta::hours(23)).await;
    says(comment(&world, 7).await, "Nobody has worked on this preview for a while");
    pull.pushed(&world, 'b').await;
    work(&world).await;
    assert!(!comment(&world, 7).await.unwrap().contains("[!WARNING]"), "somebody has");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_pull_request_that_waits_for_a_place_is_told_so_and_then_has_it(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = world(options, &rule(&json!({})), Some(1)).await;
    let mut first = Pull::new(7, "feature/x");
    first.does(&world, "opened").await;
    work(&world).await;
    let mut second = Pull::new(8, "feature/y");
    second.does(&world, "opened").await;
    work(&world).await;
    let text = comment(&world, 8).await;
    says(text.clone(), "### No preview; tests passed");
    says(text, "the app has 1 already");
    first.does(&world, "closed").await;
    work(&world).await;
    let text = comment(&world, 8).await.unwrap();
    assert!(text.contains("feature-y): ready") && !text.contains("[!WARNING]"), "{text}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn pull_requests_that_share_a_stage_say_whose_it_is(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let rule = rule(&json!({ "stage_name": { "fixed": "review" } }));
    let world = world(options, &rule, None).await;
    let mut first = Pull::new(7, "feature/x");
    first.does(&world, "opened").await;
    work(&world).await;
    let mut second = Pull::new(8, "feature/y");
    second.does(&world, "opened").await;
    work(&world).await;
    says(comment(&world, 8).await, "review): ready");
    says(comment(&world, 7).await, "the last to deploy there is number 8.");
    first.pushed(&world, 'b').await;
    work(&world).await;
    says(comment(&world, 7).await, "review): ready");
    says(comment(&world, 8).await, "the last to deploy there is number 7.");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_push_to_a_long_lived_stage_is_a_deployment_and_no_comment(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let stage = world.stage("dev", model::stage::StageKind::LongLived).await;
    world.deployed(stage, 'a', "visits").await;
    assert_eq!(deployments(&world).await, ["dev of 1: success"]);
    let urls = wishes(&world).await.into_iter().filter_map(|wish| match wish {
        Wish::Deployment(DeploymentWish { environment_url, state, .. }) => {
            assert_eq!(state, DeploymentState::Success);
            environment_url
        }
        Wish::Comment(_) | Wish::Reaction(_) => panic!("a comment"),
        Wish::Status(_) => None,
    });
    let page = "https://ci.example.com/apps/workshop/stages/dev".to_owned();
    assert_eq!(urls.collect::<Vec<_>>(), [page], "it has no address of its own");
}
