//! The `create` and `delete` events of branches and tags.

use serde_json::{Value, json};

use super::{actor, repository};
use crate::state::Repo;

/// A branch or a tag, by its full ref.
fn named(full_ref: &str) -> (&str, &'static str) {
    match full_ref.strip_prefix("refs/tags/") {
        Some(tag) => (tag, "tag"),
        None => (full_ref.strip_prefix("refs/heads/").unwrap_or(full_ref), "branch"),
    }
}

pub(crate) fn create(url: &str, repo: &Repo, full_ref: &str, sender: &str) -> Value {
    let (name, ref_type) = named(full_ref);
    json!({
        "ref": name,
        "ref_type": ref_type,
        "master_branch": repo.default_branch,
        "description": null,
        "pusher_type": "user",
        "repository": repository(url, repo),
        "sender": actor(url, sender),
    })
}

pub(crate) fn delete(url: &str, repo: &Repo, full_ref: &str, sender: &str) -> Value {
    let (name, ref_type) = named(full_ref);
    json!({
        "ref": name,
        "ref_type": ref_type,
        "pusher_type": "user",
        "repository": repository(url, repo),
        "sender": actor(url, sender),
    })
}
