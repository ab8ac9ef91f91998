//! Commits compared, branches moved forward, branches and tags made.

use greenroom_github::{Comparison, Error, FastForward, NewRef, Relation};
use model::{BranchName, CommitSha};

use crate::support::{TOKEN, World, workshop};

fn branch(name: &str) -> BranchName {
    name.parse().unwrap()
}

/// One more commit on `master`.
async fn next(world: &World) -> CommitSha {
    let sha = world.workshop.commit("master", &[("a", "1")], "More").await.unwrap();
    sha.parse().unwrap()
}

#[tokio::test]
async fn of_two_commits_it_is_said_which_contains_the_other() {
    let world = World::new().await;
    let github = world.app();
    let relation = async |base: &CommitSha, head: &CommitSha| {
        github.compare(&workshop(), base, head).await.unwrap().unwrap()
    };
    let (old, new) = (world.head.clone(), next(&world).await);
    assert_eq!(
        relation(&old, &new).await,
        Comparison { relation: Relation::Ahead { by: 1 }, commits: 1 }
    );
    assert_eq!(relation(&new, &old).await.relation, Relation::Behind { by: 1 });
    assert_eq!(relation(&new, &new).await.relation, Relation::Identical);

    let files = [("b", Some("2"))];
    let other = world.workshop.commit_on("other", Some(old.as_str()), &files, "Other").await;
    let other: CommitSha = other.unwrap().parse().unwrap();
    let diverged = Relation::Diverged { ahead_by: 1, behind_by: 1 };
    assert_eq!(relation(&new, &other).await.relation, diverged);

    let nowhere: CommitSha = "1".repeat(40).parse().unwrap();
    assert_eq!(github.compare(&workshop(), &old, &nowhere).await.unwrap(), None);
    world.workshop.set_granted(false).unwrap();
    let unseen = world.with_token(TOKEN).compare(&workshop(), &old, &new).await.unwrap_err();
    assert!(matches!(unseen, Error::NotVisible { .. }), "{unseen:?}");
}

#[tokio::test]
async fn a_branch_is_moved_forward_and_never_otherwise() {
    let world = World::new().await;
    let github = world.app();
    world.workshop.set_branch("production", world.head.as_str()).await.unwrap();
    let new = next(&world).await;
    let to = async |name: &str, to: &CommitSha| {
        github.fast_forward(&workshop(), &branch(name), to).await.unwrap()
    };
    assert_eq!(to("production", &new).await, FastForward::Done);
    assert_eq!(world.workshop.head("production").await.unwrap(), new.as_str());
    assert_eq!(to("production", &new).await, FastForward::Done, "it is there already");
    assert_eq!(to("production", &world.head).await, FastForward::NotAFastForward);
    assert_eq!(to("missing", &new).await, FastForward::NoSuchBranch);
    assert_eq!(world.workshop.head("production").await.unwrap(), new.as_str());

    world.workshop.protect("production").unwrap();
    match to("production", &next(&world).await).await {
        FastForward::Forbidden { reason } => {
            assert!(reason.contains("rule violations"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_push_that_came_in_between_is_not_overwritten() {
    let world = World::new().await;
    let github = world.app();
    world.workshop.set_branch("production", world.head.as_str()).await.unwrap();
    let staged = next(&world).await;
    let hotfix = world.workshop.commit("production", &[("fix", "1")], "Hotfix").await.unwrap();
    let outcome = github.fast_forward(&workshop(), &branch("production"), &staged).await.unwrap();
    assert_eq!(outcome, FastForward::NotAFastForward);
    assert_eq!(world.workshop.head("production").await.unwrap(), hotfix);
}

#[tokio::test]
async fn a_branch_and_a_tag_are_made_once_and_not_moved() {
    let world = World::new().await;
    let github = world.app();
    let (old, new) = (world.head.clone(), next(&world).await);
    let name = branch("release/1.0");
    assert_eq!(github.create_branch(&workshop(), &name, &old).await.unwrap(), NewRef::Created);
    assert_eq!(github.create_branch(&workshop(), &name, &new).await.unwrap(), NewRef::Exists);
    assert_eq!(world.workshop.head("release/1.0").await.unwrap(), old.as_str());

    let tag = "v1.0".parse().unwrap();
    assert_eq!(github.create_tag(&workshop(), &tag, &old).await.unwrap(), NewRef::Created);
    assert_eq!(github.create_tag(&workshop(), &tag, &new).await.unwrap(), NewRef::Exists);
    assert_eq!(github.tag_commit(&workshop(), &tag).await.unwrap(), Some(old));

    let nowhere = "1".repeat(40).parse().unwrap();
    let refused = github.create_branch(&workshop(), &branch("x"), &nowhere).await.unwrap();
    assert!(matches!(refused, NewRef::Forbidden { .. }), "{refused:?}");
}

#[tokio::test]
async fn who_may_only_read_moves_nothing() {
    let world = World::new().await;
    let minted = world.app().checkout_token(&workshop()).await.unwrap();
    let reader = world.with_token(minted.token);
    let new = next(&world).await;
    let master = branch("master");
    let moved = reader.fast_forward(&workshop(), &master, &new).await.unwrap_err();
    assert!(matches!(moved, Error::Forbidden { .. }), "{moved:?}");
    let made = reader.create_branch(&workshop(), &branch("x"), &new).await.unwrap_err();
    assert!(matches!(made, Error::Forbidden { .. }), "{made:?}");
}
