//! Pull requests, read only: they are made through the library or `/_fakes`.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Deserialize;

use super::{Answer, ApiError, Paging, answer};
use crate::auth::{Access, Caller};
use crate::pulls;
use crate::state::Stand;

pub(super) fn routes() -> Router<Stand> {
    Router::new()
        .route("/repos/{owner}/{repo}/pulls", get(list))
        .route("/repos/{owner}/{repo}/pulls/{number}", get(one))
        .route("/repos/{owner}/{repo}/commits/{name}/pulls", get(of_commit))
}

#[derive(Deserialize)]
struct Filter {
    state: Option<String>,
    /// `owner:branch`
    head: Option<String>,
    base: Option<String>,
}

async fn list(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Query(filter): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "pull_requests", Access::Read)?;
    let wanted = filter.state.as_deref().unwrap_or("open");
    let mut items = Vec::new();
    for pull in repo.pulls.iter().rev() {
        let state = if pull.is_open() { "open" } else { "closed" };
        let head_owner = pull.head_repo.split('/').next().unwrap_or_default();
        let label = format!("{head_owner}:{}", pull.head_ref);
        if (wanted == "all" || wanted == state)
            && filter.head.as_ref().is_none_or(|head| *head == label)
            && filter.base.as_ref().is_none_or(|base| *base == pull.base_ref)
        {
            items.push(pulls::to_json(&stand, &repo, pull).await);
        }
    }
    let mut url = format!("{}/repos/{owner}/{name}/pulls?state={wanted}", stand.url);
    for (key, value) in [("head", &filter.head), ("base", &filter.base)] {
        if let Some(value) = value {
            url.push_str(&format!("&{key}={value}"));
        }
    }
    let (headers, items) = paging.page(&url, items);
    Ok((headers, axum::Json(items)).into_response())
}

async fn one(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, number)): Path<(String, String, u64)>,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "pull_requests", Access::Read)?;
    let pull = repo.pull(number).map_err(|_| ApiError::not_found())?;
    Ok(answer(StatusCode::OK, pulls::to_json(&stand, &repo, pull).await))
}

async fn of_commit(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, sha)): Path<(String, String, String)>,
    Query(paging): Query<Paging>,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "pull_requests", Access::Read)?;
    let mut items = Vec::new();
    for pull in repo.pulls.iter().filter(|pull| pull.head_sha == sha) {
        items.push(pulls::to_json(&stand, &repo, pull).await);
    }
    let url = format!("{}/repos/{owner}/{name}/commits/{sha}/pulls", stand.url);
    let (headers, items) = paging.page(&url, items);
    Ok((headers, axum::Json(items)).into_response())
}
