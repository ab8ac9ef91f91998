//! git over http: clone, push and fetch by the real git command, with tokens.

use fakes::{Fault, HookOwner, Matcher};
use serde_json::json;

use crate::support::{TOKEN, git, git_ok, github, mint};

#[tokio::test]
async fn clone_commit_and_push_with_the_personal_token() {
    let (github, inbox) = github(HookOwner::App).await;
    let repo = github.repo("acme/workshop");
    repo.create("master").await.unwrap();
    repo.commit("master", &[("README.md", "hello\n")], "First").await.unwrap();
    github.settle_deliveries().await;
    inbox.take();

    let dir = tempfile::tempdir().unwrap();
    let url = repo.clone_url_with(TOKEN);
    git_ok(dir.path(), &["clone", "-q", &url, "clone"]).await;
    let clone = dir.path().join("clone");
    assert_eq!(std::fs::read_to_string(clone.join("README.md")).unwrap(), "hello\n");

    // Large enough that git sends it chunked, and that its negotiation is compressed.
    let noise: String = (0..400_000_u32)
        .map(|n| char::from(b'!' + (n.wrapping_mul(2_654_435_761) >> 25) as u8 % 90))
        .collect();
    std::fs::write(clone.join("large.txt"), noise.repeat(8)).unwrap();
    git_ok(&clone, &["add", "."]).await;
    git_ok(&clone, &["commit", "-q", "-m", "Second"]).await;
    git_ok(&clone, &["push", "-q", "origin", "HEAD:master"]).await;
    let sha = git_ok(&clone, &["rev-parse", "HEAD"]).await;
    assert_eq!(repo.head("master").await.unwrap(), sha);

    github.settle_deliveries().await;
    let received = inbox.take();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].json()["after"], json!(sha));
    assert_eq!(received[0].json()["commits"][0]["author"]["name"], "Ada");
    assert!(github.unknown_calls().is_empty());
}

#[tokio::test]
async fn many_refs_are_fetched_through_a_compressed_request() {
    let (github, _inbox) = github(HookOwner::App).await;
    let repo = github.repo("acme/workshop");
    repo.create("master").await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let url = repo.clone_url_with(TOKEN);
    git_ok(dir.path(), &["init", "-q", "work"]).await;
    let work = dir.path().join("work");
    for number in 0..60 {
        let message = format!("commit {number}");
        git_ok(&work, &["commit", "-q", "--allow-empty", "-m", &message]).await;
        git_ok(&work, &["branch", &format!("branch-{number}")]).await;
    }
    git_ok(&work, &["push", "-q", &url, "--all"]).await;
    for options in [["-c", "protocol.version=0"], ["-c", "protocol.version=2"]] {
        let target = dir.path().join(options[1]);
        let target = target.to_str().unwrap();
        let args = [&options[..], &["clone", "-q", "--mirror", &url, target]].concat();
        git_ok(dir.path(), &args).await;
        let refs = git_ok(target.as_ref(), &["for-each-ref"]).await;
        assert!(refs.lines().count() >= 60, "{refs}");
    }
}

#[tokio::test]
async fn a_wrong_or_missing_token_is_refused() {
    let (github, _inbox) = github(HookOwner::App).await;
    let repo = github.repo("acme/workshop");
    repo.create("master").await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    for url in [repo.clone_url_with("ghp_wrong"), repo.clone_url()] {
        let output = git(dir.path(), &["ls-remote", &url]).await;
        assert!(!output.status.success());
    }
    let statuses: Vec<_> = github.requests().iter().map(|r| r.status).collect();
    assert!(statuses.iter().all(|status| *status == Some(401)), "{statuses:?}");
}

#[tokio::test]
async fn a_token_for_one_repository_reads_no_other_and_writes_nothing() {
    let (github, _inbox) = github(HookOwner::App).await;
    for name in ["acme/workshop", "acme/secret"] {
        let repo = github.repo(name);
        repo.create("master").await.unwrap();
        repo.commit("master", &[("a", "a")], "a").await.unwrap();
    }
    let wanted = json!({ "repositories": ["workshop"], "permissions": { "contents": "read" } });
    let token = mint(&github, wanted).await;
    let dir = tempfile::tempdir().unwrap();
    let mine = github.repo("acme/workshop").clone_url_with(&token);
    let other = github.repo("acme/secret").clone_url_with(&token);
    git_ok(dir.path(), &["clone", "-q", &mine, "mine"]).await;
    assert!(!git(dir.path(), &["clone", "-q", &other, "other"]).await.status.success());
    let push = ["push", "-q", "origin", "HEAD:refs/heads/new"];
    assert!(!git(&dir.path().join("mine"), &push).await.status.success());

    github.revoke_minted_tokens();
    assert!(!git(dir.path(), &["ls-remote", &mine]).await.status.success());
}

#[tokio::test]
async fn a_commit_no_branch_has_any_more_can_be_fetched_by_its_sha() {
    let (github, _inbox) = github(HookOwner::App).await;
    let repo = github.repo("acme/workshop");
    repo.create("master").await.unwrap();
    repo.commit("master", &[("a", "1")], "one").await.unwrap();
    let lost = repo.commit("work", &[("a", "2")], "two").await.unwrap();
    repo.push_force("work", &[("a", "3")], "three").await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    git_ok(dir.path(), &["init", "-q", "--bare", "."]).await;
    git_ok(dir.path(), &["fetch", "-q", &repo.clone_url_with(TOKEN), &lost]).await;
    git_ok(dir.path(), &["cat-file", "-e", &lost]).await;
}

#[tokio::test]
async fn a_planted_fault_strikes_git_too() {
    let (github, _inbox) = github(HookOwner::App).await;
    let repo = github.repo("acme/workshop");
    repo.create("master").await.unwrap();
    let status = Fault::Status { status: 503 };
    github.fail_next(Matcher::path("/acme/workshop.git"), Some(1), status);
    let dir = tempfile::tempdir().unwrap();
    let url = repo.clone_url_with(TOKEN);
    assert!(!git(dir.path(), &["ls-remote", &url]).await.status.success());
    git_ok(dir.path(), &["ls-remote", &url]).await;
}
