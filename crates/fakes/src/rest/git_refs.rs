//! Branches and tags as they are made and moved over REST. Each change sends the webhooks of a push.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{patch, post};
use serde::Deserialize;

use super::repos::ref_json;
use super::{Answer, ApiError, answer, parse};
use crate::auth::{Access, Caller};
use crate::git::{git, succeeds};
use crate::refs;
use crate::state::{Repo, Shared, Stand};

pub(super) fn routes() -> Router<Stand> {
    Router::new()
        .route("/repos/{owner}/{repo}/git/refs", post(create))
        .route("/repos/{owner}/{repo}/git/refs/{*name}", patch(update))
}

#[derive(Deserialize)]
struct New {
    #[serde(rename = "ref")]
    full_ref: String,
    sha: String,
}

async fn create(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "contents", Access::Write)?;
    let new: New = parse(&body)?;
    let dir = stand.git_dir(&repo.full_name());
    let is_ref = new.full_ref.starts_with("refs/") && new.full_ref.matches('/').count() >= 2;
    if !is_ref || !succeeds(&dir, &["check-ref-format", &new.full_ref]).await? {
        return Err(ApiError::unprocessable("Reference name is invalid"));
    }
    require_commit(&stand, &repo, &new.sha).await?;
    if refs::read(&dir).await?.contains_key(&new.full_ref) {
        return Err(ApiError::unprocessable("Reference already exists"));
    }
    git(&dir, &["update-ref", &new.full_ref, &new.sha]).await?;
    refs::announce(&stand, &repo.full_name(), &caller.login(), None).await?;
    Ok(answer(StatusCode::CREATED, ref_json(&stand, &repo, &new.full_ref, &new.sha).await?))
}

#[derive(Deserialize)]
struct Update {
    sha: String,
    #[serde(default)]
    force: bool,
}

async fn update(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, wanted)): Path<(String, String, String)>,
    body: Bytes,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "contents", Access::Write)?;
    let new: Update = parse(&body)?;
    let dir = stand.git_dir(&repo.full_name());
    let full_ref = format!("refs/{wanted}");
    let refs = refs::read(&dir).await?;
    let before =
        refs.get(&full_ref).ok_or_else(|| ApiError::unprocessable("Reference does not exist"))?;
    if repo.protected.iter().any(|branch| full_ref == format!("refs/heads/{branch}")) {
        return Err(ApiError::unprocessable(
            "Repository rule violations found\n\nCannot update this protected ref.",
        ));
    }
    require_commit(&stand, &repo, &new.sha).await?;
    let forward = ["merge-base", "--is-ancestor", before, &new.sha];
    if !new.force && !succeeds(&dir, &forward).await? {
        return Err(ApiError::unprocessable("Update is not a fast forward"));
    }
    git(&dir, &["update-ref", &full_ref, &new.sha, before]).await?;
    refs::announce(&stand, &repo.full_name(), &caller.login(), None).await?;
    Ok(answer(StatusCode::OK, ref_json(&stand, &repo, &full_ref, &new.sha).await?))
}

async fn require_commit(stand: &Shared, repo: &Repo, sha: &str) -> Result<(), ApiError> {
    let whole = sha.len() == 40 && sha.bytes().all(|byte| byte.is_ascii_hexdigit());
    let dir = stand.git_dir(&repo.full_name());
    if whole && succeeds(&dir, &["cat-file", "-e", &format!("{sha}^{{commit}}")]).await? {
        return Ok(());
    }
    Err(ApiError::unprocessable("Object does not exist"))
}
