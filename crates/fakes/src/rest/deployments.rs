//! The Deployments API: deployments of a commit to an environment, and their statuses.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{delete, get};
use serde::Deserialize;
use serde_json::{Value, json};

use super::statuses::{DESCRIPTION_MAX_CHARS, combined_state, newest_per_context};
use super::{Answer, ApiError, Paging, answer, parse};
use crate::auth::{Access, Caller};
use crate::clock::now;
use crate::git::resolve;
use crate::payload;
use crate::record::{Deployment, DeploymentStatus, Status};
use crate::state::{Stand, State as All, timestamp};

const STATES: [&str; 7] =
    ["error", "failure", "inactive", "in_progress", "queued", "pending", "success"];

const ENVIRONMENT_MAX_CHARS: usize = 255;

pub(super) fn routes() -> Router<Stand> {
    Router::new()
        .route("/repos/{owner}/{repo}/deployments", get(list).post(create))
        .route("/repos/{owner}/{repo}/deployments/{id}", get(one).delete(remove))
        .route("/repos/{owner}/{repo}/deployments/{id}/statuses", get(statuses).post(create_status))
        .route("/repos/{owner}/{repo}/environments/{name}", delete(remove_environment))
}

fn deployment_json(url: &str, deployment: &Deployment) -> Value {
    let api = format!("{url}/repos/{}", deployment.repository);
    let this = format!("{api}/deployments/{}", deployment.id);
    let updated =
        deployment.statuses.last().map_or(deployment.created_at, |status| status.created_at);
    json!({
        "url": this,
        "id": deployment.id,
        "node_id": format!("DE_{}", deployment.id),
        "sha": deployment.sha,
        "ref": deployment.reference,
        "task": deployment.task,
        "payload": deployment.payload,
        "original_environment": deployment.environment,
        "environment": deployment.environment,
        "description": deployment.description,
        "creator": payload::actor(url, &deployment.creator),
        "created_at": timestamp(deployment.created_at),
        "updated_at": timestamp(updated),
        "statuses_url": format!("{this}/statuses"),
        "repository_url": api,
        "transient_environment": deployment.transient_environment,
        "production_environment": deployment.production_environment,
    })
}

fn status_json(url: &str, deployment: &Deployment, status: &DeploymentStatus) -> Value {
    let api = format!("{url}/repos/{}", deployment.repository);
    let this = format!("{api}/deployments/{}", deployment.id);
    json!({
        "url": format!("{this}/statuses/{}", status.id),
        "id": status.id,
        "node_id": format!("DES_{}", status.id),
        "state": status.state,
        "creator": payload::actor(url, &status.creator),
        "description": status.description,
        "environment": status.environment,
        "environment_url": status.environment_url,
        "log_url": status.log_url,
        "target_url": status.log_url,
        "created_at": timestamp(status.created_at),
        "updated_at": timestamp(status.created_at),
        "deployment_url": this,
        "repository_url": api,
    })
}

#[derive(Deserialize)]
struct New {
    #[serde(rename = "ref")]
    reference: String,
    task: Option<String>,
    environment: Option<String>,
    description: Option<String>,
    payload: Option<Value>,
    /// Absent: every status of the commit must be green.
    required_contexts: Option<Vec<String>>,
    transient_environment: Option<bool>,
    production_environment: Option<bool>,
}

fn checks_passed(all: &All, full_name: &str, sha: &str, required: Option<&Vec<String>>) -> bool {
    let of_it = |status: &&Status| status.repository == full_name && status.sha == sha;
    let newest_first: Vec<Status> = all.statuses.iter().rev().filter(of_it).cloned().collect();
    let newest = newest_per_context(&newest_first);
    match required {
        None => newest.is_empty() || combined_state(&newest) == "success",
        Some(contexts) => contexts.iter().all(|context| {
            newest.iter().any(|status| status.context == *context && status.state == "success")
        }),
    }
}

async fn create(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "deployments", Access::Write)?;
    let new: New = parse(&body)?;
    let full_name = repo.full_name();
    let sha = resolve(&stand.git_dir(&full_name), &new.reference)
        .await
        .ok_or_else(|| ApiError::unprocessable(format!("No ref found for: {}", new.reference)))?;
    let mut state = stand.state();
    if !checks_passed(&state, &full_name, &sha, new.required_contexts.as_ref()) {
        let text = format!("Conflict: Commit status checks failed for {}.", new.reference);
        return Err(ApiError::new(StatusCode::CONFLICT, text));
    }
    let environment = new.environment.unwrap_or_else(|| "production".to_owned());
    if environment.chars().count() > ENVIRONMENT_MAX_CHARS {
        let text = "environment is too long (maximum is 255 characters)";
        return Err(ApiError::invalid("Deployment", "environment", "custom", text));
    }
    let deployment = Deployment {
        id: state.next_id(),
        repository: full_name,
        sha,
        reference: new.reference,
        task: new.task.unwrap_or_else(|| "deploy".to_owned()),
        production_environment: new.production_environment.unwrap_or(environment == "production"),
        environment,
        description: new.description,
        payload: new.payload.unwrap_or_else(|| json!({})),
        transient_environment: new.transient_environment.unwrap_or(false),
        creator: caller.login(),
        created_at: now(),
        statuses: Vec::new(),
    };
    state.deployments.push(deployment.clone());
    Ok(answer(StatusCode::CREATED, deployment_json(&stand.url, &deployment)))
}

#[derive(Deserialize)]
struct Filter {
    sha: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    environment: Option<String>,
}

async fn list(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Query(filter): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "deployments", Access::Read)?;
    let full_name = repo.full_name();
    let fits = |wanted: &Option<String>, value: &String| {
        wanted.as_ref().is_none_or(|wanted| wanted == value)
    };
    let items = stand
        .state()
        .deployments
        .iter()
        .rev()
        .filter(|deployment| {
            deployment.repository == full_name
                && fits(&filter.sha, &deployment.sha)
                && fits(&filter.reference, &deployment.reference)
                && fits(&filter.environment, &deployment.environment)
        })
        .map(|deployment| deployment_json(&stand.url, deployment))
        .collect();
    let url = format!("{}/repos/{full_name}/deployments", stand.url);
    let (headers, items) = paging.page(&url, items);
    Ok((headers, axum::Json(items)).into_response())
}

fn find<'a>(all: &'a mut All, full_name: &str, id: u64) -> Result<&'a mut Deployment, ApiError> {
    all.deployments
        .iter_mut()
        .find(|deployment| deployment.id == id && deployment.repository == full_name)
        .ok_or_else(ApiError::not_found)
}

type OneDeployment = Path<(String, String, u64)>;

async fn one(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, id)): OneDeployment,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "deployments", Access::Read)?;
    let mut state = stand.state();
    let deployment = find(&mut state, &repo.full_name(), id)?;
    Ok(answer(StatusCode::OK, deployment_json(&stand.url, deployment)))
}

async fn remove(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, id)): OneDeployment,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "deployments", Access::Write)?;
    let mut state = stand.state();
    let deployment = find(&mut state, &repo.full_name(), id)?;
    let active = |status: &DeploymentStatus| status.state != "inactive";
    if deployment.statuses.last().is_some_and(active) {
        return Err(ApiError::unprocessable(
            "We cannot delete an active deployment unless it is the only deployment in a given \
             environment.",
        ));
    }
    state.deployments.retain(|deployment| deployment.id != id);
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn statuses(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, id)): OneDeployment,
    Query(paging): Query<Paging>,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "deployments", Access::Read)?;
    let mut state = stand.state();
    let deployment = find(&mut state, &repo.full_name(), id)?;
    let items = deployment
        .statuses
        .iter()
        .rev()
        .map(|status| status_json(&stand.url, deployment, status))
        .collect();
    let url = format!("{}/repos/{owner}/{name}/deployments/{id}/statuses", stand.url);
    let (headers, items) = paging.page(&url, items);
    Ok((headers, axum::Json(items)).into_response())
}

#[derive(Deserialize)]
struct NewStatus {
    state: String,
    description: Option<String>,
    environment: Option<String>,
    environment_url: Option<String>,
    log_url: Option<String>,
    target_url: Option<String>,
    auto_inactive: Option<bool>,
}

async fn create_status(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, id)): OneDeployment,
    body: Bytes,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "deployments", Access::Write)?;
    let new: NewStatus = parse(&body)?;
    if !STATES.contains(&new.state.as_str()) {
        let text = "state is not included in the list";
        return Err(ApiError::invalid("DeploymentStatus", "state", "custom", text));
    }
    let description = new.description.unwrap_or_default();
    if description.chars().count() > DESCRIPTION_MAX_CHARS {
        let text = "description is too long (maximum is 140 characters)";
        return Err(ApiError::invalid("DeploymentStatus", "description", "custom", text));
    }
    let is_url = |url: &String| url.is_empty() || url.starts_with("http");
    for (field, url) in [("environment_url", &new.environment_url), ("log_url", &new.log_url)] {
        if !url.as_ref().is_none_or(is_url) {
            let text = format!("{field} must use http(s) scheme");
            return Err(ApiError::invalid("DeploymentStatus", field, "custom", &text));
        }
    }
    let mut state = stand.state();
    let status_id = state.next_id();
    let deployment = find(&mut state, &repo.full_name(), id)?;
    let status = DeploymentStatus {
        id: status_id,
        state: new.state,
        description,
        environment: new.environment.unwrap_or_else(|| deployment.environment.clone()),
        environment_url: new.environment_url.unwrap_or_default(),
        log_url: new.log_url.or(new.target_url).unwrap_or_default(),
        creator: caller.login(),
        created_at: now(),
    };
    deployment.statuses.push(status.clone());
    let body = status_json(&stand.url, deployment, &status);
    let deployment = deployment.clone();
    if status.state == "success" && new.auto_inactive.unwrap_or(true) {
        retire_earlier(&mut state, &deployment, &status);
    }
    Ok(answer(StatusCode::CREATED, body))
}

/// A success makes the environment's earlier deployments inactive, as on GitHub (which spares
/// production and transient environments).
fn retire_earlier(all: &mut All, newest: &Deployment, success: &DeploymentStatus) {
    let retired: Vec<u64> = all
        .deployments
        .iter()
        .filter(|other| {
            other.id != newest.id
                && other.repository == newest.repository
                && other.environment == newest.environment
                && !other.production_environment
                && !other.transient_environment
                && other.statuses.last().is_some_and(|last| last.state == "success")
        })
        .map(|other| other.id)
        .collect();
    for id in retired {
        let status = DeploymentStatus {
            id: all.next_id(),
            state: "inactive".to_owned(),
            description: String::new(),
            environment_url: String::new(),
            log_url: String::new(),
            ..success.clone()
        };
        if let Some(other) = all.deployments.iter_mut().find(|other| other.id == id) {
            other.statuses.push(status);
        }
    }
}

async fn remove_environment(
    State(stand): State<Stand>,
    caller: Caller,
    Path((owner, name, environment)): Path<(String, String, String)>,
) -> Answer {
    let repo = stand.permitted(&caller, &owner, &name, "environments", Access::Write)?;
    let full_name = repo.full_name();
    let mut state = stand.state();
    let before = state.deployments.len();
    state
        .deployments
        .retain(|other| other.repository != full_name || other.environment != environment);
    if state.deployments.len() == before {
        return Err(ApiError::not_found());
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
