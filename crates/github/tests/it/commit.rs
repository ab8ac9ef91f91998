//! A commit, looked at.

use greenroom_github::Error;

use crate::support::{TOKEN, World, repo, workshop};

#[tokio::test]
async fn a_commit_says_its_message_and_a_missing_one_is_none() {
    let world = World::new().await;
    let github = world.with_token(TOKEN);
    let found = github.commit(&workshop(), &world.head).await.unwrap().unwrap();
    assert_eq!(found.message, "Begin");
    assert!(!found.author.is_empty());
    let missing = "0123456789".repeat(4).parse().unwrap();
    assert_eq!(github.commit(&workshop(), &missing).await.unwrap(), None);
    let elsewhere = github.commit(&repo("acme/unseen"), &world.head).await;
    assert!(matches!(elsewhere, Err(Error::NotVisible { .. })), "{elsewhere:?}");
}
