//! Why a command did not do what it was asked, in words that say what to do.

use std::path::PathBuf;

use crate::exit::Code;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{url} does not answer: {why}. Is the address right, and does the server run?")]
    Unreachable { url: String, why: String },
    #[error("{0} is no address of a server: write it like https://ci.example.com")]
    Url(String),
    #[error(
        "no server is known here: run `greenroom login https://…`, or set GREENROOM_URL and \
         GREENROOM_TOKEN"
    )]
    NoServer,
    #[error("nobody is signed in to {url}: run `greenroom login {url}`, or set GREENROOM_TOKEN")]
    NoToken { url: String },
    #[error(
        "the token is not known to {url}, was revoked, or is over: run `greenroom login {url}`"
    )]
    StoredToken { url: String },
    #[error(
        "the token in GREENROOM_TOKEN is not known to {url}, was revoked, or is over: set another \
         one, or unset it and run `greenroom login {url}`"
    )]
    GivenToken { url: String },
    #[error("not allowed: {detail}")]
    Forbidden { detail: String },
    #[error("{detail}")]
    Refused { detail: String },
    #[error("{url} answered {status}: {detail}")]
    Server { url: String, status: u16, detail: String },
    #[error("{url} answered something that is not Greenroom's: {why}")]
    Strange { url: String, why: String },
    #[error("{0}")]
    Usage(String),
    #[error("{path}: {why}")]
    File { path: PathBuf, why: String },
    #[error("{0}")]
    Local(String),
    #[error("not signed in: {0}")]
    Login(String),
    /// Nobody reads the output any more, as in `greenroom builds | head -1`.
    #[error("the output was closed")]
    Closed,
}

impl Error {
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Unreachable { .. }
            | Self::Server { .. }
            | Self::Strange { .. }
            | Self::File { .. }
            | Self::Local(_) => Code::Failed,
            Self::Url(_) | Self::Usage(_) => Code::Usage,
            Self::NoServer
            | Self::NoToken { .. }
            | Self::StoredToken { .. }
            | Self::GivenToken { .. }
            | Self::Forbidden { .. }
            | Self::Login(_) => Code::NotAllowed,
            Self::Refused { .. } => Code::Refused,
            Self::Closed => Code::Succeeded,
        }
    }

    /// Asking again may help: the server restarts, or the line is bad.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Server { status, .. } => matches!(status, 502..=504),
            Self::Strange { .. }
            | Self::File { .. }
            | Self::Local(_)
            | Self::Url(_)
            | Self::Usage(_)
            | Self::NoServer
            | Self::NoToken { .. }
            | Self::StoredToken { .. }
            | Self::GivenToken { .. }
            | Self::Forbidden { .. }
            | Self::Login(_)
            | Self::Refused { .. }
            | Self::Closed => false,
        }
    }
}
