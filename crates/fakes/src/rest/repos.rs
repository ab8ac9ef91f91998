//! Repositories, branches, refs and commits.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::{Value, json};

use super::{Answer, ApiError, Paging, answer};
use crate::auth::{Access, Caller};
use crate::git::{git, resolve};
use crate::payload;
use crate::state::{Repo, Shared, Stand};
use crate::{error::Error, refs};

pub(super) fn routes() -> Router<Stand> {
    Router::new()
        .route("/repos/{owner}/{repo}", get(repository))
        .route("/repositories/{id}", get(by_id))
        .route("/repos/{owner}/{repo}/branches", get(branches))
        .route("/repos/{owner}/{repo}/branches/{*branch}", get(branch))
        .route("/repos/{owner}/{repo}/tags", get(tags))
        .route("/repos/{owner}/{repo}/git/ref/{*name}", get(reference))
        .route("/repos/{owner}/{repo}/git/tags/{sha}", get(tag_object))
        .route("/repos/{owner}/{repo}/git/matching-refs/{*name}", get(matching))
        .route("/repos/{owner}/{repo}/commits/{name}", get(commit))
}

type Names = Path<(String, String)>;
type NamesAnd = Path<(String, String, String)>;

async fn repository(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name)): Names,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "metadata", Access::Read)?;
    Ok(answer(StatusCode::OK, payload::repository(&stand.url, &repo)))
}

async fn by_id(State(stand): State<Stand>, caller: Caller, Path(id): Path<u64>) -> Answer {
    let found = {
        let state = stand.state();
        state.repositories.values().find(|repo| repo.id == id).cloned()
    };
    let repo = found.filter(|repo| caller.sees(repo)).ok_or_else(ApiError::not_found)?;
    Ok(answer(StatusCode::OK, payload::repository(&stand.url, &repo)))
}

async fn branches(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name)): Names,
    Query(paging): Query<Paging>,
) -> Answer {
    listed(&stand, &caller, &owner, &name, paging, "branches").await
}

async fn tags(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name)): Names,
    Query(paging): Query<Paging>,
) -> Answer {
    listed(&stand, &caller, &owner, &name, paging, "tags").await
}

async fn listed(
    stand: &Shared,
    caller: &Caller,
    owner: &str,
    name: &str,
    paging: Paging,
    what: &str,
) -> Answer {
    let repo = stand.permitted(caller, owner, name, "contents", Access::Read)?;
    let full_name = repo.full_name();
    let prefix = if what == "tags" { "refs/tags/" } else { "refs/heads/" };
    let items = refs::read(&stand.git_dir(&full_name))
        .await?
        .iter()
        .filter_map(|(full_ref, sha)| Some((full_ref.strip_prefix(prefix)?, sha)))
        .map(|(name, sha)| {
            json!({
                "name": name,
                "commit": short_commit(stand, &repo, sha),
                "protected": false,
            })
        })
        .collect();
    let url = format!("{}/repos/{full_name}/{what}", stand.url);
    let (headers, items) = paging.page(&url, items);
    Ok((headers, axum::Json(items)).into_response())
}

fn short_commit(stand: &Shared, repo: &Repo, sha: &str) -> Value {
    let url = format!("{}/repos/{}/commits/{sha}", stand.url, repo.full_name());
    json!({ "sha": sha, "url": url })
}

async fn branch(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, branch)): NamesAnd,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "contents", Access::Read)?;
    let refs = refs::read(&stand.git_dir(&repo.full_name())).await?;
    let Some(sha) = refs.get(&format!("refs/heads/{branch}")) else {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "Branch not found"));
    };
    let body = json!({
        "name": branch,
        "commit": commit_json(&stand, &repo, sha).await?,
        "protected": false,
    });
    Ok(answer(StatusCode::OK, body))
}

pub(super) async fn ref_json(
    stand: &Shared,
    repo: &Repo,
    full_ref: &str,
    sha: &str,
) -> Result<Value, Error> {
    let api = format!("{}/repos/{}/git", stand.url, repo.full_name());
    Ok(json!({
        "ref": full_ref,
        "node_id": format!("REF_{full_ref}"),
        "url": format!("{api}/{full_ref}"),
        "object": object_json(stand, repo, sha).await?,
    }))
}

/// An object by its kind: a reference to an annotated tag points to a tag object.
async fn object_json(stand: &Shared, repo: &Repo, sha: &str) -> Result<Value, Error> {
    let kind = git(&stand.git_dir(&repo.full_name()), &["cat-file", "-t", sha]).await?;
    let url = format!("{}/repos/{}/git/{kind}s/{sha}", stand.url, repo.full_name());
    Ok(json!({ "type": kind, "sha": sha, "url": url }))
}

async fn tag_object(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, sha)): NamesAnd,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "contents", Access::Read)?;
    let dir = stand.git_dir(&repo.full_name());
    if sha.len() != 40 || !sha.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(ApiError::not_found());
    }
    let content = git(&dir, &["cat-file", "tag", &sha]).await.map_err(|_| ApiError::not_found())?;
    let (header, message) = content.split_once("\n\n").unwrap_or((&content, ""));
    let field = |wanted: &str| {
        let mut lines = header.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(key, _)| *key == wanted).map(|(_, value)| value).unwrap_or_default()
    };
    let body = json!({
        "sha": sha,
        "tag": field("tag"),
        "message": message,
        "url": format!("{}/repos/{}/git/tags/{sha}", stand.url, repo.full_name()),
        "object": object_json(&stand, &repo, field("object")).await?,
    });
    Ok(answer(StatusCode::OK, body))
}

async fn reference(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, wanted)): NamesAnd,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "contents", Access::Read)?;
    let refs = refs::read(&stand.git_dir(&repo.full_name())).await?;
    let full_ref = format!("refs/{wanted}");
    let sha = refs.get(&full_ref).ok_or_else(ApiError::not_found)?;
    Ok(answer(StatusCode::OK, ref_json(&stand, &repo, &full_ref, sha).await?))
}

async fn matching(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, wanted)): NamesAnd,
    Query(paging): Query<Paging>,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "contents", Access::Read)?;
    let prefix = format!("refs/{wanted}");
    let mut items = Vec::new();
    for (full_ref, sha) in &refs::read(&stand.git_dir(&repo.full_name())).await? {
        if full_ref.starts_with(&prefix) {
            items.push(ref_json(&stand, &repo, full_ref, sha).await?);
        }
    }
    let url = format!("{}/repos/{}/git/matching-refs/{wanted}", stand.url, repo.full_name());
    let (headers, items) = paging.page(&url, items);
    Ok((headers, axum::Json(items)).into_response())
}

async fn commit(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, wanted)): NamesAnd,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "contents", Access::Read)?;
    let sha = resolve(&stand.git_dir(&repo.full_name()), &wanted)
        .await
        .ok_or_else(|| ApiError::unprocessable(format!("No commit found for SHA: {wanted}")))?;
    Ok(answer(StatusCode::OK, commit_json(&stand, &repo, &sha).await?))
}

pub(super) async fn commit_json(stand: &Shared, repo: &Repo, sha: &str) -> Result<Value, Error> {
    let format = "--format=%H%x1f%T%x1f%P%x1f%an%x1f%ae%x1f%aI%x1f%cn%x1f%ce%x1f%cI%x1f%B";
    let dir = stand.git_dir(&repo.full_name());
    let shown = git(&dir, &["log", "-1", format, sha]).await?;
    let fields: Vec<&str> = shown.split('\u{1f}').collect();
    let field = |index: usize| fields.get(index).copied().unwrap_or_default();
    let api = format!("{}/repos/{}", stand.url, repo.full_name());
    let parents: Vec<Value> = field(2)
        .split(' ')
        .filter(|parent| !parent.is_empty())
        .map(|parent| short_commit(stand, repo, parent))
        .collect();
    Ok(json!({
        "sha": field(0),
        "node_id": format!("C_{}", field(0)),
        "url": format!("{api}/commits/{}", field(0)),
        "html_url": format!("{}/{}/commit/{}", stand.url, repo.full_name(), field(0)),
        "comments_url": format!("{api}/commits/{}/comments", field(0)),
        "commit": {
            "author": { "name": field(3), "email": field(4), "date": field(5) },
            "committer": { "name": field(6), "email": field(7), "date": field(8) },
            "message": field(9).trim_end(),
            "tree": { "sha": field(1), "url": format!("{api}/git/trees/{}", field(1)) },
            "url": format!("{api}/git/commits/{}", field(0)),
            "comment_count": 0,
        },
        "author": null,
        "committer": null,
        "parents": parents,
    }))
}
