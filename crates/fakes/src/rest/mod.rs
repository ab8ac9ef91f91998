//! GitHub's REST API, as far as Greenroom calls it: routes, errors of GitHub's shape, paging.

mod app;
pub(crate) mod comments;
mod compare;
mod contents;
mod deployments;
mod git_refs;
mod hooks;
pub(crate) mod manifest;
pub(crate) mod people;
mod pulls;
mod reactions;
mod repos;
mod statuses;
mod trees;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::auth::{Access, Caller};
use crate::error::Error;
use crate::state::{Repo, Shared, Stand};

/// What a handler answers.
pub(crate) type Answer = Result<Response, ApiError>;

/// Every route that is known. Any other is recorded as an unknown call.
pub(crate) fn routes() -> Router<Stand> {
    Router::new()
        .merge(app::routes())
        .merge(comments::routes())
        .merge(compare::routes())
        .merge(contents::routes())
        .merge(deployments::routes())
        .merge(git_refs::routes())
        .merge(hooks::routes())
        .merge(people::routes())
        .merge(manifest::routes())
        .merge(pulls::routes())
        .merge(reactions::routes())
        .merge(repos::routes())
        .merge(statuses::routes())
        .merge(trees::routes())
}

/// An error as GitHub words it.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    message: String,
    errors: Option<Value>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), errors: None }
    }

    pub(crate) fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, message)
    }

    pub(crate) fn bad_credentials() -> Self {
        Self::unauthorized("Bad credentials")
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found")
    }

    pub(crate) fn not_found_integration() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Integration not found")
    }

    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// A field that is wrong, in GitHub's `errors` list.
    pub(crate) fn invalid(resource: &str, field: &str, code: &str, message: &str) -> Self {
        Self {
            errors: Some(json!([{
                "resource": resource, "field": field, "code": code, "message": message,
            }])),
            ..Self::unprocessable("Validation Failed")
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({
            "message": self.message,
            "documentation_url": "https://docs.github.com/rest",
            "status": self.status.as_u16().to_string(),
        });
        if let Some(errors) = self.errors {
            body["errors"] = errors;
        }
        (self.status, Json(body)).into_response()
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound { .. } => Self::not_found(),
            Error::Refused(text) => Self::unprocessable(text),
            Error::Git { .. } | Error::Io { .. } | Error::Key | Error::Client(_) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            }
        }
    }
}

/// A JSON answer.
pub(crate) fn answer(status: StatusCode, body: Value) -> Response {
    (status, Json(body)).into_response()
}

/// A JSON body: 400 when it is not JSON, 422 when it has the wrong shape.
pub(crate) fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, ApiError> {
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    let value: Value = serde_json::from_slice(text)
        .map_err(|_| ApiError::new(StatusCode::BAD_REQUEST, "Problems parsing JSON"))?;
    serde_json::from_value(value)
        .map_err(|error| ApiError::unprocessable(format!("Invalid request.\n\n{error}")))
}

impl Shared {
    /// A repository that the caller may see and touch, else 401, 403 or 404 as on GitHub.
    pub(crate) fn permitted(
        &self,
        caller: &Caller,
        owner: &str,
        name: &str,
        permission: &str,
        access: Access,
    ) -> Result<Repo, ApiError> {
        let repo = self.repo(&format!("{owner}/{name}")).map_err(|_| ApiError::not_found())?;
        if !caller.sees(&repo) {
            return Err(ApiError::not_found());
        }
        if matches!(caller, Caller::Nobody) && access == Access::Write {
            return Err(ApiError::unauthorized("Requires authentication"));
        }
        if !caller.may(&repo, permission, access) {
            let text = "Resource not accessible by integration";
            return Err(ApiError::new(StatusCode::FORBIDDEN, text));
        }
        Ok(repo)
    }
}

/// `?page=&per_page=`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Paging {
    page: Option<usize>,
    per_page: Option<usize>,
}

impl Paging {
    fn per_page(self) -> usize {
        self.per_page.unwrap_or(30).clamp(1, 100)
    }

    /// One page of a list, and the headers that lead to the others. `url` may carry a query.
    pub(crate) fn page(self, url: &str, mut items: Vec<Value>) -> (HeaderMap, Vec<Value>) {
        let (page, per_page) = (self.page.unwrap_or(1).max(1), self.per_page());
        let last = items.len().div_ceil(per_page).max(1);
        let start = ((page - 1) * per_page).min(items.len());
        let end = (start + per_page).min(items.len());
        let items = items.drain(start..end).collect();
        let joint = if url.contains('?') { '&' } else { '?' };
        let link = |to: usize, rel: &str| {
            format!("<{url}{joint}per_page={per_page}&page={to}>; rel=\"{rel}\"")
        };
        let mut links = Vec::new();
        if page > 1 {
            links.extend([link(page - 1, "prev"), link(1, "first")]);
        }
        if page < last {
            links.extend([link(page + 1, "next"), link(last, "last")]);
        }
        (link_header(&links), items)
    }
}

fn link_header(links: &[String]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::try_from(links.join(", "))
        && !links.is_empty()
    {
        headers.insert(header::LINK, value);
    }
    headers
}
