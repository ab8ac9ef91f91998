//! `/_fakes` about people: accounts, rights in repositories, teams, and how they answer OAuth.

use axum::extract::{Path, State};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use crate::admin::{Done, shown};
use crate::people::{CLIENT_ID, CLIENT_SECRET, Consent};
use crate::state::Stand;

pub(crate) fn routes() -> Router<Stand> {
    Router::new()
        .route("/oauth", get(client))
        .route("/consent", put(set_consent))
        .route("/users", get(users))
        .route("/users/{login}", put(put_user).delete(remove_user))
        .route("/teams/{org}/{team}/{login}", put(join).delete(leave))
}

/// Below one repository.
pub(crate) fn of_repository() -> Router<Stand> {
    Router::new().route("/collaborators/{login}", put(give).delete(take))
}

async fn client() -> Done {
    shown(json!({ "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET }))
}

async fn set_consent(State(stand): State<Stand>, Json(consent): Json<Consent>) -> Done {
    stand.state().people.consent = consent;
    shown(json!({}))
}

async fn users(State(stand): State<Stand>) -> Done {
    let users = stand.state().people.users.clone();
    shown(users)
}

#[derive(Default, Deserialize)]
struct NewUser {
    name: Option<String>,
}

async fn put_user(
    State(stand): State<Stand>,
    Path(login): Path<String>,
    new: Option<Json<NewUser>>,
) -> Done {
    let name = new.and_then(|Json(new)| new.name);
    let user = stand.state().put_user(&login, name);
    shown(user)
}

async fn remove_user(State(stand): State<Stand>, Path(login): Path<String>) -> Done {
    stand.state().remove_user(&login);
    shown(json!({}))
}

type Member = Path<(String, String, String)>;

async fn join(State(stand): State<Stand>, Path((org, team, login)): Member) -> Done {
    stand.state().set_member(&format!("{org}/{team}"), &login, true);
    shown(json!({}))
}

async fn leave(State(stand): State<Stand>, Path((org, team, login)): Member) -> Done {
    stand.state().set_member(&format!("{org}/{team}"), &login, false);
    shown(json!({}))
}

#[derive(Deserialize)]
struct Right {
    /// `admin`, `maintain`, `write`, `triage` or `read`
    right: String,
}

async fn give(
    State(stand): State<Stand>,
    Path((owner, name, login)): Member,
    Json(wanted): Json<Right>,
) -> Done {
    stand.state().set_right(&format!("{owner}/{name}"), &login, Some(&wanted.right));
    shown(json!({}))
}

async fn take(State(stand): State<Stand>, Path((owner, name, login)): Member) -> Done {
    stand.state().set_right(&format!("{owner}/{name}"), &login, None);
    shown(json!({}))
}
