//! Two commits side by side.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::{Value, json};

use super::repos::commit_json;
use super::{Answer, ApiError, Paging};
use crate::auth::{Access, Caller};
use crate::git::{git, resolve};
use crate::state::Stand;

pub(super) fn routes() -> Router<Stand> {
    Router::new().route("/repos/{owner}/{repo}/compare/{*basehead}", get(compare))
}

async fn compare(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, basehead)): Path<(String, String, String)>,
    Query(paging): Query<Paging>,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "contents", Access::Read)?;
    let dir = stand.git_dir(&repo.full_name());
    let (base, head) = basehead.split_once("...").ok_or_else(ApiError::not_found)?;
    let base = resolve(&dir, base).await.ok_or_else(ApiError::not_found)?;
    let head = resolve(&dir, head).await.ok_or_else(ApiError::not_found)?;
    // GitHub: "No common ancestor between … and …", as a 404
    let shared =
        git(&dir, &["merge-base", &base, &head]).await.map_err(|_| ApiError::not_found())?;
    let count = async |range: String| -> Result<u64, ApiError> {
        let count = git(&dir, &["rev-list", "--count", &range]).await?;
        Ok(count.parse().unwrap_or_default())
    };
    let ahead_by = count(format!("{base}..{head}")).await?;
    let behind_by = count(format!("{head}..{base}")).await?;
    let status = match (ahead_by, behind_by) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        (_, _) => "diverged",
    };
    let new = git(&dir, &["rev-list", "--reverse", &format!("{base}..{head}")]).await?;
    let commits: Vec<Value> = new.lines().map(|sha| json!({ "sha": sha })).collect();
    let api = format!("{}/repos/{}/compare/{base}...{head}", stand.url, repo.full_name());
    let (headers, commits) = paging.page(&api, commits);
    let html = format!("{}/{}/compare/{base}...{head}", stand.url, repo.full_name());
    let body = json!({
        "url": api,
        "html_url": html,
        "permalink_url": html,
        "diff_url": format!("{html}.diff"),
        "patch_url": format!("{html}.patch"),
        "base_commit": commit_json(&stand, &repo, &base).await?,
        "merge_base_commit": commit_json(&stand, &repo, &shared).await?,
        "status": status,
        "ahead_by": ahead_by,
        "behind_by": behind_by,
        "total_commits": ahead_by,
        "commits": commits,
        "files": [],
    });
    Ok((headers, axum::Json(body)).into_response())
}
