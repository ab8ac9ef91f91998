//! What a mirror knows of how commits came to be.

use std::process::Command;
use std::time::Duration;

use model::{BuildId, CommitSha};
use worker::git::{Fetch, Git, GitError, Mirror, Mirrors};

use crate::support::{Origin, directory, id};

/// A repository in which `theirs` and `ours` came from `parted`.
struct Fork {
    origin: Origin,
    parted: CommitSha,
    theirs: CommitSha,
    ours: CommitSha,
}

fn fork() -> Fork {
    let origin = Origin::new();
    origin.write("first", "1");
    origin.commit();
    origin.write("shared", "1");
    let parted = origin.commit();
    origin.git(&["checkout", "--quiet", "-b", "ours"]);
    origin.write("ours/a", "1");
    origin.commit();
    origin.write("ours/b", "1");
    let ours = origin.commit();
    origin.git(&["checkout", "--quiet", "master"]);
    origin.write("theirs/a", "1");
    let theirs = origin.commit();
    Fork { origin, parted, theirs, ours }
}

fn mirror(directory: &tempfile::TempDir, origin: &Origin) -> Mirror {
    let home = directory.path().join("git-home");
    std::fs::create_dir_all(&home).unwrap();
    let git = Git::new(home, &["file"], Duration::from_secs(30));
    Mirrors::open(directory.path().join("mirrors"), git).unwrap().of(&origin.url())
}

fn fetching<'a>(url: &'a str, commit: &'a CommitSha) -> Fetch<'a> {
    Fetch { url, token: None, commit, fallback: None, build: BuildId(id()) }
}

#[tokio::test]
async fn two_commits_parted_at_their_best_common_ancestor() {
    let (directory, fork) = (directory(), fork());
    let (mirror, url) = (mirror(&directory, &fork.origin), fork.origin.url());
    for commit in [&fork.ours, &fork.theirs] {
        mirror.fetch(&fetching(&url, commit)).await.unwrap();
    }
    let base = mirror.merge_base(&fork.theirs, &fork.ours).await.unwrap().unwrap();
    assert_eq!(base, fork.parted);
    assert_eq!(mirror.changed_files(&base, &fork.ours).await.unwrap(), ["ours/a", "ours/b"]);
    assert_eq!(mirror.merge_base(&fork.parted, &fork.ours).await.unwrap(), Some(fork.parted));
}

#[tokio::test]
async fn commits_without_a_common_ancestor_have_none() {
    let (directory, fork) = (directory(), fork());
    fork.origin.git(&["checkout", "--quiet", "--orphan", "anew"]);
    let anew = fork.origin.commit();
    let (mirror, url) = (mirror(&directory, &fork.origin), fork.origin.url());
    for commit in [&fork.ours, &anew] {
        mirror.fetch(&fetching(&url, commit)).await.unwrap();
    }
    assert_eq!(mirror.merge_base(&anew, &fork.ours).await.unwrap(), None);
}

#[tokio::test]
async fn a_commit_that_is_not_here_is_told_from_one_without_relatives() {
    let (directory, fork) = (directory(), fork());
    let (mirror, url) = (mirror(&directory, &fork.origin), fork.origin.url());
    assert!(!mirror.has(&fork.ours).await.unwrap());
    mirror.fetch(&fetching(&url, &fork.ours)).await.unwrap();
    assert!(mirror.has(&fork.ours).await.unwrap());
    assert!(!mirror.has(&fork.theirs).await.unwrap());
    let error = mirror.merge_base(&fork.theirs, &fork.ours).await.unwrap_err();
    assert!(matches!(error, GitError::NotInMirror(_)), "{error}");
}

#[tokio::test]
async fn a_shallow_mirror_gets_its_history_when_it_is_wanted() {
    let (directory, fork) = (directory(), fork());
    let (mirror, url) = (mirror(&directory, &fork.origin), fork.origin.url());
    // somebody put a shallow clone in the mirror's place
    let run = |arguments: &[&str]| {
        let status = Command::new("git").args(arguments).status().unwrap();
        assert!(status.success(), "{arguments:?}");
    };
    let place = mirror.path().to_str().unwrap();
    run(&["init", "--quiet", "--bare", place]);
    let refspec = "+refs/heads/*:refs/greenroom/*";
    run(&["-C", place, "fetch", "--quiet", "--depth", "1", &url, refspec]);
    assert!(mirror.is_shallow());
    assert_eq!(mirror.merge_base(&fork.theirs, &fork.ours).await.unwrap(), None);

    mirror.deepen(&fetching(&url, &fork.ours)).await.unwrap();
    mirror.deepen(&fetching(&url, &fork.theirs)).await.unwrap();
    assert!(!mirror.is_shallow());
    let base = mirror.merge_base(&fork.theirs, &fork.ours).await.unwrap();
    assert_eq!(base, Some(fork.parted));
}

#[tokio::test]
async fn a_file_that_is_too_large_to_be_looked_into_is_left_out() {
    let (directory, origin) = (directory(), Origin::new());
    origin.write("large", &"x".repeat(2000));
    origin.write("small", "x");
    let commit = origin.commit();
    let (mirror, url) = (mirror(&directory, &origin), origin.url());
    mirror.fetch(&fetching(&url, &commit)).await.unwrap();
    let tree = mirror.tree(&commit).await.unwrap();
    let found = mirror.glance(&tree, &["large", "small", "absent"], 1000).await.unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), ["small"]);
}
