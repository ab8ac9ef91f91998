//! The `issue_comment` event of a comment on a pull request, which GitHub shows as an issue with
//! `pull_request`.

use serde_json::{Value, json};

use super::{actor, repository};
use crate::record::Comment;
use crate::rest::comments::comment_json;
use crate::state::{Pull, Repo, timestamp};

pub(crate) fn event(
    url: &str,
    repo: &Repo,
    pull: &Pull,
    comment: &Comment,
    action: &str,
    author: Value,
    sender: &Value,
) -> Value {
    let mut written = comment_json(url, comment);
    written["user"] = author;
    let mut payload = json!({
        "action": action,
        "issue": issue(url, repo, pull),
        "comment": written,
        "repository": repository(url, repo),
        "sender": sender,
    });
    if let Some(earlier) = comment.earlier_bodies.last() {
        payload["changes"] = json!({ "body": { "from": earlier } });
    }
    payload
}

fn issue(url: &str, repo: &Repo, pull: &Pull) -> Value {
    let full_name = repo.full_name();
    let api = format!("{url}/repos/{full_name}");
    let html = format!("{url}/{full_name}/pull/{}", pull.number);
    json!({
        "url": format!("{api}/issues/{}", pull.number),
        "repository_url": api,
        "comments_url": format!("{api}/issues/{}/comments", pull.number),
        "html_url": html,
        "id": pull.id,
        "number": pull.number,
        "title": pull.title,
        "user": actor(url, &pull.user),
        "labels": [],
        "state": if pull.is_open() { "open" } else { "closed" },
        "locked": false,
        "assignee": null,
        "assignees": [],
        "milestone": null,
        "comments": 1,
        "created_at": timestamp(pull.created_at),
        "updated_at": timestamp(pull.updated_at),
        "author_association": "CONTRIBUTOR",
        "draft": pull.draft,
        "pull_request": {
            "url": format!("{api}/pulls/{}", pull.number),
            "html_url": html,
            "diff_url": format!("{html}.diff"),
            "patch_url": format!("{html}.patch"),
            "merged_at": null,
        },
        "body": pull.body,
    })
}
