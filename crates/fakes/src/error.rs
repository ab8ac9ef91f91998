//! What can go wrong inside the stand-in itself, told to the test or script that drives it.

use std::io;

/// A refusal of the stand-in: the driver asked for something that cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the stand-in has no {what} `{name}`")]
    NotFound { what: &'static str, name: String },
    #[error("{0}")]
    Refused(String),
    #[error("`git {args}` failed: {stderr}")]
    Git { args: String, stderr: String },
    #[error("the stand-in could not {doing}: {source}")]
    Io { doing: &'static str, source: io::Error },
    #[error("the stand-in could not make the App's key pair")]
    Key,
    #[error("the stand-in could not make its HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

impl Error {
    pub(crate) fn not_found(what: &'static str, name: impl Into<String>) -> Self {
        Self::NotFound { what, name: name.into() }
    }

    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}
