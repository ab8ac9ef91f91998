//! Reactions to comments on pull requests. An account reacts once in each way.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, ApiError, Paging, answer, parse};
use crate::auth::{Access, Caller};
use crate::clock::now;
use crate::payload;
use crate::record::Reaction;
use crate::state::{Stand, timestamp};

const KNOWN: [&str; 8] = ["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"];

pub(super) fn routes() -> Router<Stand> {
    let path = "/repos/{owner}/{repo}/issues/comments/{id}/reactions";
    Router::new().route(path, get(list).post(create))
}

#[derive(Deserialize)]
struct New {
    content: Option<String>,
}

fn reaction_json(url: &str, reaction: &Reaction) -> Value {
    json!({
        "id": reaction.id,
        "node_id": format!("REA_{}", reaction.id),
        "user": payload::actor(url, &reaction.user),
        "content": reaction.content,
        "created_at": timestamp(reaction.created_at),
    })
}

type OneComment = Path<(String, String, u64)>;

async fn list(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, id)): OneComment,
    Query(paging): Query<Paging>,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "pull_requests", Access::Read)?;
    let full_name = repo.full_name();
    let items = {
        let state = stand.state();
        let of_it = |one: &&Reaction| one.comment == id && one.repository == full_name;
        state.reactions.iter().filter(of_it).map(|one| reaction_json(&stand.url, one)).collect()
    };
    let url = format!("{}/repos/{full_name}/issues/comments/{id}/reactions", stand.url);
    let (headers, items) = paging.page(&url, items);
    Ok((headers, axum::Json(items)).into_response())
}

async fn create(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, id)): OneComment,
    body: Bytes,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "pull_requests", Access::Write)?;
    let content = parse::<New>(&body)?.content.unwrap_or_default();
    if !KNOWN.contains(&content.as_str()) {
        let text = "content must be one of the known reactions";
        return Err(ApiError::invalid("Reaction", "content", "invalid", text));
    }
    let (full_name, user) = (repo.full_name(), caller.login());
    let mut state = stand.state();
    let there = state.comments.iter().any(|one| one.id == id && one.repository == full_name);
    if !there {
        return Err(ApiError::not_found());
    }
    let same = |one: &&Reaction| one.comment == id && one.content == content && one.user == user;
    if let Some(known) = state.reactions.iter().find(same) {
        return Ok(answer(StatusCode::OK, reaction_json(&stand.url, known)));
    }
    let reaction = Reaction {
        id: state.next_id(),
        comment: id,
        repository: full_name,
        content,
        user,
        created_at: now(),
    };
    state.reactions.push(reaction.clone());
    Ok(answer(StatusCode::CREATED, reaction_json(&stand.url, &reaction)))
}
