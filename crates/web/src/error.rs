//! What went wrong, in the words of HTTP.
//!
//! What always holds: an internal error is logged here and its text goes nowhere else. A handler
//! only says *what*; [`crate::request`] gives it its form (RFC 9457 for programs, a page for
//! people) and the request's id.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::app::Problem as FileProblem;
use serde::Serialize;

pub(crate) type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    BadRequest(String),
    #[error("{0}")]
    Unauthorized(String),
    #[error("{0}")]
    Forbidden(String),
    #[error("{0}")]
    NotFound(String),
    /// Names what stands in the way.
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    TooLarge(String),
    #[error("{0}")]
    UnsupportedType(String),
    #[error("{} to mend", .0.len())]
    Invalid(Vec<Mistake>),
    /// Something we depend on does not answer; trying again may help.
    #[error("{0}")]
    Upstream(String),
    #[error("{0}")]
    Unavailable(String),
    #[error(transparent)]
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

/// One thing to mend in what was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Mistake {
    pub(crate) key: String,
    pub(crate) message: String,
}

impl Mistake {
    pub(crate) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into() }
    }
}

impl From<FileProblem> for Mistake {
    fn from(problem: FileProblem) -> Self {
        Self { key: problem.key, message: problem.message }
    }
}

/// What the answer will say, before it has its form.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) detail: String,
    pub(crate) errors: Vec<Mistake>,
}

impl Error {
    pub(crate) fn invalid(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Mistake::new(key, message)])
    }

    pub(crate) fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Upstream(_) => StatusCode::BAD_GATEWAY,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NotFound { what } => Self::NotFound(format!("there is no {what}")),
            store::Error::Stale { attempt } => {
                Self::Conflict(format!("attempt {attempt} no longer holds this job"))
            }
            store::Error::NotAllowed(why) => Self::Conflict(why),
            store::Error::Conflict { constraint } => {
                Self::Conflict(format!("it exists already ({constraint})"))
            }
            other => Self::internal(other),
        }
    }
}

impl From<github::Error> for Error {
    fn from(error: github::Error) -> Self {
        if error.is_transient() {
            Self::Upstream(error.to_string())
        } else {
            Self::Conflict(error.to_string())
        }
    }
}

impl From<askama::Error> for Error {
    fn from(error: askama::Error) -> Self {
        Self::internal(error)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        let problem = match self {
            Self::Internal(error) => {
                tracing::error!(error = %causes(error.as_ref()), "a request failed");
                Problem {
                    detail: "something went wrong inside the server; its log has the reason under \
                             this request id"
                        .into(),
                    errors: Vec::new(),
                }
            }
            Self::Invalid(errors) => Problem {
                detail: errors
                    .iter()
                    .map(|mistake| format!("{}: {}", mistake.key, mistake.message))
                    .collect::<Vec<_>>()
                    .join("; "),
                errors,
            },
            Self::BadRequest(_)
            | Self::Unauthorized(_)
            | Self::Forbidden(_)
            | Self::NotFound(_)
            | Self::Conflict(_)
            | Self::TooLarge(_)
            | Self::UnsupportedType(_)
            | Self::Upstream(_)
            | Self::Unavailable(_) => Problem { detail: self.to_string(), errors: Vec::new() },
        };
        let mut response = status.into_response();
        response.extensions_mut().insert(problem);
        response
    }
}

/// An error with its causes in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
