//! Commit statuses: posted, listed, combined.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, ApiError, Paging, answer, parse};
use crate::auth::{Access, Caller};
use crate::clock::now;
use crate::git::{resolve, succeeds};
use crate::payload;
use crate::record::Status;
use crate::state::{Shared, Stand, timestamp};

/// GitHub keeps no more of one context for one commit.
const PER_CONTEXT_MAX: usize = 1_000;
pub(super) const DESCRIPTION_MAX_CHARS: usize = 140;

pub(super) fn routes() -> Router<Stand> {
    Router::new()
        .route("/repos/{owner}/{repo}/statuses/{sha}", post(create))
        .route("/repos/{owner}/{repo}/commits/{name}/statuses", get(list))
        .route("/repos/{owner}/{repo}/commits/{name}/status", get(combined))
}

#[derive(Deserialize)]
struct New {
    state: Option<String>,
    target_url: Option<String>,
    description: Option<String>,
    context: Option<String>,
}

fn status_json(url: &str, status: &Status) -> Value {
    let api = format!("{url}/repos/{}", status.repository);
    let creator = payload::actor(url, &status.creator);
    json!({
        "url": format!("{api}/statuses/{}", status.sha),
        "avatar_url": creator["avatar_url"],
        "id": status.id,
        "node_id": format!("SC_{}", status.id),
        "state": status.state,
        "description": status.description,
        "target_url": status.target_url,
        "context": status.context,
        "created_at": timestamp(status.created_at),
        "updated_at": timestamp(status.created_at),
        "creator": creator,
    })
}

async fn create(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, sha)): Path<(String, String, String)>,
    body: Bytes,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "statuses", Access::Write)?;
    let new: New = parse(&body)?;
    let state = new.state.unwrap_or_default();
    if !["error", "failure", "pending", "success"].contains(&state.as_str()) {
        return Err(ApiError::invalid(
            "Status",
            "state",
            "custom",
            "state is not included in the list",
        ));
    }
    let too_long = |text: &String| text.chars().count() > DESCRIPTION_MAX_CHARS;
    if new.description.as_ref().is_some_and(too_long) {
        return Err(ApiError::invalid(
            "Status",
            "description",
            "custom",
            "description is too long (maximum is 140 characters)",
        ));
    }
    let is_url = |url: &String| url.starts_with("http://") || url.starts_with("https://");
    if new.target_url.as_ref().is_some_and(|url| !is_url(url)) {
        return Err(ApiError::invalid(
            "Status",
            "target_url",
            "custom",
            "target_url must use http(s) scheme",
        ));
    }
    let full_name = repo.full_name();
    let whole = sha.len() == 40 && sha.bytes().all(|byte| byte.is_ascii_hexdigit());
    let commit = format!("{sha}^{{commit}}");
    let dir = stand.git_dir(&full_name);
    if !whole || !succeeds(&dir, &["cat-file", "-e", &commit]).await? {
        return Err(ApiError::unprocessable(format!("No commit found for SHA: {sha}")));
    }
    let mut state_of_all = stand.state();
    let context = new.context.unwrap_or_else(|| "default".to_owned());
    let same = |status: &&Status| {
        status.repository == full_name && status.sha == sha && status.context == context
    };
    if state_of_all.statuses.iter().filter(same).count() >= PER_CONTEXT_MAX {
        return Err(ApiError::unprocessable(
            "This SHA and context has reached the maximum number of statuses.",
        ));
    }
    let status = Status {
        id: state_of_all.next_id(),
        repository: full_name,
        sha,
        state,
        context,
        description: new.description,
        target_url: new.target_url,
        creator: caller.login(),
        created_at: now(),
    };
    state_of_all.statuses.push(status.clone());
    Ok(answer(StatusCode::CREATED, status_json(&stand.url, &status)))
}

/// The statuses of a commit, newest first, and the commit.
async fn found(
    stand: &Shared,
    caller: &Caller,
    owner: &str,
    name: &str,
    wanted: &str,
) -> Result<(String, Vec<Status>), ApiError> {
    let repo = stand.permitted(caller, owner, name, "statuses", Access::Read)?;
    let full_name = repo.full_name();
    let sha = resolve(&stand.git_dir(&full_name), wanted).await.ok_or_else(ApiError::not_found)?;
    let state = stand.state();
    let of_it = |status: &&Status| status.repository == full_name && status.sha == sha;
    let statuses = state.statuses.iter().rev().filter(of_it).cloned().collect();
    Ok((sha, statuses))
}

async fn list(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, wanted)): Path<(String, String, String)>,
    Query(paging): Query<Paging>,
) -> Answer {
    let (_, statuses) = found(&stand, &caller, &owner, &name, &wanted).await?;
    let items = statuses.iter().map(|status| status_json(&stand.url, status)).collect();
    let url = format!("{}/repos/{owner}/{name}/commits/{wanted}/statuses", stand.url);
    let (headers, items) = paging.page(&url, items);
    Ok((headers, axum::Json(items)).into_response())
}

/// The newest status of each context.
pub(super) fn newest_per_context(newest_first: &[Status]) -> Vec<&Status> {
    let mut newest: Vec<&Status> = Vec::new();
    for status in newest_first {
        if newest.iter().all(|known| known.context != status.context) {
            newest.push(status);
        }
    }
    newest
}

pub(super) fn combined_state(newest: &[&Status]) -> &'static str {
    let any = |states: &[&str]| newest.iter().any(|s| states.contains(&s.state.as_str()));
    if any(&["error", "failure"]) {
        "failure"
    } else if newest.is_empty() || any(&["pending"]) {
        "pending"
    } else {
        "success"
    }
}

async fn combined(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, wanted)): Path<(String, String, String)>,
) -> Answer {
    let (sha, statuses) = found(&stand, &caller, &owner, &name, &wanted).await?;
    let repo = stand.repo(&format!("{owner}/{name}"))?;
    let newest = newest_per_context(&statuses);
    let api = format!("{}/repos/{owner}/{name}/commits/{sha}", stand.url);
    let body = json!({
        "state": combined_state(&newest),
        "statuses": newest.iter().map(|s| status_json(&stand.url, s)).collect::<Vec<_>>(),
        "sha": sha,
        "total_count": newest.len(),
        "repository": payload::repository(&stand.url, &repo),
        "commit_url": api,
        "url": format!("{api}/status"),
    });
    Ok(answer(StatusCode::OK, body))
}
