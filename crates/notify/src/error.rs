//! Why a message is not known to have been taken.

use std::time::Duration;

/// What stands in it is shown on the system page: no address, no secret, nothing that a receiver
/// answered but its own short codes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// It may be taken later.
    #[error("{why}")]
    Later {
        why: String,
        /// The receiver's word on when to come back.
        after: Option<Duration>,
    },
    /// It will not be taken until somebody changes something.
    #[error("{why}")]
    Never { why: String },
}

impl Unsent {
    pub(crate) fn later(why: impl Into<String>) -> Self {
        Self::Later { why: why.into(), after: None }
    }

    pub(crate) fn never(why: impl Into<String>) -> Self {
        Self::Never { why: why.into() }
    }
}
