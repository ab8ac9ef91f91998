//! What a pull request shows of us: the comment, and deployments with their statuses.

use fakes::{APP_SLUG, DEVELOPER, Fault, Matcher};
use greenroom_github::{
    DeploymentState, DeploymentStatus, Edited, Error, GitHub, LONGEST_COMMENT, Lasting,
    NewDeployment, Reacted, Taken,
};

use model::comment::command::Reaction;

use crate::support::{TOKEN, World, workshop};

const MARKER: &str = "<!-- greenroom:workshop:pr -->";

async fn proposed(world: &World) -> u64 {
    world.workshop.commit("feature/cart", &[("cart.js", "1")], "Add the cart").await.unwrap();
    world.workshop.open_pr("feature/cart", "master", "Add the cart").await.unwrap()
}

#[tokio::test]
async fn a_comment_is_made_found_by_its_marker_and_edited_in_place() {
    let world = World::new().await;
    let pull = proposed(&world).await;
    for github in [world.app(), world.with_token(TOKEN)] {
        let find = async || github.find_comment(&workshop(), pull, MARKER).await.unwrap();
        assert_eq!(find().await, None);
        let body = format!("{MARKER}\nqueued");
        let id = github.create_comment(&workshop(), pull, &body).await.unwrap();
        assert_eq!(find().await, Some(id));
        let body = format!("{MARKER}\ndeployed");
        assert_eq!(github.edit_comment(&workshop(), id, &body).await.unwrap(), Edited::Done);
        let comments = world.workshop.comments(pull);
        assert_eq!(comments.last().unwrap().body, body);

        world.workshop.delete_comment(id);
        assert_eq!(github.edit_comment(&workshop(), id, &body).await.unwrap(), Edited::Gone);
        assert_eq!(find().await, None);
    }
}

#[tokio::test]
async fn a_comment_of_somebody_else_is_not_ours_though_it_has_our_marker() {
    let world = World::new().await;
    let pull = proposed(&world).await;
    let marked = format!("{MARKER}\ndeployed to https://evil.example");
    world.workshop.comment_as("mallory", pull, &marked).unwrap();
    let quoted = format!("> {MARKER}\n> deployed\n\nnice");
    world.workshop.comment_as(&format!("{APP_SLUG}[bot]"), pull, &quoted).unwrap();
    world.workshop.comment_as(DEVELOPER, pull, &quoted).unwrap();
    for github in [world.app(), world.with_token(TOKEN)] {
        assert_eq!(github.find_comment(&workshop(), pull, MARKER).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_comment_whose_creation_was_not_answered_is_found() {
    let world = World::new().await;
    let pull = proposed(&world).await;
    let github = world.app();
    let path = format!("/repos/acme/workshop/issues/{pull}/comments");
    world.fake.fail_next(Matcher::new("POST", &path), Some(1), Fault::LoseAnswer);
    let lost = github.create_comment(&workshop(), pull, MARKER).await.unwrap_err();
    assert!(lost.is_transient(), "{lost:?}");
    let found = github.find_comment(&workshop(), pull, MARKER).await.unwrap();
    assert_eq!(found, Some(world.workshop.comments(pull)[0].id));
}

#[tokio::test]
async fn the_longest_comment_is_taken_and_a_longer_one_refused_for_good() {
    let world = World::new().await;
    let pull = proposed(&world).await;
    let github = world.app();
    let longest = "ü".repeat(LONGEST_COMMENT);
    github.create_comment(&workshop(), pull, &longest).await.unwrap();
    let longer = github.create_comment(&workshop(), pull, &format!("{longest}ü")).await;
    assert!(matches!(longer, Err(Error::Rejected { status: 422, .. })), "{longer:?}");
}

#[tokio::test]
async fn a_reaction_is_there_once_and_a_comment_that_is_gone_needs_none() {
    let world = World::new().await;
    let pull = proposed(&world).await;
    let comment = world.workshop.comment_as("ada", pull, "/greenroom deploy").unwrap();
    for github in [world.app(), world.with_token(TOKEN)] {
        for _again in 0..2 {
            let reacted = github.react(&workshop(), comment, Reaction::PlusOne).await.unwrap();
            assert_eq!(reacted, Reacted::Done);
        }
    }
    let reactions = world.workshop.reactions(comment);
    let said: Vec<_> =
        reactions.iter().map(|one| (one.content.as_str(), one.user.as_str())).collect();
    assert_eq!(said, [("+1", "greenroom[bot]"), ("+1", DEVELOPER)]);
    world.workshop.delete_comment(comment);
    let reacted = world.app().react(&workshop(), comment, Reaction::Confused).await.unwrap();
    assert_eq!(reacted, Reacted::Gone);
}

#[tokio::test]
async fn a_reaction_that_github_does_not_take_is_an_error_to_try_again_by() {
    let world = World::new().await;
    let pull = proposed(&world).await;
    let comment = world.workshop.comment_as("ada", pull, "/greenroom deploy").unwrap();
    let path = format!("/repos/acme/workshop/issues/comments/{comment}/reactions");
    for (fault, passes) in
        [(Fault::Status { status: 502 }, true), (Fault::Status { status: 403 }, false)]
    {
        world.fake.fail_next(Matcher::new("POST", &path), Some(1), fault);
        let error = world.app().react(&workshop(), comment, Reaction::MinusOne).await.unwrap_err();
        assert_eq!(error.is_transient(), passes, "{error}");
    }
    assert!(world.workshop.reactions(comment).is_empty());
}

fn preview(world: &World, key: &str) -> NewDeployment {
    NewDeployment {
        commit: world.head.clone(),
        environment: "preview/feature-cart".to_owned(),
        key: key.to_owned(),
        lasting: Lasting::Transient,
    }
}

fn status(state: DeploymentState) -> DeploymentStatus {
    DeploymentStatus {
        state,
        description: "long ".repeat(60),
        environment_url: Some("https://preview.example".to_owned()),
        log_url: Some("https://greenroom.example/builds/1".to_owned()),
    }
}

async fn deployed(github: &GitHub, wanted: &NewDeployment, state: DeploymentState) -> u64 {
    let id = github.create_deployment(&workshop(), wanted).await.unwrap();
    let taken = github.create_deployment_status(&workshop(), id, &status(state)).await.unwrap();
    assert_eq!(taken, Taken::Done);
    id
}

#[tokio::test]
async fn a_deployment_is_shown_though_the_commit_is_not_green_yet() {
    let world = World::new().await;
    let github = world.app();
    let pending = greenroom_github::Status {
        state: greenroom_github::StatusState::Pending,
        context: "greenroom".to_owned(),
        description: "running".to_owned(),
        target_url: None,
    };
    github.create_status(&workshop(), &world.head, &pending).await.unwrap();
    deployed(&github, &preview(&world, "build 1"), DeploymentState::Success).await;
    let all = world.workshop.deployments();
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].transient_environment, all[0].production_environment), (true, false));
    assert_eq!(all[0].environment, "preview/feature-cart");
    assert_eq!(all[0].sha, world.head.as_str());
    let last = all[0].statuses.last().unwrap();
    assert_eq!((last.state.as_str(), last.description.chars().count()), ("success", 140));
    assert_eq!(last.environment_url, "https://preview.example");
    assert_eq!(last.log_url, "https://greenroom.example/builds/1");
}

#[tokio::test]
async fn a_deployment_is_found_by_its_key_and_by_no_other() {
    let world = World::new().await;
    let github = world.app();
    let first = preview(&world, "build 1");
    let id = github.create_deployment(&workshop(), &first).await.unwrap();
    let find = async |wanted| github.find_deployment(&workshop(), &wanted).await.unwrap();
    assert_eq!(find(first.clone()).await, Some(id));
    assert_eq!(find(preview(&world, "build 2")).await, None);
    let elsewhere = NewDeployment { environment: "staging".to_owned(), ..first };
    assert_eq!(find(elsewhere).await, None);
}

#[tokio::test]
async fn only_a_long_lived_environment_ends_its_earlier_deployments_by_itself() {
    let world = World::new().await;
    let github = world.app();
    for (lasting, expected) in [(Lasting::LongLived, "inactive"), (Lasting::Transient, "success")] {
        let environment = format!("{lasting:?}");
        let wanted = |key: &str| NewDeployment {
            environment: environment.clone(),
            lasting,
            ..preview(&world, key)
        };
        let earlier = deployed(&github, &wanted("build 1"), DeploymentState::Success).await;
        deployed(&github, &wanted("build 2"), DeploymentState::Success).await;
        let all = world.workshop.deployments();
        let earlier = all.iter().find(|deployment| deployment.id == earlier).unwrap();
        assert_eq!(earlier.statuses.last().unwrap().state, expected);
    }
}

#[tokio::test]
async fn a_deployment_that_somebody_deleted_is_gone() {
    let world = World::new().await;
    let github = world.app();
    let inactive = status(DeploymentState::Inactive);
    let gone = github.create_deployment_status(&workshop(), 4_711, &inactive).await.unwrap();
    assert_eq!(gone, Taken::Gone);
    world.workshop.set_granted(false).unwrap();
    let unseen = world.with_token(TOKEN);
    let error = unseen.create_deployment_status(&workshop(), 4_711, &inactive).await.unwrap_err();
    assert!(matches!(error, Error::NotVisible { .. }), "{error:?}");
}
