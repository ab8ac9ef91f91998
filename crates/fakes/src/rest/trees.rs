//! The files of a commit at once, and one file by its object.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, ApiError, answer};
use crate::auth::{Access, Caller};
use crate::git::{git, git_with, resolve};
use crate::key::wrap;
use crate::state::Stand;

/// GitHub's own limit.
const MOST_ENTRIES: usize = 100_000;

pub(super) fn routes() -> Router<Stand> {
    Router::new()
        .route("/repos/{owner}/{repo}/git/trees/{sha}", get(tree))
        .route("/repos/{owner}/{repo}/git/blobs/{sha}", get(blob))
}

#[derive(Deserialize)]
struct How {
    #[serde(default)]
    recursive: Option<String>,
}

async fn tree(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, sha)): Path<(String, String, String)>,
    Query(how): Query<How>,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "contents", Access::Read)?;
    let dir = stand.git_dir(&repo.full_name());
    let commit = resolve(&dir, &sha).await.ok_or_else(ApiError::not_found)?;
    let mut args = vec!["ls-tree", "-l", "-z"];
    if how.recursive.is_some() {
        args.extend(["-r", "-t"]);
    }
    args.push(&commit);
    let listing = git_with(&dir, &args, &[], b"").await?;
    let listing = String::from_utf8_lossy(&listing);
    let entries: Vec<Value> = listing.split('\0').filter_map(entry).collect();
    let truncated = entries.len() > MOST_ENTRIES;
    let shown: Vec<Value> = entries.into_iter().take(MOST_ENTRIES).collect();
    let url = format!("{}/repos/{}/git/trees/{commit}", stand.url, repo.full_name());
    let body = json!({ "sha": commit, "url": url, "tree": shown, "truncated": truncated });
    Ok(answer(StatusCode::OK, body))
}

/// `mode kind sha size<tab>path`
fn entry(line: &str) -> Option<Value> {
    let (facts, path) = line.split_once('\t')?;
    let mut words = facts.split_whitespace();
    let (mode, kind, sha, size) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let mut entry = json!({ "path": path, "mode": mode, "type": kind, "sha": sha });
    if let Ok(size) = size.parse::<u64>() {
        entry["size"] = json!(size);
    }
    Some(entry)
}

async fn blob(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, sha)): Path<(String, String, String)>,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "contents", Access::Read)?;
    let dir = stand.git_dir(&repo.full_name());
    if git(&dir, &["cat-file", "-t", &sha]).await.ok().as_deref() != Some("blob") {
        return Err(ApiError::not_found());
    }
    let bytes = git_with(&dir, &["cat-file", "blob", &sha], &[], b"").await?;
    let body = json!({
        "sha": sha,
        "size": bytes.len(),
        "encoding": "base64",
        "content": wrap(&STANDARD.encode(bytes), 60),
    });
    Ok(answer(StatusCode::OK, body))
}
