//! The reference of the REST API for people: made of the same document that programs read.

mod read;

use askama::Template;
use axum::extract::{Extension, Path};
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use axum::response::Html;

use self::read::{Answer, Field, Group, Line, Shape};
use super::{Shell, html};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::openapi;
use crate::rights::{Needs, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/docs/api", Needs::Somebody, list)
        .get("/docs/api/openapi.json", Needs::Somebody, document)
        .get("/docs/api/{operation}", Needs::Somebody, show)
}

#[derive(Template)]
#[template(path = "reference.html")]
struct ListPage {
    shell: Shell,
    groups: Vec<Group>,
}

async fn list(Extension(caller): Extension<Caller>) -> Result<Html<String>> {
    html(&ListPage {
        shell: Shell::new("API", "api").of(&caller),
        groups: read::groups(openapi::openapi()),
    })
}

#[derive(Template)]
#[template(path = "reference_operation.html")]
struct OperationPage {
    shell: Shell,
    line: Line,
    about: Vec<String>,
    parameters: Vec<Field>,
    body: Option<String>,
    answers: Vec<Answer>,
    /// What body and answers are made of.
    shapes: Vec<Shape>,
}

async fn show(
    Extension(caller): Extension<Caller>,
    Path(operation): Path<String>,
) -> Result<Html<String>> {
    let found = read::operation(openapi::openapi(), &operation);
    let found = found.ok_or_else(|| {
        Error::NotFound("the API has no such operation; /docs/api lists them".into())
    })?;
    html(&OperationPage {
        shell: Shell::new(found.line.summary.clone(), "api").of(&caller),
        line: found.line,
        about: found.about,
        parameters: found.parameters,
        body: found.body,
        answers: found.answers,
        shapes: found.shapes,
    })
}

/// For programs that come with a browser's session.
async fn document() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(CONTENT_TYPE, "application/json")], openapi::text())
}
