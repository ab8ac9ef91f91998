//! Sign in: with GitHub, where the server can, or with a token.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::Shell;
use crate::error::Error;
use crate::login;
use crate::state::State;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    shell: Shell,
    back: &'a str,
    github: bool,
    refused: Option<&'a str>,
    /// What is wrong with the token that was given.
    mistake: Option<&'a str>,
}

/// What came of the try before this page.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tried<'a> {
    Refused(&'a str),
    Token(&'a str),
}

pub(crate) fn page(
    state: &State,
    status: StatusCode,
    back: &str,
    tried: Option<Tried<'_>>,
) -> Response {
    let (refused, mistake) = match tried {
        None => (None, None),
        Some(Tried::Refused(why)) => (Some(why), None),
        Some(Tried::Token(why)) => (None, Some(why)),
    };
    let github = login::is_possible(state);
    let page = SignIn { shell: Shell::plain("Sign in"), back, github, refused, mistake };
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => Error::from(error).into_response(),
    }
}
