//! Webhook deliveries as their owner sees them: listed, looked at, asked for again. The App's under
//! `/app/hook`, a repository's own under `/repos/{owner}/{repo}/hooks`.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, ApiError, answer, link_header};
use crate::auth::{Access, Caller};
use crate::state::{INSTALLATION_ID, Shared, Stand, timestamp};
use crate::webhook::{Delivery, HOOK_ID, HookOwner};

pub(super) fn routes() -> Router<Stand> {
    Router::new()
        .route("/app/hook/config", get(config))
        .route("/app/hook/deliveries", get(of_app))
        .route("/app/hook/deliveries/{id}", get(one_of_app))
        .route("/app/hook/deliveries/{id}/attempts", post(again_of_app))
        .route("/repos/{owner}/{repo}/hooks", get(hooks))
        .route("/repos/{owner}/{repo}/hooks/{hook}/deliveries", get(of_repository))
        .route("/repos/{owner}/{repo}/hooks/{hook}/deliveries/{id}", get(one_of_repository))
        .route(
            "/repos/{owner}/{repo}/hooks/{hook}/deliveries/{id}/attempts",
            post(again_of_repository),
        )
}

/// Whose deliveries are asked for.
enum Of {
    App,
    Repository { id: u64, full_name: String },
}

impl Of {
    fn has(&self, delivery: &Delivery) -> bool {
        match self {
            Self::App => true,
            Self::Repository { id, .. } => delivery.repository_id == Some(*id),
        }
    }

    fn path(&self) -> String {
        match self {
            Self::App => "/app/hook/deliveries".to_owned(),
            Self::Repository { full_name, .. } => {
                format!("/repos/{full_name}/hooks/{HOOK_ID}/deliveries")
            }
        }
    }
}

fn app(stand: &Shared, caller: &Caller) -> Result<Of, ApiError> {
    match caller {
        Caller::App => {}
        Caller::Nobody | Caller::Installation(_) | Caller::Person | Caller::SignedIn(_) => {
            let text = "A JSON web token could not be decoded";
            return Err(ApiError::unauthorized(text));
        }
    }
    owned_by(stand, HookOwner::App)?;
    Ok(Of::App)
}

fn repository(
    stand: &Shared,
    caller: &Caller,
    owner: &str,
    name: &str,
    hook: u64,
    access: Access,
) -> Result<Of, ApiError> {
    let repo = stand.permitted(caller, owner, name, "repository_hooks", access)?;
    owned_by(stand, HookOwner::Repository)?;
    if hook != HOOK_ID {
        return Err(ApiError::not_found());
    }
    Ok(Of::Repository { id: repo.id, full_name: repo.full_name() })
}

fn owned_by(stand: &Shared, owner: HookOwner) -> Result<(), ApiError> {
    let hook = stand.state().hook.clone();
    hook.filter(|hook| hook.owner == owner).map(|_| ()).ok_or_else(ApiError::not_found)
}

fn summary(delivery: &Delivery) -> Option<Value> {
    let outcome = delivery.outcome.as_ref()?;
    let installation = delivery.payload_json()["installation"]["id"] == json!(INSTALLATION_ID);
    Some(json!({
        "id": delivery.id,
        "guid": delivery.guid,
        "delivered_at": timestamp(outcome.delivered_at),
        "redelivery": delivery.redelivery,
        "duration": outcome.duration_seconds,
        "status": outcome.status,
        "status_code": outcome.status_code,
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": installation.then_some(INSTALLATION_ID),
        "repository_id": delivery.repository_id,
        "throttled_at": null,
    }))
}

#[derive(Deserialize)]
struct Page {
    per_page: Option<usize>,
    /// The id of the first delivery of the page.
    cursor: Option<u64>,
    /// `success` or `failure`
    status: Option<String>,
}

fn list(stand: &Shared, of: &Of, page: &Page) -> Answer {
    let per_page = page.per_page.unwrap_or(30).clamp(1, 100);
    let wanted = |delivery: &&Delivery| {
        let success = delivery.outcome.as_ref().is_some_and(|o| o.status == "OK");
        of.has(delivery)
            && page.cursor.is_none_or(|cursor| delivery.id <= cursor)
            && match page.status.as_deref() {
                Some("success") => success,
                Some("failure") => !success,
                Some(_) | None => true,
            }
    };
    let state = stand.state();
    let mut items: Vec<Value> = state
        .deliveries
        .iter()
        .rev()
        .filter(wanted)
        .filter_map(summary)
        .take(per_page + 1)
        .collect();
    let mut links = Vec::new();
    if items.len() > per_page
        && let Some(next) = items.pop()
    {
        let status = page.status.as_ref().map(|status| format!("&status={status}"));
        links.push(format!(
            "<{}{}?per_page={per_page}&cursor={}{}>; rel=\"next\"",
            stand.url,
            of.path(),
            next["id"],
            status.unwrap_or_default(),
        ));
    }
    Ok((link_header(&links), axum::Json(items)).into_response())
}

fn one(stand: &Shared, of: &Of, id: u64) -> Answer {
    let state = stand.state();
    let delivery = state
        .deliveries
        .iter()
        .find(|delivery| delivery.id == id && of.has(delivery))
        .ok_or_else(ApiError::not_found)?;
    let mut body = summary(delivery).ok_or_else(ApiError::not_found)?;
    let response = delivery.outcome.as_ref().map(|outcome| &outcome.response);
    body["url"] = json!(delivery.url);
    body["request"] = json!({ "headers": delivery.headers, "payload": delivery.payload_json() });
    body["response"] = json!({ "headers": {}, "payload": response });
    Ok(answer(StatusCode::OK, body))
}

fn again(stand: &Shared, of: &Of, id: u64) -> Answer {
    let known = {
        let state = stand.state();
        let mut deliveries = state.deliveries.iter();
        deliveries.any(|delivery| delivery.id == id && of.has(delivery))
    };
    if !known {
        return Err(ApiError::not_found());
    }
    stand.redeliver(id)?;
    Ok(answer(StatusCode::ACCEPTED, json!({})))
}

async fn config(State(stand): State<Stand>, caller: Caller) -> Answer {
    app(&stand, &caller)?;
    let hook = stand.state().hook.clone().ok_or_else(ApiError::not_found)?;
    Ok(answer(StatusCode::OK, hook_config(&hook.url)))
}

fn hook_config(url: &str) -> Value {
    json!({ "content_type": "json", "insecure_ssl": "0", "secret": "********", "url": url })
}

async fn of_app(State(stand): State<Stand>, caller: Caller, Query(page): Query<Page>) -> Answer {
    let of = app(&stand, &caller)?;
    list(&stand, &of, &page)
}

async fn one_of_app(State(stand): State<Stand>, caller: Caller, Path(id): Path<u64>) -> Answer {
    let of = app(&stand, &caller)?;
    one(&stand, &of, id)
}

async fn again_of_app(State(stand): State<Stand>, caller: Caller, Path(id): Path<u64>) -> Answer {
    let of = app(&stand, &caller)?;
    again(&stand, &of, id)
}

async fn hooks(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
) -> Answer {
    stand.permitted(&caller, &owner, &name, "repository_hooks", Access::Read)?;
    let hook = stand.state().hook.clone();
    let hooks: Vec<Value> = hook
        .filter(|hook| hook.owner == HookOwner::Repository)
        .map(|hook| {
            let url = format!("{}/repos/{owner}/{name}/hooks/{HOOK_ID}", stand.url);
            json!({
                "type": "Repository",
                "id": HOOK_ID,
                "name": "web",
                "active": true,
                "events": ["*"],
                "config": hook_config(&hook.url),
                "created_at": "2026-01-01T00:00:00Z",
                "updated_at": "2026-01-01T00:00:00Z",
                "url": url,
                "ping_url": format!("{url}/pings"),
                "deliveries_url": format!("{url}/deliveries"),
            })
        })
        .into_iter()
        .collect();
    Ok(answer(StatusCode::OK, json!(hooks)))
}

async fn of_repository(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, hook)): Path<(String, String, u64)>,
    Query(page): Query<Page>,
) -> Answer {
    let of = repository(&stand, &caller, &owner, &name, hook, Access::Read)?;
    list(&stand, &of, &page)
}

async fn one_of_repository(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, hook, id)): Path<(String, String, u64, u64)>,
) -> Answer {
    let of = repository(&stand, &caller, &owner, &name, hook, Access::Read)?;
    one(&stand, &of, id)
}

async fn again_of_repository(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, hook, id)): Path<(String, String, u64, u64)>,
) -> Answer {
    let of = repository(&stand, &caller, &owner, &name, hook, Access::Write)?;
    again(&stand, &of, id)
}
