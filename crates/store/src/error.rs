//! What can go wrong in the store, as the callers must tell it apart.

use crate::objects::ObjectsError;
use crate::vault::VaultError;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database failed: {0}")]
    Sqlx(#[source] sqlx::Error),
    #[error("{what} does not exist")]
    NotFound { what: String },
    /// A unique constraint says that there is one already.
    #[error("it exists already ({constraint})")]
    Conflict { constraint: String },
    /// The attempt that a write names no longer holds its job.
    #[error("attempt {attempt} no longer holds this job")]
    Stale { attempt: i32 },
    #[error("{0}")]
    NotAllowed(String),
    /// A row that no code of this version writes.
    #[error("row {id} of table {table} has an impossible {column}")]
    Inconsistent { table: &'static str, column: &'static str, id: String },
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    #[error("{0}")]
    Schema(String),
}

impl Error {
    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::NotFound { what: what.into() }
    }

    /// The database constraint that refused the statement.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Conflict { constraint } => Some(constraint),
            Self::Sqlx(error) => error.as_database_error().and_then(|error| error.constraint()),
            Self::NotFound { .. }
            | Self::Stale { .. }
            | Self::NotAllowed(_)
            | Self::Inconsistent { .. }
            | Self::Vault(_)
            | Self::Objects(_)
            | Self::Schema(_) => None,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let conflict = error
            .as_database_error()
            .filter(|error| error.is_unique_violation())
            .and_then(|error| error.constraint())
            .map(str::to_owned);
        match conflict {
            Some(constraint) => Self::Conflict { constraint },
            None => Self::Sqlx(error),
        }
    }
}

/// An update that must have met a row.
pub(crate) fn met(
    result: &sqlx::postgres::PgQueryResult,
    what: impl FnOnce() -> String,
) -> Result<()> {
    match result.rows_affected() {
        0 => Err(Error::not_found(what())),
        _ => Ok(()),
    }
}
