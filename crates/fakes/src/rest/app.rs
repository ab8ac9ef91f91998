//! The App and its installation, installation tokens, the caller's own account, the rate limit.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::people::user_json;
use super::{Answer, ApiError, Paging, answer, parse};
use crate::auth::{Caller, MintedToken};
use crate::clock::{guid, now};
use crate::payload;
use crate::state::{APP_ID, APP_SLUG, DEVELOPER, INSTALLATION_ID, Repo, Shared, Stand, timestamp};

const TOKEN_LIFETIME: TimeDelta = TimeDelta::hours(1);

pub(super) fn routes() -> Router<Stand> {
    Router::new()
        .route("/app", get(app))
        .route("/app/installations", get(installations))
        .route("/app/installations/{id}", get(installation))
        .route("/app/installations/{id}/access_tokens", post(access_token))
        .route("/repos/{owner}/{repo}/installation", get(of_repository))
        .route("/orgs/{owner}/installation", get(of_owner))
        .route("/users/{owner}/installation", get(of_owner))
        .route("/installation/repositories", get(repositories))
        .route("/user", get(user))
        .route("/user/repos", get(own_repositories))
        .route("/users/{login}", get(account))
        .route("/rate_limit", get(rate_limit))
}

/// What the App may do; a token may ask for less.
fn permissions() -> Map<String, Value> {
    [
        ("metadata", "read"),
        ("contents", "write"),
        ("deployments", "write"),
        ("environments", "write"),
        ("issues", "write"),
        ("members", "read"),
        ("pull_requests", "write"),
        ("repository_hooks", "write"),
        ("statuses", "write"),
    ]
    .into_iter()
    .map(|(name, access)| (name.to_owned(), json!(access)))
    .collect()
}

fn require_app(caller: &Caller) -> Result<(), ApiError> {
    match caller {
        Caller::App => Ok(()),
        Caller::Nobody | Caller::Installation(_) | Caller::Person | Caller::SignedIn(_) => {
            Err(ApiError::unauthorized("A JSON web token could not be decoded"))
        }
    }
}

async fn app(State(stand): State<Stand>, caller: Caller) -> Answer {
    require_app(&caller)?;
    let body = json!({
        "id": APP_ID,
        "slug": APP_SLUG,
        "node_id": format!("A_{APP_ID}"),
        "owner": payload::actor(&stand.url, DEVELOPER),
        "name": "Greenroom",
        "description": "CI/CD",
        "external_url": stand.url,
        "html_url": format!("{}/apps/{APP_SLUG}", stand.url),
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "permissions": permissions(),
        "events": ["create", "delete", "issue_comment", "pull_request", "push", "repository"],
        "installations_count": 1,
    });
    Ok(answer(StatusCode::OK, body))
}

/// The installation, under the account that owns the first granted repository.
pub(crate) fn installation_json(stand: &Shared) -> Value {
    let url = &stand.url;
    let (app_id, app_slug) = stand.state().app();
    let first = stand.state().repositories.values().find(|repo| repo.granted).cloned();
    let account =
        first.map_or_else(|| payload::actor(url, DEVELOPER), |repo| payload::owner(url, &repo));
    json!({
        "id": INSTALLATION_ID,
        "account": account,
        "target_id": account["id"],
        "target_type": account["type"],
        "app_id": app_id,
        "app_slug": app_slug,
        "repository_selection": "selected",
        "access_tokens_url": format!("{url}/app/installations/{INSTALLATION_ID}/access_tokens"),
        "repositories_url": format!("{url}/installation/repositories"),
        "html_url": format!("{url}/settings/installations/{INSTALLATION_ID}"),
        "permissions": permissions(),
        "events": ["create", "delete", "pull_request", "push", "repository"],
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "single_file_name": null,
        "has_multiple_single_files": false,
        "single_file_paths": [],
        "suspended_by": null,
        "suspended_at": null,
    })
}

async fn installations(State(stand): State<Stand>, caller: Caller) -> Answer {
    require_app(&caller)?;
    if !stand.state().is_installed() {
        return Ok(answer(StatusCode::OK, json!([])));
    }
    Ok(answer(StatusCode::OK, json!([installation_json(&stand)])))
}

async fn installation(State(stand): State<Stand>, caller: Caller, Path(id): Path<u64>) -> Answer {
    require_app(&caller)?;
    if id != INSTALLATION_ID || !stand.state().is_installed() {
        return Err(ApiError::not_found());
    }
    Ok(answer(StatusCode::OK, installation_json(&stand)))
}

async fn of_repository(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, repo)): Path<(String, String)>,
) -> Answer {
    require_app(&caller)?;
    if !stand.state().is_installed() {
        return Err(ApiError::not_found());
    }
    match stand.repo(&format!("{owner}/{repo}")) {
        Ok(repo) if repo.granted => Ok(answer(StatusCode::OK, installation_json(&stand))),
        Ok(_) | Err(_) => Err(ApiError::not_found()),
    }
}

async fn of_owner(State(stand): State<Stand>, caller: Caller, Path(owner): Path<String>) -> Answer {
    require_app(&caller)?;
    let here = |repo: &Repo| repo.granted && repo.owner == owner;
    if !stand.state().repositories.values().any(here) {
        return Err(ApiError::not_found());
    }
    Ok(answer(StatusCode::OK, installation_json(&stand)))
}

#[derive(Default, Deserialize)]
struct Wanted {
    repositories: Option<Vec<String>>,
    repository_ids: Option<Vec<u64>>,
    permissions: Option<Map<String, Value>>,
}

async fn access_token(
    State(stand): State<Stand>,
    caller: Caller,
    Path(id): Path<u64>,
    body: Bytes,
) -> Answer {
    require_app(&caller)?;
    if id != INSTALLATION_ID || !stand.state().is_installed() {
        return Err(ApiError::not_found());
    }
    let wanted: Wanted = parse(&body)?;
    let granted = granted(&stand);
    let restricted = restriction(&granted, &wanted)?;
    let permissions = match wanted.permissions {
        None => permissions(),
        Some(wanted) => narrowed(wanted)?,
    };
    let minted = MintedToken {
        token: format!("ghs_{}", guid().simple()),
        expires_at: now() + TOKEN_LIFETIME,
        repositories: restricted,
        permissions,
    };
    let mut body = json!({
        "token": minted.token,
        "expires_at": timestamp(minted.expires_at),
        "permissions": minted.permissions,
        "repository_selection": "selected",
    });
    if let Some(ids) = &minted.repositories {
        let repositories: Vec<Value> = granted
            .iter()
            .filter(|repo| ids.contains(&repo.id))
            .map(|repo| payload::repository(&stand.url, repo))
            .collect();
        body["repositories"] = json!(repositories);
    }
    stand.state().minted_tokens.push(minted);
    Ok(answer(StatusCode::CREATED, body))
}

fn granted(stand: &Shared) -> Vec<Repo> {
    let state = stand.state();
    let granted = state.repositories.values().filter(|repo| repo.granted);
    granted.cloned().collect()
}

fn restriction(granted: &[Repo], wanted: &Wanted) -> Result<Option<Vec<u64>>, ApiError> {
    let unknown = || {
        ApiError::unprocessable(
            "There is at least one repository that does not exist or is not accessible to the \
             parent installation.",
        )
    };
    let names = wanted.repositories.iter().flatten();
    let by_name = names.map(|name| {
        let found = granted.iter().find(|repo| repo.name == *name);
        found.map(|repo| repo.id).ok_or_else(unknown)
    });
    let ids = wanted.repository_ids.iter().flatten();
    let by_id = ids.map(|id| {
        let found = granted.iter().find(|repo| repo.id == *id);
        found.map(|repo| repo.id).ok_or_else(unknown)
    });
    let listed = by_name.chain(by_id).collect::<Result<Vec<_>, _>>()?;
    let asked = wanted.repositories.is_some() || wanted.repository_ids.is_some();
    Ok(asked.then_some(listed))
}

fn narrowed(wanted: Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    let held = permissions();
    for (name, access) in &wanted {
        let enough = match held.get(name).and_then(Value::as_str) {
            Some("write") => *access == json!("write") || *access == json!("read"),
            Some(_) => *access == json!("read"),
            None => false,
        };
        if !enough {
            return Err(ApiError::unprocessable(
                "The permissions requested are not granted to this installation.",
            ));
        }
    }
    Ok(wanted)
}

async fn repositories(
    State(stand): State<Stand>,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Answer {
    let Caller::Installation(_) = &caller else {
        let text = "You must authenticate with an installation access token";
        return Err(ApiError::new(StatusCode::FORBIDDEN, text));
    };
    let seen: Vec<Value> = granted(&stand)
        .iter()
        .filter(|repo| caller.sees(repo))
        .map(|repo| payload::repository(&stand.url, repo))
        .collect();
    let total = seen.len();
    let url = format!("{}/installation/repositories", stand.url);
    let (headers, page) = paging.page(&url, seen);
    let body = json!({
        "total_count": total,
        "repository_selection": "selected",
        "repositories": page,
    });
    Ok((headers, axum::Json(body)).into_response())
}

async fn user(State(stand): State<Stand>, caller: Caller) -> Answer {
    match caller {
        Caller::Person => Ok(answer(StatusCode::OK, payload::actor(&stand.url, DEVELOPER))),
        Caller::SignedIn(login) => {
            let user = stand.state().people.user(&login).cloned();
            let user = user.ok_or_else(ApiError::bad_credentials)?;
            Ok(answer(StatusCode::OK, user_json(&stand, &user)))
        }
        Caller::Nobody => Err(ApiError::unauthorized("Requires authentication")),
        Caller::App | Caller::Installation(_) => {
            let text = "Resource not accessible by integration";
            Err(ApiError::new(StatusCode::FORBIDDEN, text))
        }
    }
}

/// What a personal access token may see.
async fn own_repositories(
    State(stand): State<Stand>,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Answer {
    match caller {
        Caller::Person => {}
        Caller::Nobody | Caller::App | Caller::Installation(_) | Caller::SignedIn(_) => {
            return Err(ApiError::unauthorized("Requires authentication"));
        }
    }
    let seen = granted(&stand);
    let seen = seen.iter().map(|repo| payload::repository(&stand.url, repo)).collect();
    let (headers, page) = paging.page(&format!("{}/user/repos", stand.url), seen);
    Ok((headers, axum::Json(page)).into_response())
}

/// Everybody has an account, but for those who are called nobody; owners of repositories are
/// organizations.
async fn account(State(stand): State<Stand>, Path(login): Path<String>) -> Answer {
    if login.starts_with("nobody") {
        return Err(ApiError::not_found());
    }
    let owner = {
        let state = stand.state();
        let mut repositories = state.repositories.values();
        repositories.find(|repo| repo.owner == login && repo.fork_of.is_none()).cloned()
    };
    let mut body = match owner {
        Some(repo) => payload::owner(&stand.url, &repo),
        None => payload::actor(&stand.url, &login),
    };
    // who can sign in has the number that the sign-in tells
    if let Some(user) = stand.state().people.users.iter().find(|user| user.login == login) {
        body["id"] = json!(user.id);
    }
    Ok(answer(StatusCode::OK, body))
}

async fn rate_limit(_caller: Caller) -> Answer {
    let reset = (now() + TimeDelta::hours(1)).timestamp();
    let core = json!({ "limit": 5000, "used": 1, "remaining": 4999, "reset": reset });
    let body = json!({
        "resources": { "core": core, "search": core, "graphql": core },
        "rate": core,
    });
    Ok(answer(StatusCode::OK, body))
}
