//! The page of an error.

use askama::Template;
use axum::http::StatusCode;

use super::Shell;
use crate::error::Problem;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    shell: Shell,
    status: u16,
    title: &'a str,
    problem: &'a Problem,
    path: &'a str,
    request_id: &'a str,
}

pub(crate) fn render(status: StatusCode, problem: &Problem, path: &str, id: &str) -> String {
    let title = status.canonical_reason().unwrap_or("Error");
    let page = ErrorPage {
        shell: Shell::plain(title),
        status: status.as_u16(),
        title,
        problem,
        path,
        request_id: id,
    };
    // the template only writes text
    page.render().unwrap_or_else(|_| title.to_owned())
}
