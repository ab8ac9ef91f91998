//! What a push and the life of a pull request send.

use std::collections::BTreeSet;

use fakes::{Crafted, GitHub, HookOwner, MergeMethod, NewPull, Repository, signature};
use serde_json::{Value, json};

use crate::support::{Inbox, Received, SECRET, app_jwt, call, github};

async fn workshop(github: &GitHub, inbox: &Inbox) -> Repository {
    let repo = github.repo("acme/workshop");
    repo.create("master").await.unwrap();
    repo.commit("master", &[("a.txt", "a"), ("b.txt", "b")], "First").await.unwrap();
    github.settle_deliveries().await;
    inbox.take();
    repo
}

async fn next(github: &GitHub, inbox: &Inbox) -> Vec<Received> {
    github.settle_deliveries().await;
    inbox.take()
}

/// `event` or `event:action`, in order.
fn names(received: &[Received]) -> Vec<String> {
    let name = |one: &Received| match one.json()["action"].as_str() {
        Some(action) => format!("{}:{action}", one.event()),
        None => one.event().to_owned(),
    };
    received.iter().map(name).collect()
}

#[tokio::test]
async fn a_push_is_signed_over_its_raw_bytes() {
    let (github, inbox) = github(HookOwner::App).await;
    let repo = workshop(&github, &inbox).await;
    repo.commit("master", &[("a.txt", "ä")], "Grüße").await.unwrap();
    let received = next(&github, &inbox).await;
    assert_eq!(names(&received), ["push"]);
    let push = &received[0];
    assert_eq!(push.header("x-hub-signature-256"), signature(SECRET, &push.raw));
    assert!(push.header("user-agent").starts_with("GitHub-Hookshot/"));
    assert_eq!(push.header("content-type"), "application/json");
    assert_eq!(push.header("x-github-hook-installation-target-type"), "integration");
    assert!(push.header("x-github-delivery").parse::<uuid::Uuid>().is_ok());
    assert_eq!(push.json()["installation"]["id"], json!(fakes::INSTALLATION_ID));
}

#[tokio::test]
async fn what_people_write_on_a_pull_request_is_told_with_who_they_are() {
    let (github, inbox) = github(HookOwner::App).await;
    let repo = workshop(&github, &inbox).await;
    repo.commit_on("x", Some("master"), &[("c.txt", Some("c"))], "More").await.unwrap();
    let number = repo.open_pr("x", "master", "More").await.unwrap();
    next(&github, &inbox).await;
    let id = repo.comment_by("ada", number, "/greenroom deploy").unwrap();
    repo.edit_comment_by("ada", id, "never mind").unwrap();
    let received = next(&github, &inbox).await;
    assert_eq!(names(&received), ["issue_comment:created", "issue_comment:edited"]);
    assert_eq!(received[0].header("x-hub-signature-256"), signature(SECRET, &received[0].raw));
    let told = received[0].json();
    let comment = &told["comment"];
    assert_eq!((&comment["id"], &comment["body"]), (&json!(id), &json!("/greenroom deploy")));
    assert_eq!(comment["user"]["id"], json!(github.user("ada").id));
    assert_eq!(
        (&comment["user"]["type"], &told["sender"]["login"]),
        (&json!("User"), &json!("ada"))
    );
    assert_eq!(told["issue"]["number"], json!(number));
    assert!(told["issue"]["pull_request"]["url"].is_string());
    assert_eq!(received[1].json()["changes"]["body"]["from"], "/greenroom deploy");
    assert!(repo.comment_by("ada", 99, "where?").is_err());
}

#[tokio::test]
async fn what_is_written_over_rest_is_told_if_that_is_wanted() {
    let (github, inbox) = github(HookOwner::App).await;
    let repo = workshop(&github, &inbox).await;
    repo.commit_on("x", Some("master"), &[("c.txt", Some("c"))], "More").await.unwrap();
    let number = repo.open_pr("x", "master", "More").await.unwrap();
    next(&github, &inbox).await;
    let token = crate::support::mint(&github, json!({})).await;
    let url = format!("{}/repos/acme/workshop/issues/{number}/comments", github.url());
    call("POST", &url, &token, Some(json!({ "body": "quiet" }))).await.unwrap();
    assert!(next(&github, &inbox).await.is_empty());
    github.announce_comments();
    call("POST", &url, &token, Some(json!({ "body": "loud" }))).await.unwrap();
    let received = next(&github, &inbox).await;
    assert_eq!(names(&received), ["issue_comment:created"]);
    assert_eq!(received[0].json()["comment"]["user"]["type"], "Bot");
}

#[tokio::test]
async fn a_repository_hook_names_no_installation() {
    let (github, inbox) = github(HookOwner::Repository).await;
    let repo = github.repo("acme/workshop");
    repo.create("master").await.unwrap();
    github.ping("acme/workshop").unwrap();
    let received = next(&github, &inbox).await;
    assert_eq!(names(&received), ["ping"]);
    assert_eq!(received[0].json().get("installation"), None);
    assert_eq!(received[0].header("x-github-hook-installation-target-type"), "repository");
}

#[tokio::test]
async fn a_push_tells_its_commits_and_their_files() {
    let (github, inbox) = github(HookOwner::App).await;
    let repo = workshop(&github, &inbox).await;
    let before = repo.head("master").await.unwrap();
    let files = [("a.txt", Some("A")), ("b.txt", None), ("dir/c.txt", Some("c"))];
    let after = repo.commit_on("master", None, &files, "Second").await.unwrap();
    let push = next(&github, &inbox).await[0].json();
    assert_eq!(push["ref"], "refs/heads/master");
    assert_eq!(push["before"], json!(before));
    assert_eq!(push["after"], json!(after));
    for flag in ["created", "deleted", "forced"] {
        assert_eq!(push[flag], json!(false), "{flag}");
    }
    assert_eq!(push["commits"].as_array().unwrap().len(), 1);
    let commit = &push["commits"][0];
    assert_eq!(commit["message"], "Second");
    assert_eq!(commit["added"], json!(["dir/c.txt"]));
    assert_eq!(commit["modified"], json!(["a.txt"]));
    assert_eq!(commit["removed"], json!(["b.txt"]));
    assert_eq!(push["head_commit"]["id"], json!(after));
    assert_eq!(push["repository"]["full_name"], "acme/workshop");
    assert_eq!(push["repository"]["owner"]["login"], "acme");
    assert_eq!(push["pusher"]["name"], "developer");
}

#[tokio::test]
async fn a_branch_is_created_forced_and_deleted() {
    let (github, inbox) = github(HookOwner::App).await;
    let repo = workshop(&github, &inbox).await;
    let master = repo.head("master").await.unwrap();
    repo.set_branch("feature/x", &master).await.unwrap();
    repo.commit("feature/x", &[("x", "1")], "x").await.unwrap();
    repo.push_force("feature/x", &[("x", "2")], "x again").await.unwrap();
    repo.delete_branch("feature/x").await.unwrap();
    let received = next(&github, &inbox).await;
    assert_eq!(names(&received), ["create", "push", "push", "push", "push", "delete"]);
    let json: Vec<Value> = received.iter().map(Received::json).collect();
    assert_eq!((&json[0]["ref"], &json[0]["ref_type"]), (&json!("feature/x"), &json!("branch")));
    assert_eq!(json[1]["created"], json!(true));
    assert_eq!(json[1]["base_ref"], "refs/heads/master");
    assert_eq!(json[1]["commits"], json!([]));
    assert_eq!(json[2]["forced"], json!(false));
    assert_eq!(json[3]["forced"], json!(true));
    assert_eq!(json[4]["deleted"], json!(true));
    assert_eq!(json[4]["after"], "0000000000000000000000000000000000000000");
    assert_eq!(json[4]["head_commit"], Value::Null);
    assert_eq!(json[5]["ref"], "feature/x");
}

#[tokio::test]
async fn tags_come_and_go() {
    let (github, inbox) = github(HookOwner::App).await;
    let repo = workshop(&github, &inbox).await;
    let sha = repo.head("master").await.unwrap();
    repo.tag("v1.0", &sha).await.unwrap();
    repo.delete_tag("v1.0").await.unwrap();
    let received = next(&github, &inbox).await;
    assert_eq!(names(&received), ["create", "push", "push", "delete"]);
    assert_eq!(received[1].json()["ref"], "refs/tags/v1.0");
    assert_eq!(received[3].json()["ref_type"], "tag");
}

#[tokio::test]
async fn a_pull_request_lives_from_opened_to_merged() {
    let (github, inbox) = github(HookOwner::App).await;
    let repo = workshop(&github, &inbox).await;
    let first = repo.commit("work", &[("w", "1")], "w").await.unwrap();
    inbox.take();
    let number = repo.open_pr("work", "master", "Work").await.unwrap();
    let second = repo.commit("work", &[("w", "2")], "w2").await.unwrap();
    let merged = repo.merge_pr(number).await.unwrap();
    repo.delete_branch("work").await.unwrap();
    let received = next(&github, &inbox).await;
    let mut got = names(&received);
    let start = got.iter().position(|name| name == "pull_request:opened").unwrap();
    got.drain(..start);
    assert_eq!(
        got,
        [
            "pull_request:opened",
            "push",
            "pull_request:synchronize",
            "push",
            "pull_request:closed",
            "push",
            "delete"
        ]
    );
    let json: Vec<Value> = received[start..].iter().map(Received::json).collect();
    let opened = &json[0]["pull_request"];
    assert_eq!(json[0]["number"], json!(number));
    assert_eq!(opened["head"]["sha"], json!(first));
    assert_eq!(opened["head"]["repo"]["full_name"], "acme/workshop");
    assert_eq!(opened["head"]["repo"]["fork"], json!(false));
    assert_eq!(opened["base"]["ref"], "master");
    assert_eq!((&opened["state"], &opened["merged"]), (&json!("open"), &json!(false)));
    assert_eq!(opened["changed_files"], json!(1));
    assert_eq!((&json[2]["before"], &json[2]["after"]), (&json!(first), &json!(second)));
    assert_eq!(json[3]["after"], json!(merged));
    let closed = &json[4]["pull_request"];
    assert_eq!((&closed["state"], &closed["merged"]), (&json!("closed"), &json!(true)));
    assert_eq!(closed["merge_commit_sha"], json!(merged));
    assert_eq!(closed["head"]["sha"], json!(second));
}

#[tokio::test]
async fn a_pull_request_is_closed_reopened_and_sent_elsewhere() {
    let (github, inbox) = github(HookOwner::App).await;
    let repo = workshop(&github, &inbox).await;
    let sha = repo.head("master").await.unwrap();
    repo.set_branch("prod", &sha).await.unwrap();
    repo.commit("work", &[("w", "1")], "w").await.unwrap();
    let number = repo.open_pr("work", "master", "Work").await.unwrap();
    next(&github, &inbox).await;
    repo.close_pr(number).await.unwrap();
    repo.reopen_pr(number).await.unwrap();
    repo.edit_pr_base(number, "prod").await.unwrap();
    repo.delete_branch("work").await.unwrap();
    let received = next(&github, &inbox).await;
    assert_eq!(
        names(&received),
        [
            "pull_request:closed",
            "pull_request:reopened",
            "pull_request:edited",
            "push",
            "delete",
            "pull_request:closed"
        ]
    );
    assert_eq!(received[0].json()["pull_request"]["merged"], json!(false));
    let edited = received[2].json();
    assert_eq!(edited["changes"]["base"]["ref"]["from"], "master");
    assert_eq!(edited["pull_request"]["base"]["ref"], "prod");
    assert!(repo.reopen_pr(number).await.is_err(), "its branch is gone");
}

#[tokio::test]
async fn a_squash_merges_without_the_head_and_a_plain_push_merges_too() {
    let (github, inbox) = github(HookOwner::App).await;
    let repo = workshop(&github, &inbox).await;
    repo.commit("one", &[("one", "1")], "one").await.unwrap();
    let two = repo.commit("two", &[("two", "1")], "two").await.unwrap();
    let first = repo.open_pr("one", "master", "One").await.unwrap();
    repo.open_pr("two", "master", "Two").await.unwrap();
    next(&github, &inbox).await;
    repo.set_branch("master", &two).await.unwrap();
    let received = next(&github, &inbox).await;
    assert_eq!(names(&received), ["push", "pull_request:closed"]);
    assert_eq!(received[1].json()["pull_request"]["merged"], json!(true));
    repo.merge_pr_by(first, MergeMethod::Squash).await.unwrap();
    let received = next(&github, &inbox).await;
    assert_eq!(names(&received), ["push", "pull_request:closed"]);
    assert_eq!(received[0].json()["commits"].as_array().unwrap().len(), 1);
    assert_eq!(received[1].json()["pull_request"]["merged"], json!(true));
}

#[tokio::test]
async fn a_fork_opens_a_pull_request_without_pushes_of_its_own() {
    let (github, inbox) = github(HookOwner::App).await;
    let repo = workshop(&github, &inbox).await;
    let fork = repo.fork("mallory/workshop").await.unwrap();
    let sha = fork.commit("evil", &[("a.txt", "!")], "evil").await.unwrap();
    let number = repo
        .open(NewPull {
            head: "evil".to_owned(),
            base: "master".to_owned(),
            title: "Please".to_owned(),
            body: None,
            draft: false,
            head_repo: Some("mallory/workshop".to_owned()),
        })
        .await
        .unwrap();
    fork.commit("evil", &[("a.txt", "!!")], "more").await.unwrap();
    let received = next(&github, &inbox).await;
    assert_eq!(names(&received), ["pull_request:opened", "pull_request:synchronize"]);
    let opened = received[0].json();
    assert_eq!(opened["pull_request"]["head"]["sha"], json!(sha));
    assert_eq!(opened["pull_request"]["head"]["repo"]["fork"], json!(true));
    assert_eq!(opened["pull_request"]["head"]["repo"]["full_name"], "mallory/workshop");
    assert_eq!(opened["repository"]["full_name"], "acme/workshop");
    repo.merge_pr(number).await.unwrap();
}

#[tokio::test]
async fn a_redelivery_keeps_the_guid_and_a_lost_one_is_told_as_failed() {
    let (github, inbox) = github(HookOwner::App).await;
    let repo = workshop(&github, &inbox).await;
    github.lose_deliveries(1);
    repo.commit("master", &[("a.txt", "2")], "Lost").await.unwrap();
    assert!(next(&github, &inbox).await.is_empty());
    let lost = github.deliveries().pop().unwrap();
    assert_eq!(lost.outcome.as_ref().unwrap().status_code, 0);

    let jwt = app_jwt(&github, &json!({}));
    let list = format!("{}/app/hook/deliveries", github.url());
    let (status, _, listed) = call("GET", &list, &jwt, None).await.unwrap();
    assert_eq!((status, &listed[0]["guid"]), (200, &json!(lost.guid)));
    assert_ne!(listed[0]["status"], "OK");
    let attempts = format!("{list}/{}/attempts", lost.id);
    let (status, _, _) = call("POST", &attempts, &jwt, None).await.unwrap();
    assert_eq!(status, 202);
    let received = next(&github, &inbox).await;
    assert_eq!(received[0].header("x-github-delivery"), lost.guid);
    assert_eq!(received[0].raw, lost.payload.as_bytes());
    assert!(github.deliveries().pop().unwrap().redelivery);

    let page = format!("{list}?per_page=1");
    let (_, headers, listed) = call("GET", &page, &jwt, None).await.unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!((&listed[0]["status"], &listed[0]["status_code"]), (&json!("OK"), &json!(202)));
    assert!(headers["link"].to_str().unwrap().contains("rel=\"next\""));
}

#[tokio::test]
async fn a_delivery_may_arrive_twice_or_arrive_and_count_as_failed() {
    let (github, inbox) = github(HookOwner::App).await;
    let repo = workshop(&github, &inbox).await;
    github.double_deliveries(1);
    repo.commit("master", &[("a.txt", "2")], "Twice").await.unwrap();
    let received = next(&github, &inbox).await;
    assert_eq!(names(&received), ["push", "push"]);
    assert_eq!(received[0].raw, received[1].raw);
    let guid = |one: &Received| one.header("x-github-delivery").to_owned();
    assert_eq!(guid(&received[0]), guid(&received[1]));
    assert_eq!(github.deliveries().pop().unwrap().outcome.unwrap().status_code, 202);

    github.lose_delivery_answers(1);
    repo.commit("master", &[("a.txt", "3")], "Unanswered").await.unwrap();
    assert_eq!(names(&next(&github, &inbox).await), ["push"]);
    assert_eq!(github.deliveries().pop().unwrap().outcome.unwrap().status_code, 0);
    repo.commit("master", &[("a.txt", "4")], "Well").await.unwrap();
    assert_eq!(names(&next(&github, &inbox).await), ["push"]);
    assert_eq!(github.deliveries().pop().unwrap().outcome.unwrap().status_code, 202);
}

#[tokio::test]
async fn a_draft_becomes_ready_and_a_deleted_branch_comes_back_with_its_pull_request() {
    let (github, inbox) = github(HookOwner::App).await;
    let repo = workshop(&github, &inbox).await;
    let head = repo.commit("work", &[("w.txt", "w")], "Work").await.unwrap();
    let new = NewPull {
        head: "work".to_owned(),
        base: "master".to_owned(),
        title: "Work".to_owned(),
        body: None,
        draft: true,
        head_repo: None,
    };
    let number = repo.open(new).await.unwrap();
    let opened = next(&github, &inbox).await;
    assert_eq!(opened.last().unwrap().json()["pull_request"]["draft"], json!(true));
    repo.set_pr_draft(number, false).await.unwrap();
    repo.set_pr_draft(number, true).await.unwrap();
    let received = next(&github, &inbox).await;
    let expected = ["pull_request:ready_for_review", "pull_request:converted_to_draft"];
    assert_eq!(names(&received), expected);
    assert_eq!(received[0].json()["pull_request"]["draft"], json!(false));

    repo.delete_branch("work").await.unwrap();
    assert!(repo.reopen_pr(number).await.is_err(), "there is no branch to reopen it with");
    repo.set_branch("work", &head).await.unwrap();
    repo.reopen_pr(number).await.unwrap();
    let received = next(&github, &inbox).await;
    let expected =
        ["push", "delete", "pull_request:closed", "create", "push", "pull_request:reopened"];
    assert_eq!(names(&received), expected);
    assert_eq!(received[5].json()["pull_request"]["head"]["sha"], json!(head));
}

#[tokio::test]
async fn a_worded_webhook_goes_out_as_worded() {
    let (github, inbox) = github(HookOwner::App).await;
    github
        .send_webhook(Crafted {
            event: "star".to_owned(),
            payload: json!({ "action": "created" }),
            guid: Some("the-same".to_owned()),
            secret: Some("wrong".to_owned()),
        })
        .unwrap();
    let received = next(&github, &inbox).await;
    assert_eq!(names(&received), ["star:created"]);
    assert_eq!(received[0].header("x-github-delivery"), "the-same");
    assert_ne!(received[0].header("x-hub-signature-256"), signature(SECRET, &received[0].raw));
}

#[tokio::test]
async fn deliveries_arrive_in_order_and_each_has_its_own_guid() {
    let (github, inbox) = github(HookOwner::App).await;
    let repo = workshop(&github, &inbox).await;
    let mut shas = Vec::new();
    for number in 0..20 {
        let text = number.to_string();
        shas.push(repo.commit("master", &[("a.txt", &text)], &text).await.unwrap());
    }
    let received = next(&github, &inbox).await;
    let after: Vec<_> = received.iter().map(|one| one.json()["after"].clone()).collect();
    assert_eq!(json!(after), json!(shas));
    let guids: BTreeSet<_> =
        received.iter().map(|one| one.header("x-github-delivery").to_owned()).collect();
    assert_eq!(guids.len(), 20);
}
