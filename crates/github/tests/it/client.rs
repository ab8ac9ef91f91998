//! The calls, against the GitHub stand-in: as an App and with a token, when all is well and when
//! GitHub is not.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use fakes::{Fault, Matcher, NewPull};
use greenroom_github::{Auth, Error, GitHub, Problem, PullRequestState, Status, StatusState};
use model::CommitSha;
use secrecy::ExposeSecret;

use crate::support::{TOKEN, World, now, repo, workshop};

fn status(context: &str) -> Status {
    Status {
        state: StatusState::Pending,
        context: context.to_owned(),
        description: "Queued".to_owned(),
        target_url: Some("https://greenroom.example/builds/1".to_owned()),
    }
}

#[tokio::test]
async fn an_app_finds_its_installation_and_mints_one_token_for_many_calls() {
    let world = World::new().await;
    let github = world.app();
    let seen = github.repository(&workshop()).await.unwrap();
    assert_eq!((seen.name, seen.private), (workshop(), true));
    assert_eq!((seen.id, seen.default_branch.as_str()), (world.workshop.id().unwrap(), "master"));
    github.create_status(&workshop(), &world.head, &status("greenroom")).await.unwrap();
    let head = github.branch_head(&workshop(), "master").await.unwrap();
    assert_eq!(head, Some(world.head.clone()));
    assert_eq!(world.requests("POST", "/access_tokens"), 1);
    assert_eq!(world.requests("GET", "/installation"), 1);
}

#[tokio::test]
async fn callers_that_come_at_once_share_one_token() {
    let world = World::new().await;
    let github = world.app();
    let workshop = workshop();
    let (a, b, c) = tokio::join!(
        github.repository(&workshop),
        github.branches(&workshop),
        github.checkout_token(&workshop),
    );
    a.unwrap();
    b.unwrap();
    c.unwrap();
    // one for the server, one for checkouts
    assert_eq!(world.requests("POST", "/access_tokens"), 2);
}

#[tokio::test]
async fn a_token_is_kept_until_five_minutes_before_its_end() {
    let world = World::new().await;
    let github = world.app();
    github.repository(&workshop()).await.unwrap();
    world.move_clock(54 * 60);
    github.repository(&workshop()).await.unwrap();
    assert_eq!(world.requests("POST", "/access_tokens"), 1);
    world.move_clock(2 * 60);
    // The stand-in's clock has not moved, so that it also says what a wrong clock looks like.
    let error = github.repository(&workshop()).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }), "{error:?}");
    assert!(error.to_string().contains("('iat') must not be in the future"), "{error}");
    assert!(world.requests("POST", "/access_tokens") > 1);
}

#[tokio::test]
async fn a_token_that_github_revoked_is_replaced_once() {
    let world = World::new().await;
    let github = world.app();
    github.repository(&workshop()).await.unwrap();
    world.fake.revoke_minted_tokens();
    assert_eq!(github.branches(&workshop()).await.unwrap().len(), 1);
    assert_eq!(world.requests("POST", "/access_tokens"), 2);

    let calls = Matcher::new("GET", "/repos/acme/workshop/branches");
    world.fake.fail_next(calls, None, Fault::Status { status: 401 });
    let error = github.branches(&workshop()).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }), "{error:?}");
    assert_eq!(world.requests("POST", "/access_tokens"), 3);
}

#[tokio::test]
async fn a_checkout_token_reads_one_repository_and_does_nothing_else() {
    let world = World::new().await;
    world.fake.repo("acme/other").create("master").await.unwrap();
    let minted = world.app().checkout_token(&workshop()).await.unwrap();
    let left = minted.expires_at.unwrap() - now();
    assert!(left > TimeDelta::minutes(5) && left <= TimeDelta::minutes(60), "{left}");
    assert!(!format!("{minted:?}").contains(minted.token.expose_secret()));

    let holder = world.with_token(minted.token.expose_secret());
    assert_eq!(holder.branch_head(&workshop(), "master").await.unwrap(), Some(world.head.clone()));
    let other = holder.repository(&repo("acme/other")).await.unwrap_err();
    assert!(matches!(other, Error::NotVisible { .. }), "{other:?}");
    let write = holder.create_status(&workshop(), &world.head, &status("x")).await.unwrap_err();
    assert!(matches!(write, Error::Forbidden { .. }), "{write:?}");
    assert_eq!(world.workshop.statuses(world.head.as_str()).len(), 0);
}

#[tokio::test]
async fn a_configured_token_is_its_own_checkout_token() {
    let world = World::new().await;
    let checkout = world.with_token(TOKEN).checkout_token(&workshop()).await.unwrap();
    assert_eq!(checkout.token.expose_secret(), TOKEN);
    assert_eq!(checkout.expires_at, None);
}

#[tokio::test]
async fn a_status_arrives_as_it_was_meant() {
    let world = World::new().await;
    let long = Status { description: "long ".repeat(60), ..status("greenroom/restapi/test") };
    world.with_token(TOKEN).create_status(&workshop(), &world.head, &long).await.unwrap();
    let statuses = world.workshop.statuses(world.head.as_str());
    assert_eq!(statuses.len(), 1);
    assert_eq!(statuses[0].state, "pending");
    assert_eq!(statuses[0].context, "greenroom/restapi/test");
    assert_eq!(statuses[0].target_url, long.target_url);
    let description = statuses[0].description.as_deref().unwrap();
    assert!(description.chars().count() <= 140 && description.ends_with("long…"), "{description}");
}

#[tokio::test]
async fn a_status_of_an_unknown_commit_is_rejected_for_good() {
    let world = World::new().await;
    let nowhere: CommitSha = "1".repeat(40).parse().unwrap();
    let error = world.app().create_status(&workshop(), &nowhere, &status("x")).await.unwrap_err();
    assert!(matches!(error, Error::Rejected { status: 422, .. }), "{error:?}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn trouble_of_githubs_is_told_apart_and_never_repeated_behind_the_callers_back() {
    let world = World::new().await;
    let github = world.app();
    github.repository(&workshop()).await.unwrap();
    let statuses = Matcher::new("POST", "/repos/acme/workshop/statuses");
    let send = || async {
        github.create_status(&workshop(), &world.head, &status("x")).await.unwrap_err()
    };
    let sent = || world.requests("POST", &format!("/statuses/{}", world.head));
    let plant = |fault| world.fake.fail_next(statuses.clone(), Some(1), fault);

    plant(Fault::Status { status: 502 });
    let problem = Problem::Status(502);
    assert_eq!(send().await, Error::Unavailable { problem, retry_after: None });

    plant(Fault::RetryAfter { seconds: 42 });
    let error = send().await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(42)));
    assert!(error.is_transient());

    plant(Fault::RateLimited { reset_seconds: 90 });
    assert_eq!(send().await, Error::RateLimited { retry_after: Duration::from_secs(90) });

    plant(Fault::Drop);
    let error = send().await;
    let dropped = matches!(&error, Error::Unavailable { problem: Problem::Transport(_), .. });
    assert!(dropped && error.is_transient(), "{error:?}");

    plant(Fault::Status { status: 403 });
    let error = send().await;
    assert!(matches!(error, Error::Forbidden { .. }) && !error.is_transient(), "{error:?}");

    assert_eq!(sent(), 5);
    github.create_status(&workshop(), &world.head, &status("x")).await.unwrap();
}

#[tokio::test]
async fn a_refused_connection_is_transient_and_says_what_happened() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let auth = Auth::Token(TOKEN.into());
    let github = GitHub::new(&format!("http://{free}"), auth, Arc::new(now)).unwrap();
    let error = github.repository(&workshop()).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn an_unseen_repository_is_named_with_the_remedy() {
    let world = World::new().await;
    let hidden = world.fake.repo("acme/hidden");
    hidden.create("master").await.unwrap();
    hidden.set_granted(false).unwrap();
    for name in ["acme/hidden", "acme/missing"] {
        let by_token = world.with_token(TOKEN).repository(&repo(name)).await.unwrap_err();
        let expected = format!("the token cannot see {name}: check the spelling");
        assert!(by_token.to_string().starts_with(&expected), "{by_token}");
        let by_app = world.app().checkout_token(&repo(name)).await.unwrap_err();
        assert!(by_app.to_string().contains("install the GitHub App on it"), "{by_app}");
    }
}

#[tokio::test]
async fn a_wrong_token_is_unauthorized_and_not_shown() {
    let world = World::new().await;
    let error = world.with_token("ghp_wrong").repository(&workshop()).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("ghp_wrong"));
}

#[tokio::test]
async fn a_branch_is_gone_only_if_its_repository_is_seen() {
    let world = World::new().await;
    let github = world.app();
    world.workshop.set_branch("feature/50%", world.head.as_str()).await.unwrap();
    let head = github.branch_head(&workshop(), "feature/50%").await.unwrap();
    assert_eq!(head, Some(world.head.clone()));
    // a prefix of a branch's name is no branch
    assert_eq!(github.branch_head(&workshop(), "feature").await.unwrap(), None);

    world.workshop.set_granted(false).unwrap();
    let token = world.with_token(TOKEN);
    let error = token.branch_head(&workshop(), "feature").await.unwrap_err();
    assert!(matches!(error, Error::NotVisible { .. }), "{error:?}");
    let error = token.pull_request(&workshop(), 1).await.unwrap_err();
    assert!(matches!(error, Error::NotVisible { .. }), "{error:?}");
}

#[tokio::test]
async fn a_tag_leads_to_its_commit_however_it_was_made() {
    let world = World::new().await;
    let (github, head) = (world.app(), Some(world.head.clone()));
    let commit = |name: &str| {
        let tag = name.parse().unwrap();
        let github = &github;
        async move { github.tag_commit(&workshop(), &tag).await }
    };
    world.workshop.tag("release/50%", world.head.as_str()).await.unwrap();
    world.workshop.annotated_tag("v1.0", world.head.as_str()).await.unwrap();
    world.workshop.annotated_tag("signed-off", "refs/tags/v1.0").await.unwrap();
    assert_eq!(commit("release/50%").await.unwrap(), head);
    assert_eq!(commit("v1.0").await.unwrap(), head);
    assert_eq!(commit("signed-off").await.unwrap(), head);

    // a prefix of a tag's name is no tag, and neither is a branch that is called like one
    world.workshop.set_branch("v2.0", world.head.as_str()).await.unwrap();
    world.workshop.set_branch("tags/v2.0", world.head.as_str()).await.unwrap();
    for missing in ["release", "v2.0", "master"] {
        assert_eq!(commit(missing).await.unwrap(), None, "{missing}");
    }
    world.workshop.annotated_tag("tree", "refs/heads/master^{tree}").await.unwrap();
    assert_eq!(commit("tree").await.unwrap(), None);

    world.workshop.set_granted(false).unwrap();
    let tag = "v1.0".parse().unwrap();
    let error = world.with_token(TOKEN).tag_commit(&workshop(), &tag).await.unwrap_err();
    assert!(matches!(error, Error::NotVisible { .. }), "{error:?}");
}

#[tokio::test]
async fn a_list_is_whole_though_github_pages_it() {
    let world = World::new().await;
    for n in 0..100 {
        let branch = format!("b{n:03}");
        world.workshop.set_branch(&branch, world.head.as_str()).await.unwrap();
    }
    let branches = world.with_token(TOKEN).branches(&workshop()).await.unwrap();
    assert_eq!(branches.len(), 101);
    assert!(branches.iter().all(|branch| branch.head == world.head));
    assert!(branches.iter().any(|branch| branch.name == "b099"));
    assert_eq!(world.requests("GET", "/branches"), 2);
}

#[tokio::test]
async fn pull_requests_say_where_they_come_from_and_how_they_ended() {
    let world = World::new().await;
    let github = world.app();
    let files = [("cart.js", "1")];
    world.workshop.commit("feature/cart", &files, "Add the cart").await.unwrap();
    let own = world.workshop.open_pr("feature/cart", "master", "Add the cart").await.unwrap();

    let open = github.open_pull_requests(&workshop()).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].number, open[0].title.as_str()), (own, "Add the cart"));
    assert_eq!((open[0].state, open[0].draft), (PullRequestState::Open, false));
    assert_eq!((open[0].head.branch.as_str(), open[0].head.fork), ("feature/cart", false));
    assert_eq!(open[0].base_branch, "master");

    world.workshop.merge_pr(own).await.unwrap();
    assert_eq!(github.open_pull_requests(&workshop()).await.unwrap(), []);
    let merged = github.pull_request(&workshop(), own).await.unwrap().unwrap();
    assert_eq!(merged.state, PullRequestState::Merged);
    assert_eq!(github.pull_request(&workshop(), 999).await.unwrap(), None);
}

#[tokio::test]
async fn a_pull_request_of_a_fork_is_a_strangers_even_on_a_branch_of_the_same_name() {
    let world = World::new().await;
    let fork = world.workshop.fork("mallory/workshop").await.unwrap();
    fork.commit("master", &[("cart.js", "2")], "Improve").await.unwrap();
    let new = NewPull {
        head: "master".to_owned(),
        base: "master".to_owned(),
        title: "Improve things".to_owned(),
        body: None,
        draft: true,
        head_repo: Some("mallory/workshop".to_owned()),
    };
    let number = world.workshop.open(new).await.unwrap();
    let pull = world.app().pull_request(&workshop(), number).await.unwrap().unwrap();
    assert!(pull.head.fork && pull.draft);
    assert_eq!(pull.head.repository, Some(repo("mallory/workshop")));
}

#[tokio::test]
async fn an_enterprise_servers_path_stands_before_every_call() {
    let world = World::new().await;
    let url = format!("{}/api/v3/", world.fake.url());
    let github = GitHub::new(&url, Auth::Token(TOKEN.into()), world.clock()).unwrap();
    assert_eq!(github.repository(&workshop()).await.unwrap().name, workshop());
    assert_eq!(github.branches(&workshop()).await.unwrap().len(), 1);
}
