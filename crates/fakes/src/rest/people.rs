//! Rights of people in repositories, teams, and accounts by their number.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::{Value, json};

use super::{Answer, ApiError, answer};
use crate::auth::{Access, Caller};
use crate::payload;
use crate::people::User;
use crate::state::{Shared, Stand};

pub(super) fn routes() -> Router<Stand> {
    Router::new()
        .route("/user/{id}", get(by_id))
        .route("/repos/{owner}/{repo}/collaborators/{login}", get(collaborator))
        .route("/repos/{owner}/{repo}/collaborators/{login}/permission", get(permission))
        .route("/orgs/{org}/teams/{team}/memberships/{login}", get(membership))
}

/// An account as GitHub shows it.
pub(crate) fn user_json(stand: &Shared, user: &User) -> Value {
    let mut account = payload::actor(&stand.url, &user.login);
    account["id"] = json!(user.id);
    account["name"] = json!(user.name);
    account
}

async fn by_id(State(stand): State<Stand>, caller: Caller, Path(id): Path<u64>) -> Answer {
    not_nobody(&caller)?;
    let found = stand.state().people.users.iter().find(|user| user.id == id).cloned();
    let user = found.ok_or_else(ApiError::not_found)?;
    Ok(answer(StatusCode::OK, user_json(&stand, &user)))
}

fn not_nobody(caller: &Caller) -> Result<(), ApiError> {
    match caller {
        Caller::Nobody => Err(ApiError::unauthorized("Requires authentication")),
        Caller::App => {
            Err(ApiError::new(StatusCode::FORBIDDEN, "Resource not accessible by integration"))
        }
        Caller::Installation(_) | Caller::Person | Caller::SignedIn(_) => Ok(()),
    }
}

/// 204 for whoever was given access, 404 for everybody else.
async fn collaborator(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, login)): Path<(String, String, String)>,
) -> Answer {
    not_nobody(&caller)?;
    let repo = stand.permitted(&caller, &owner, &name, "metadata", Access::Read)?;
    let is_one = stand.state().people.right(&repo.full_name(), &login).is_some();
    if is_one { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(ApiError::not_found()) }
}

/// `permission` takes maintain for write and triage for read; everybody may read a public one.
async fn permission(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, login)): Path<(String, String, String)>,
) -> Answer {
    not_nobody(&caller)?;
    let repo = stand.permitted(&caller, &owner, &name, "metadata", Access::Read)?;
    let (user, right) = {
        let state = stand.state();
        let user = state.people.user(&login).cloned();
        let right = state.people.right(&repo.full_name(), &login).map(str::to_owned);
        (user, right)
    };
    let missing = || ApiError::new(StatusCode::NOT_FOUND, format!("{login} is not a user"));
    let user = user.ok_or_else(missing)?;
    let open = if repo.private { "none" } else { "read" };
    let role = right.unwrap_or_else(|| open.to_owned());
    let permission = match role.as_str() {
        "maintain" => "write",
        "triage" => "read",
        other => other,
    };
    let body = json!({
        "permission": permission,
        "role_name": role,
        "user": user_json(&stand, &user),
    });
    Ok(answer(StatusCode::OK, body))
}

async fn membership(
    State(stand): State<Stand>,
    caller: Caller,
    Path((org, team, login)): Path<(String, String, String)>,
) -> Answer {
    not_nobody(&caller)?;
    let key = format!("{org}/{team}").to_ascii_lowercase();
    let is_in = {
        let state = stand.state();
        let members = state.people.teams.get(&key);
        members.is_some_and(|members| members.contains(&login.to_ascii_lowercase()))
    };
    if !is_in {
        return Err(ApiError::not_found());
    }
    let url = format!("{}/orgs/{org}/teams/{team}/memberships/{login}", stand.url);
    let body = json!({ "url": url, "role": "member", "state": "active" });
    Ok(answer(StatusCode::OK, body))
}
