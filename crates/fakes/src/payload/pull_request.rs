//! The `pull_request` event and the pull request of the REST answers.

use serde_json::{Value, json};

use super::{actor, owner, repository};
use crate::state::{Pull, PullState, Repo, timestamp};

/// How large a pull request is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size {
    pub(crate) commits: u64,
    pub(crate) changed_files: u64,
    pub(crate) additions: u64,
    pub(crate) deletions: u64,
}

/// What happened to a pull request, with what the event says besides the request itself.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Opened,
    Reopened,
    Closed,
    Synchronize { before: String, after: String },
    Edited { changes: Value },
    ReadyForReview,
    ConvertedToDraft,
}

impl Action {
    fn name(&self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Reopened => "reopened",
            Self::Closed => "closed",
            Self::Synchronize { .. } => "synchronize",
            Self::Edited { .. } => "edited",
            Self::ReadyForReview => "ready_for_review",
            Self::ConvertedToDraft => "converted_to_draft",
        }
    }
}

/// A pull request; `head` is absent when its repository is gone.
pub(crate) fn pull_request(
    url: &str,
    base: &Repo,
    head: Option<&Repo>,
    pull: &Pull,
    size: Size,
) -> Value {
    let full_name = base.full_name();
    let api = format!("{url}/repos/{full_name}");
    let html = format!("{url}/{full_name}/pull/{}", pull.number);
    let number = pull.number;
    let (closed_at, merge) = match &pull.state {
        PullState::Open => (None, None),
        PullState::Closed { at } => (Some(timestamp(*at)), None),
        PullState::Merged { at, commit, by } => (Some(timestamp(*at)), Some((commit, by))),
    };
    json!({
        "url": format!("{api}/pulls/{number}"),
        "id": pull.id,
        "node_id": format!("PR_{}", pull.id),
        "html_url": html,
        "diff_url": format!("{html}.diff"),
        "patch_url": format!("{html}.patch"),
        "issue_url": format!("{api}/issues/{number}"),
        "number": number,
        "state": if pull.is_open() { "open" } else { "closed" },
        "locked": false,
        "title": pull.title,
        "user": actor(url, &pull.user),
        "body": pull.body,
        "created_at": timestamp(pull.created_at),
        "updated_at": timestamp(pull.updated_at),
        "closed_at": closed_at,
        "merged_at": merge.and(closed_at.clone()),
        "merge_commit_sha": merge.map(|(commit, _)| commit),
        "assignee": null,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "labels": [],
        "milestone": null,
        "draft": pull.draft,
        "commits_url": format!("{api}/pulls/{number}/commits"),
        "review_comments_url": format!("{api}/pulls/{number}/comments"),
        "review_comment_url": format!("{api}/pulls/comments{{/number}}"),
        "comments_url": format!("{api}/issues/{number}/comments"),
        "statuses_url": format!("{api}/statuses/{}", pull.head_sha),
        "head": side(url, &pull.head_repo, &pull.head_ref, &pull.head_sha, head),
        "base": side(url, &full_name, &pull.base_ref, &pull.base_sha, Some(base)),
        "_links": links(&api, &html, pull),
        "author_association": "CONTRIBUTOR",
        "auto_merge": null,
        "active_lock_reason": null,
        "merged": merge.is_some(),
        "mergeable": null,
        "rebaseable": null,
        "mergeable_state": "unknown",
        "merged_by": merge.map(|(_, by)| actor(url, by)),
        "comments": 0,
        "review_comments": 0,
        "maintainer_can_modify": false,
        "commits": size.commits,
        "additions": size.additions,
        "deletions": size.deletions,
        "changed_files": size.changed_files,
    })
}

/// Where a pull request comes from or goes to.
fn side(url: &str, full_name: &str, branch: &str, sha: &str, repo: Option<&Repo>) -> Value {
    json!({
        "label": format!("{}:{branch}", owner_of(full_name)),
        "ref": branch,
        "sha": sha,
        "user": repo.map(|repo| owner(url, repo)),
        "repo": repo.map(|repo| repository(url, repo)),
    })
}

fn links(api: &str, html: &str, pull: &Pull) -> Value {
    let number = pull.number;
    let link = |target: String| json!({ "href": target });
    json!({
        "self": link(format!("{api}/pulls/{number}")),
        "html": link(html.to_owned()),
        "issue": link(format!("{api}/issues/{number}")),
        "comments": link(format!("{api}/issues/{number}/comments")),
        "review_comments": link(format!("{api}/pulls/{number}/comments")),
        "review_comment": link(format!("{api}/pulls/comments{{/number}}")),
        "commits": link(format!("{api}/pulls/{number}/commits")),
        "statuses": link(format!("{api}/statuses/{}", pull.head_sha)),
    })
}

fn owner_of(full_name: &str) -> &str {
    full_name.split_once('/').map_or(full_name, |(owner, _)| owner)
}

/// The event: `request` is what [`pull_request`] made.
pub(crate) fn event(
    url: &str,
    base: &Repo,
    number: u64,
    request: &Value,
    action: Action,
    sender: &str,
) -> Value {
    let mut payload = json!({
        "action": action.name(),
        "number": number,
        "pull_request": request,
        "repository": repository(url, base),
        "sender": actor(url, sender),
    });
    match action {
        Action::Synchronize { before, after } => {
            payload["before"] = json!(before);
            payload["after"] = json!(after);
        }
        Action::Edited { changes } => payload["changes"] = changes,
        Action::Opened
        | Action::Reopened
        | Action::Closed
        | Action::ReadyForReview
        | Action::ConvertedToDraft => {}
    }
    payload
}
