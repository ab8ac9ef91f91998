//! The `push` event.

use serde_json::{Value, json};

use super::{actor, repository};
use crate::state::Repo;

/// What git says when there is nothing.
pub(crate) const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// One commit with the files that it touched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commit {
    pub(crate) id: String,
    pub(crate) tree: String,
    pub(crate) author: (String, String),
    pub(crate) committer: (String, String),
    pub(crate) timestamp: String,
    pub(crate) message: String,
    pub(crate) added: Vec<String>,
    pub(crate) removed: Vec<String>,
    pub(crate) modified: Vec<String>,
}

/// What a push did to one ref.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    pub(crate) full_ref: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) forced: bool,
    pub(crate) base_ref: Option<String>,
    /// The new commits, oldest first.
    pub(crate) commits: Vec<Commit>,
    pub(crate) head_commit: Option<Commit>,
}

fn commit(html: &str, commit: &Commit) -> Value {
    let person = |(name, email): &(String, String)| json!({ "name": name, "email": email });
    json!({
        "id": commit.id,
        "tree_id": commit.tree,
        "distinct": true,
        "message": commit.message,
        "timestamp": commit.timestamp,
        "url": format!("{html}/commit/{}", commit.id),
        "author": person(&commit.author),
        "committer": person(&commit.committer),
        "added": commit.added,
        "removed": commit.removed,
        "modified": commit.modified,
    })
}

/// A push has a repository of its own shape: times in seconds, and the owner has a name.
fn pushed_repository(url: &str, repo: &Repo) -> Value {
    let mut value = repository(url, repo);
    value["url"] = value["html_url"].clone();
    value["created_at"] = json!(repo.created_at.timestamp());
    value["pushed_at"] = json!(repo.pushed_at.timestamp());
    value["stargazers"] = json!(0);
    value["master_branch"] = json!(repo.default_branch);
    value["owner"]["name"] = json!(repo.owner);
    value["owner"]["email"] = Value::Null;
    value
}

pub(crate) fn push(url: &str, repo: &Repo, push: &Push, sender: &str) -> Value {
    let html = format!("{url}/{}", repo.full_name());
    let compare = match (&push.before, &push.after) {
        (Some(before), Some(after)) => format!("{html}/compare/{before}...{after}"),
        (_, Some(after)) => format!("{html}/commit/{after}"),
        (Some(before), None) => format!("{html}/compare/{before}...{NO_COMMIT}"),
        (None, None) => html.clone(),
    };
    let sha = |sha: &Option<String>| sha.clone().unwrap_or_else(|| NO_COMMIT.to_owned());
    json!({
        "ref": push.full_ref,
        "before": sha(&push.before),
        "after": sha(&push.after),
        "repository": pushed_repository(url, repo),
        "pusher": { "name": sender, "email": format!("{sender}@users.noreply.github.com") },
        "sender": actor(url, sender),
        "created": push.before.is_none(),
        "deleted": push.after.is_none(),
        "forced": push.forced,
        "base_ref": push.base_ref,
        "compare": compare,
        "commits": push.commits.iter().map(|new| commit(&html, new)).collect::<Vec<_>>(),
        "head_commit": push.head_commit.as_ref().map(|head| commit(&html, head)),
    })
}
