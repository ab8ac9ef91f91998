//! Comments on pull requests (GitHub serves them under `issues`).

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, ApiError, Paging, answer, parse};
use crate::auth::{Access, Caller};
use crate::clock::now;
use crate::comments;
use crate::payload;
use crate::record::Comment;
use crate::state::{APP_ID, APP_SLUG, Stand, timestamp};

/// GitHub refuses longer ones.
const BODY_MAX_CHARS: usize = 65_536;

pub(super) fn routes() -> Router<Stand> {
    Router::new()
        .route("/repos/{owner}/{repo}/issues/{number}/comments", get(list).post(create))
        .route("/repos/{owner}/{repo}/issues/comments/{id}", get(one).patch(edit).delete(remove))
}

#[derive(Deserialize)]
struct New {
    body: Option<String>,
}

impl New {
    fn body(self) -> Result<String, ApiError> {
        let body = self.body.filter(|body| !body.trim().is_empty());
        let body = body.ok_or_else(|| {
            ApiError::invalid("IssueComment", "body", "missing_field", "body can't be blank")
        })?;
        if body.chars().count() > BODY_MAX_CHARS {
            let text = "body is too long (maximum is 65536 characters)";
            return Err(ApiError::invalid("IssueComment", "body", "custom", text));
        }
        Ok(body)
    }
}

pub(crate) fn comment_json(url: &str, comment: &Comment) -> Value {
    let api = format!("{url}/repos/{}/issues", comment.repository);
    let (id, number) = (comment.id, comment.number);
    let by_app = comment.user == format!("{APP_SLUG}[bot]");
    json!({
        "id": id,
        "node_id": format!("IC_{id}"),
        "url": format!("{api}/comments/{id}"),
        "html_url": format!("{url}/{}/pull/{number}#issuecomment-{id}", comment.repository),
        "issue_url": format!("{api}/{number}"),
        "body": comment.body,
        "user": payload::actor(url, &comment.user),
        "created_at": timestamp(comment.created_at),
        "updated_at": timestamp(comment.updated_at),
        "author_association": "NONE",
        "performed_via_github_app": by_app.then(|| json!({ "id": APP_ID, "slug": APP_SLUG })),
    })
}

async fn list(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, number)): Path<(String, String, u64)>,
    Query(paging): Query<Paging>,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "pull_requests", Access::Read)?;
    repo.pull(number).map_err(|_| ApiError::not_found())?;
    let full_name = repo.full_name();
    let items = stand
        .state()
        .comments
        .iter()
        .filter(|comment| comment.repository == full_name && comment.number == number)
        .map(|comment| comment_json(&stand.url, comment))
        .collect();
    let url = format!("{}/repos/{full_name}/issues/{number}/comments", stand.url);
    let (headers, items) = paging.page(&url, items);
    Ok((headers, axum::Json(items)).into_response())
}

async fn create(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, number)): Path<(String, String, u64)>,
    body: Bytes,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "pull_requests", Access::Write)?;
    repo.pull(number).map_err(|_| ApiError::not_found())?;
    let body = parse::<New>(&body)?.body()?;
    let comment = {
        let mut state = stand.state();
        let comment = Comment {
            id: state.next_id(),
            repository: repo.full_name(),
            number,
            body,
            earlier_bodies: Vec::new(),
            user: caller.login(),
            created_at: now(),
            updated_at: now(),
        };
        state.comments.push(comment.clone());
        comment
    };
    comments::announce(&stand, &comment, "created");
    Ok(answer(StatusCode::CREATED, comment_json(&stand.url, &comment)))
}

type OneComment = Path<(String, String, u64)>;

async fn one(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, id)): OneComment,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "pull_requests", Access::Read)?;
    let full_name = repo.full_name();
    let state = stand.state();
    let comment = state
        .comments
        .iter()
        .find(|comment| comment.id == id && comment.repository == full_name)
        .ok_or_else(ApiError::not_found)?;
    Ok(answer(StatusCode::OK, comment_json(&stand.url, comment)))
}

async fn edit(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, id)): OneComment,
    body: Bytes,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "pull_requests", Access::Write)?;
    let full_name = repo.full_name();
    let body = parse::<New>(&body)?.body()?;
    let comment = stand.state().edit_comment(&full_name, id, body)?;
    comments::announce(&stand, &comment, "edited");
    Ok(answer(StatusCode::OK, comment_json(&stand.url, &comment)))
}

async fn remove(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, id)): OneComment,
) -> Result<Response, ApiError> {
    let repo = stand.permitted(&caller, &owner, &name, "pull_requests", Access::Write)?;
    let full_name = repo.full_name();
    let mut state = stand.state();
    let before = state.comments.len();
    state.comments.retain(|comment| comment.id != id || comment.repository != full_name);
    if state.comments.len() == before {
        return Err(ApiError::not_found());
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
