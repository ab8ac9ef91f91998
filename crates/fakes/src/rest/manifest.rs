//! A GitHub App made by manifest, as a person in a browser makes it: the form is taken, the App is
//! there, its code is exchanged once, and it is installed by opening a page. GitHub asks the person
//! in between; the stand-in agrees at once.

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Answer, ApiError, answer};
use crate::clock::guid;
use crate::key::AppKey;
use crate::payload;
use crate::state::{DEVELOPER, INSTALLATION_ID, Shared, Stand};
use crate::webhook::{Hook, HookOwner};

/// GitHub's own limit.
const LONGEST_NAME: usize = 34;
/// An App made later has a number of its own.
const FIRST_ID: u64 = 90_001;

/// The App that the last manifest made.
#[derive(Clone, Debug)]
pub(crate) struct MadeApp {
    pub(crate) id: u64,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) owner: String,
    /// An organization's, not a person's.
    pub(crate) of_organization: bool,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) webhook_secret: String,
    pub(crate) key: AppKey,
    pub(crate) installed: bool,
    /// Good once.
    code: Option<String>,
    hook_url: String,
    setup_url: Option<String>,
    permissions: Map<String, Value>,
    events: Value,
}

#[derive(Deserialize)]
struct Manifest {
    name: Option<String>,
    url: String,
    hook_attributes: HookAttributes,
    redirect_url: String,
    #[serde(default)]
    setup_url: Option<String>,
    #[serde(default)]
    default_permissions: Map<String, Value>,
    #[serde(default)]
    default_events: Value,
}

#[derive(Deserialize)]
struct HookAttributes {
    url: String,
}

#[derive(Deserialize)]
struct Posted {
    manifest: String,
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    state: Option<String>,
}

pub(super) fn routes() -> Router<Stand> {
    Router::new()
        .route("/settings/apps/new", post(of_person))
        .route("/organizations/{organization}/settings/apps/new", post(of_organization))
        .route("/app-manifests/{code}/conversions", post(convert))
        .route("/apps/{slug}/installations/new", get(install))
}

async fn of_person(
    State(stand): State<Stand>,
    Query(asked): Query<Asked>,
    Form(posted): Form<Posted>,
) -> Answer {
    make(&stand, DEVELOPER, false, &asked, &posted)
}

async fn of_organization(
    State(stand): State<Stand>,
    Path(organization): Path<String>,
    Query(asked): Query<Asked>,
    Form(posted): Form<Posted>,
) -> Answer {
    make(&stand, &organization, true, &asked, &posted)
}

fn make(
    stand: &Shared,
    owner: &str,
    of_organization: bool,
    asked: &Asked,
    posted: &Posted,
) -> Answer {
    let manifest: Manifest = serde_json::from_str(&posted.manifest)
        .map_err(|error| ApiError::unprocessable(format!("Invalid GitHub App: {error}")))?;
    let unsupported = unsupported(&manifest);
    if !unsupported.is_empty() {
        let events = unsupported.join(", ");
        return Err(ApiError::unprocessable(format!(
            "Invalid GitHub App configuration: Default events are not supported by permissions: \
             {events}"
        )));
    }
    let name = manifest.name.unwrap_or_default();
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        return Err(ApiError::invalid("Integration", "name", "invalid", "Name is too long"));
    }
    for url in [&manifest.url, &manifest.hook_attributes.url, &manifest.redirect_url] {
        if !url.starts_with("http") {
            return Err(ApiError::invalid("Integration", "url", "invalid", "must be a valid URL"));
        }
    }
    let code = guid().simple().to_string();
    let mut state = stand.state();
    let id = state.made_app.as_ref().map_or(FIRST_ID, |made| made.id + 1);
    state.made_app = Some(MadeApp {
        id,
        slug: slug(&name),
        name,
        owner: owner.to_owned(),
        of_organization,
        client_id: format!("Iv23li{id}"),
        client_secret: guid().simple().to_string(),
        webhook_secret: guid().simple().to_string(),
        key: AppKey::new()?,
        installed: false,
        code: Some(code.clone()),
        hook_url: manifest.hook_attributes.url,
        setup_url: manifest.setup_url,
        permissions: manifest.default_permissions,
        events: manifest.default_events,
    });
    drop(state);
    let joint = if manifest.redirect_url.contains('?') { '&' } else { '?' };
    let mut to = format!("{}{joint}code={code}", manifest.redirect_url);
    if let Some(state) = &asked.state {
        to.push_str(&format!("&state={state}"));
    }
    Ok(found(&to))
}

/// The events that the App would not get with the permissions it asks for. A comment on a pull request
/// counts among the issues' here, whatever it counts among later.
fn unsupported(manifest: &Manifest) -> Vec<&str> {
    let needs = |event: &str| match event {
        "issue_comment" => Some("issues"),
        "pull_request" => Some("pull_requests"),
        "create" | "delete" | "push" => Some("contents"),
        _ => None,
    };
    let events = manifest.default_events.as_array().into_iter().flatten();
    let asked = |permission: &str| manifest.default_permissions.contains_key(permission);
    events
        .filter_map(Value::as_str)
        .filter(|event| needs(event).is_some_and(|permission| !asked(permission)))
        .collect()
}

/// GitHub answers so, not with 303.
fn found(to: &str) -> Response {
    let mut response = Redirect::to(to).into_response();
    *response.status_mut() = StatusCode::FOUND;
    response
}

async fn convert(State(stand): State<Stand>, Path(code): Path<String>) -> Answer {
    let mut state = stand.state();
    let made = state
        .made_app
        .as_mut()
        .filter(|made| made.code.as_deref() == Some(code.as_str()))
        .ok_or_else(ApiError::not_found)?;
    made.code = None;
    let mut owner = payload::actor(&stand.url, &made.owner);
    if made.of_organization {
        owner["type"] = json!("Organization");
    }
    let body = json!({
        "id": made.id,
        "slug": made.slug,
        "node_id": format!("A_{}", made.id),
        "owner": owner,
        "name": made.name,
        "description": "",
        "external_url": "http://127.0.0.1",
        "html_url": format!("{}/apps/{}", stand.url, made.slug),
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "permissions": made.permissions,
        "events": made.events,
        "client_id": made.client_id,
        "client_secret": made.client_secret,
        "webhook_secret": made.webhook_secret,
        "pem": made.key.private_pem,
    });
    Ok(answer(StatusCode::CREATED, body))
}

#[derive(Deserialize)]
struct Installing {
    #[serde(default)]
    state: Option<String>,
}

/// On every repository that is granted.
async fn install(
    State(stand): State<Stand>,
    Path(slug): Path<String>,
    Query(asked): Query<Installing>,
) -> Answer {
    let mut state = stand.state();
    let made =
        state.made_app.as_mut().filter(|made| made.slug == slug).ok_or_else(ApiError::not_found)?;
    made.installed = true;
    let hook = Hook {
        url: made.hook_url.clone(),
        secret: Some(made.webhook_secret.clone()),
        owner: HookOwner::App,
    };
    let back = made.setup_url.clone();
    state.hook = Some(hook);
    let Some(back) = back else {
        return Ok(answer(StatusCode::OK, json!({})));
    };
    let mut to = format!("{back}?installation_id={INSTALLATION_ID}&setup_action=install");
    if let Some(state) = asked.state {
        to.push_str(&format!("&state={state}"));
    }
    Ok(found(&to))
}

fn slug(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let dashed: String = name.chars().map(plain).collect();
    let parts: Vec<&str> = dashed.split('-').filter(|part| !part.is_empty()).collect();
    parts.join("-")
}
