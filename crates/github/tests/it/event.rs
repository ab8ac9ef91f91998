//! What deliveries mean. The payloads are GitHub's own examples, cut down, and five that those
//! lack (branch push, branch deletion, merged pull request, pull request from a fork, comment on a
//! pull request).

use greenroom_github::event::{
    Account, Deletion, HeadCommit, InstallationAction, NamedRepository, PullRequest,
    PullRequestAction, Push, PushKind, RepositoryAction,
};
use greenroom_github::{Event, GitRef};
use model::CommitSha;
use serde_json::{Value, json};

macro_rules! payload {
    ($name:literal) => {
        serde_json::from_slice::<Value>(include_bytes!(concat!("../payload/", $name, ".json")))
            .unwrap()
    };
}

fn parse(event: &str, body: &Value) -> Event {
    Event::parse(event, &serde_json::to_vec(body).unwrap()).unwrap()
}

fn parse_error(event: &str, body: &Value) -> String {
    Event::parse(event, &serde_json::to_vec(body).unwrap()).unwrap_err().to_string()
}

fn push(body: &Value) -> Push {
    match parse("push", body) {
        Event::Push(push) => push,
        other => panic!("{other:?}"),
    }
}

fn pull_request(body: &Value) -> PullRequest {
    match parse("pull_request", body) {
        Event::PullRequest(pull) => pull,
        other => panic!("{other:?}"),
    }
}

fn deletion(body: &Value) -> Deletion {
    match parse("delete", body) {
        Event::Delete(deletion) => deletion,
        other => panic!("{other:?}"),
    }
}

fn ignored(event: &str, body: &Value) -> String {
    match parse(event, body) {
        Event::Ignored { reason } => reason,
        other => panic!("{other:?}"),
    }
}

fn sha(digit: &str) -> CommitSha {
    digit.repeat(40).parse().unwrap()
}

#[test]
fn a_branch_push_carries_ref_commit_and_repository() {
    let push = push(&payload!("push_branch"));
    assert_eq!(push.git_ref, GitRef::Branch("feature/cart".to_owned()));
    assert_eq!(push.kind, PushKind::Updated { before: sha("a"), after: sha("b") });
    assert_eq!(
        push.head_commit,
        Some(HeadCommit {
            id: sha("b"),
            message: "Add the cart\n\nWith totals.".to_owned(),
            author: "Maria".to_owned(),
        })
    );
    assert_eq!(push.commit(), Some(&sha("b")));
    assert_eq!(push.repository.name.as_str(), "acme/workshop");
    assert_eq!(push.repository.default_branch.as_deref(), Some("master"));
    assert_eq!((push.installation, push.sender.as_deref()), (Some(12), Some("maria")));
}

#[test]
fn a_forced_and_a_created_branch_are_told_apart() {
    let mut body = payload!("push_branch");
    body["forced"] = json!(true);
    assert_eq!(push(&body).kind, PushKind::Forced { before: sha("a"), after: sha("b") });
    // creating a branch on other history may be flagged as forced too
    body["before"] = json!("0".repeat(40));
    assert_eq!(push(&body).kind, PushKind::Created { after: sha("b") });
}

#[test]
fn a_deleted_branch_has_nothing_to_build() {
    let push = push(&payload!("push_branch_deleted"));
    assert_eq!(push.kind, PushKind::Deleted { before: sha("b") });
    assert_eq!((push.head_commit.as_ref(), push.commit()), (None, None));
}

#[test]
fn a_tag_is_created_and_deleted_by_pushes() {
    let created = push(&payload!("push_tag_created"));
    assert_eq!(created.git_ref, GitRef::Tag("simple-tag".to_owned()));
    assert!(matches!(created.kind, PushKind::Created { .. }));
    assert_eq!(created.installation, None);
    assert!(matches!(push(&payload!("push_tag_deleted")).kind, PushKind::Deleted { .. }));
}

#[test]
fn an_annotated_tag_is_built_at_its_commit_not_at_the_tag_object() {
    let mut body = payload!("push_tag_created");
    body["after"] = json!("c".repeat(40));
    body["head_commit"]["id"] = json!("d".repeat(40));
    let push = push(&body);
    assert_eq!(push.kind.after(), Some(&sha("c")));
    assert_eq!(push.commit(), Some(&sha("d")));
}

#[test]
fn a_push_to_another_kind_of_ref_is_ignored() {
    let mut body = payload!("push_branch");
    for name in ["refs/notes/commits", "refs/heads/", "refs/changes/1"] {
        body["ref"] = json!(name);
        assert!(ignored("push", &body).contains("neither a branch nor a tag"), "{name}");
    }
}

#[test]
fn a_merged_pull_request_is_closed_and_merged() {
    let pull = pull_request(&payload!("pull_request_merged"));
    assert_eq!(pull.action, PullRequestAction::Closed { merged: true });
    assert_eq!((pull.number, pull.title.as_str(), pull.draft), (7, "Add the cart", false));
    assert_eq!((pull.head.branch.as_str(), &pull.head.sha), ("feature/cart", &sha("b")));
    assert_eq!((pull.base.branch.as_str(), &pull.base.sha), ("master", &sha("a")));
    assert!(!pull.head.fork);
    assert_eq!(pull.author.as_deref(), Some("maria"));
}

#[test]
fn a_pull_request_from_a_fork_says_so() {
    let pull = pull_request(&payload!("pull_request_fork"));
    assert_eq!(pull.action, PullRequestAction::Opened);
    assert!(pull.head.fork && pull.draft);
    assert_eq!(pull.head.repository.unwrap().as_str(), "mallory/workshop");
    assert_eq!(pull.repository.name.as_str(), "acme/workshop");
}

#[test]
fn a_head_whose_repository_is_gone_counts_as_a_fork() {
    let mut body = payload!("pull_request_merged");
    body["pull_request"]["head"]["repo"] = Value::Null;
    body["pull_request"]["user"] = Value::Null;
    let pull = pull_request(&body);
    assert!(pull.head.fork);
    assert_eq!((pull.head.repository, pull.author), (None, None));
}

#[test]
fn a_pull_request_changes_by_commits_reopening_and_base() {
    let mut body = payload!("pull_request_synchronize");
    assert_eq!(pull_request(&body).action, PullRequestAction::Synchronize);
    body["action"] = json!("reopened");
    assert_eq!(pull_request(&body).action, PullRequestAction::Reopened);
    body["action"] = json!("edited");
    body["changes"] = json!({"base": {"ref": {"from": "master"}, "sha": {"from": "x"}}});
    let from = "master".to_owned();
    assert_eq!(pull_request(&body).action, PullRequestAction::EditedBase { from });
    body["changes"] = json!({"title": {"from": "Old"}});
    assert_eq!(ignored("pull_request", &body), "the pull request was edited, its base was not");
}

#[test]
fn a_draft_becomes_ready_and_a_draft_again() {
    let mut body = payload!("pull_request_synchronize");
    body["action"] = json!("ready_for_review");
    assert_eq!(pull_request(&body).action, PullRequestAction::ReadyForReview);
    body["action"] = json!("converted_to_draft");
    body["pull_request"]["draft"] = json!(true);
    let converted = pull_request(&body);
    assert_eq!((converted.action, converted.draft), (PullRequestAction::ConvertedToDraft, true));
}

#[test]
fn actions_and_events_that_start_nothing_are_ignored_whatever_they_hold() {
    let labeled = json!({"action": "labeled"});
    assert_eq!(
        ignored("pull_request", &labeled),
        "the action `labeled` of `pull_request` starts nothing here"
    );
    assert!(ignored("repository", &json!({"action": "painted"})).contains("painted"));
    assert!(ignored("installation", &json!({"action": "painted"})).contains("painted"));
    assert_eq!(ignored("star", &json!(null)), "the event `star` starts nothing here");
    assert!(ignored("create", &json!({})).contains("push"));
}

#[test]
fn a_deletion_names_its_branch_or_tag() {
    let mut body = payload!("delete_tag");
    assert_eq!(deletion(&body).git_ref, GitRef::Tag("simple-tag".to_owned()));
    body["ref_type"] = json!("branch");
    body["ref"] = json!("feature/cart");
    assert_eq!(deletion(&body).git_ref, GitRef::Branch("feature/cart".to_owned()));
}

#[test]
fn a_renamed_or_transferred_repository_says_what_it_was_called() {
    let renamed_from = |body| match parse("repository", &body) {
        Event::Repository(change) => match change.action {
            RepositoryAction::Renamed { from } => {
                (from.to_string(), change.repository.name.to_string())
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let now = "Octocoders/Hello-World".to_owned();
    let mut renamed = payload!("repository_renamed");
    renamed["changes"]["repository"]["name"]["from"] = json!("Old-World");
    assert_eq!(renamed_from(renamed), ("Octocoders/Old-World".to_owned(), now.clone()));
    let transferred = payload!("repository_transferred");
    assert_eq!(renamed_from(transferred), ("octocat/Hello-World".to_owned(), now));
}

#[test]
fn an_installation_says_where_it_may_act() {
    let named = |id, name: &str| vec![NamedRepository { id, name: name.parse().unwrap() }];
    match parse("installation", &payload!("installation_created")) {
        Event::Installation(installation) => {
            assert_eq!(installation.action, InstallationAction::Created);
            assert_eq!(installation.id, 957_387);
            assert_eq!(installation.account, Account("Codertocat".to_owned()));
            assert_eq!(installation.repositories, named(186_853_002, "Codertocat/Hello-World"));
        }
        other => panic!("{other:?}"),
    }
    match parse("installation_repositories", &payload!("installation_repositories_added")) {
        Event::InstallationRepositories(change) => {
            assert_eq!(change.added, named(186_853_007, "Codertocat/Space"));
            assert_eq!(change.removed, []);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_person_s_comment_on_a_pull_request_is_heard_with_its_author_and_time() {
    let body = payload!("issue_comment_created");
    let Event::IssueComment(comment) = parse("issue_comment", &body) else {
        panic!("not heard");
    };
    assert_eq!((comment.id, comment.number), (492_700_400, 2));
    assert_eq!(comment.body, "/greenroom deploy");
    let author = (comment.author.id, comment.author.login.as_str());
    assert_eq!(author, (21_031_067, "Codertocat"));
    assert_eq!(comment.written_at.to_rfc3339(), "2019-05-15T15:20:21+00:00");
    assert_eq!(comment.repository.name.as_str(), "Codertocat/Hello-World");
    let event = Event::parse("issue_comment", &serde_json::to_vec(&body).unwrap()).unwrap();
    assert_eq!(event.repository(), Some(&comment.repository));
}

#[test]
fn only_new_comments_of_people_on_pull_requests_ask_for_anything() {
    let changed = |change: fn(&mut Value)| {
        let mut body = payload!("issue_comment_created");
        change(&mut body);
        ignored("issue_comment", &body)
    };
    for (action, says) in [("edited", "was edited"), ("deleted", "was deleted")] {
        let mut body = payload!("issue_comment_created");
        body["action"] = json!(action);
        assert!(ignored("issue_comment", &body).contains(says));
    }
    let on_an_issue =
        changed(|body| drop(body["issue"].as_object_mut().unwrap().remove("pull_request")));
    assert!(on_an_issue.contains("on an issue"), "{on_an_issue}");
    let bot = changed(|body| {
        body["comment"]["user"]["login"] = json!("greenroom[bot]");
        body["comment"]["user"]["type"] = json!("Bot");
    });
    assert!(bot.contains("greenroom[bot] is a Bot"), "{bot}");
    let gone = changed(|body| body["comment"]["user"] = Value::Null);
    assert!(gone.contains("author is gone"), "{gone}");

    let mut body = payload!("issue_comment_created");
    body["comment"]["created_at"] = json!("yesterday");
    let error = parse_error("issue_comment", &body);
    assert!(error.contains("`comment.created_at`"), "{error}");
    let mut body = payload!("issue_comment_created");
    body["comment"]["body"] = Value::Null;
    assert!(
        matches!(parse("issue_comment", &body), Event::IssueComment(said) if said.body.is_empty())
    );
}

#[test]
fn a_ping_is_heard() {
    assert!(matches!(parse("ping", &payload!("ping")), Event::Ping { zen } if !zen.is_empty()));
}

#[test]
fn what_is_missing_or_ill_typed_is_named_with_its_place() {
    let mut body = payload!("push_branch");
    body["repository"]["full_name"] = json!(7);
    let error = parse_error("push", &body);
    assert!(error.contains("`push`") && error.contains("`repository.full_name`"), "{error}");

    let mut body = payload!("push_branch");
    body.as_object_mut().unwrap().remove("after");
    assert!(parse_error("push", &body).contains("missing field `after`"));

    let mut body = payload!("pull_request_fork");
    body["pull_request"]["head"]["sha"] = json!("HEAD");
    let error = parse_error("pull_request", &body);
    assert!(
        error.contains("`pull_request.head.sha`") && error.contains("not a valid commit"),
        "{error}"
    );

    let error = Event::parse("push", b"payload=%7B%7D").unwrap_err().to_string();
    assert!(error.contains("expected value at line 1"), "{error}");
}
