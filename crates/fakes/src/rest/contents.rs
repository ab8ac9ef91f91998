//! Files and directories of a commit.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
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

pub(super) fn routes() -> Router<Stand> {
    Router::new().route("/repos/{owner}/{repo}/contents/{*path}", get(contents))
}

#[derive(Deserialize)]
struct At {
    #[serde(rename = "ref")]
    reference: Option<String>,
}

/// One line of `git ls-tree -l`.
struct Entry {
    kind: &'static str,
    sha: String,
    size: u64,
    path: String,
}

fn entry(line: &str) -> Option<Entry> {
    let (facts, path) = line.split_once('\t')?;
    let mut words = facts.split_whitespace().skip(1);
    let kind = match words.next()? {
        "blob" => "file",
        "tree" => "dir",
        _ => "submodule",
    };
    Some(Entry {
        kind,
        sha: words.next()?.to_owned(),
        size: words.next()?.parse().unwrap_or(0),
        path: path.to_owned(),
    })
}

async fn contents(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, path)): Path<(String, String, String)>,
    Query(at): Query<At>,
    headers: HeaderMap,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "contents", Access::Read)?;
    let full_name = repo.full_name();
    let dir = stand.git_dir(&full_name);
    let reference = at.reference.unwrap_or(repo.default_branch);
    let sha = resolve(&dir, &reference).await.ok_or_else(|| {
        let text = format!("No commit found for the ref {reference}");
        ApiError::new(StatusCode::NOT_FOUND, text)
    })?;
    let path = path.trim_matches('/');
    let listing = git(&dir, &["ls-tree", "-l", &sha, "--", path]).await?;
    let found = listing.lines().find_map(entry).ok_or_else(ApiError::not_found)?;
    let shown = |entry: &Entry| -> Value {
        let api = format!("{}/repos/{full_name}", stand.url);
        let url = format!("{api}/contents/{}?ref={reference}", entry.path);
        let html = format!("{}/{full_name}/blob/{reference}/{}", stand.url, entry.path);
        let git_url = format!("{api}/git/blobs/{}", entry.sha);
        json!({
            "type": entry.kind,
            "size": entry.size,
            "name": entry.path.rsplit('/').next(),
            "path": entry.path,
            "sha": entry.sha,
            "url": url,
            "git_url": git_url,
            "html_url": html,
            "download_url": format!("{}/{full_name}/raw/{reference}/{}", stand.url, entry.path),
            "_links": { "self": url, "git": git_url, "html": html },
        })
    };
    if found.kind == "dir" {
        let inside = format!("{path}/");
        let listing = git(&dir, &["ls-tree", "-l", &sha, "--", &inside]).await?;
        let items: Vec<Value> = listing.lines().filter_map(entry).map(|e| shown(&e)).collect();
        return Ok(answer(StatusCode::OK, json!(items)));
    }
    let bytes = git_with(&dir, &["cat-file", "blob", &found.sha], &[], b"").await?;
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("raw")) {
        let kind = [(CONTENT_TYPE, "application/vnd.github.raw; charset=utf-8")];
        return Ok((kind, bytes).into_response());
    }
    let mut body = shown(&found);
    body["encoding"] = json!("base64");
    body["content"] = json!(wrap(&STANDARD.encode(bytes), 60));
    Ok(answer(StatusCode::OK, body))
}
