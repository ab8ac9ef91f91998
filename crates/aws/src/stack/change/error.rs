//! Why a change could not be asked for or carried out, in words for whoever wrote the template.

use std::time::Duration;

use crate::stack::{StackError, UploadError};

/// A change that did not come about.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// CloudFormation does not take the template, its parameters or the stack's state. The
    /// sentence is CloudFormation's own.
    #[error("CloudFormation rejects the change of stack {stack}: {reason}")]
    Rejected { stack: String, reason: String },
    #[error(
        "CloudFormation has not worked out the change of stack {stack} after {} seconds",
        waited.as_secs()
    )]
    Slow { stack: String, waited: Duration },
    #[error(transparent)]
    Upload(#[from] UploadError),
    #[error(transparent)]
    Stack(#[from] StackError),
}

impl ChangeError {
    /// Whether the same may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Slow { .. } => true,
            Self::Rejected { .. } | Self::Upload(_) => false,
            Self::Stack(error) => error.is_transient(),
        }
    }

    /// A refusal is about what was asked for; anything else about the way there.
    pub(in crate::stack) fn of(error: StackError) -> Self {
        match error {
            StackError::Refused { stack, detail, code: _, operation: _ } => {
                Self::Rejected { stack, reason: detail }
            }
            StackError::Denied { .. }
            | StackError::Credentials { .. }
            | StackError::Unavailable { .. }
            | StackError::StillInProgress { .. } => Self::Stack(error),
        }
    }

    /// Why CloudFormation cannot be asked at all, when that is so: the templates can still be
    /// compared.
    pub(super) fn cannot_ask(&self) -> Option<String> {
        match self {
            Self::Upload(error) => Some(error.to_string()),
            Self::Stack(error @ StackError::Denied { .. }) => Some(error.to_string()),
            Self::Stack(
                StackError::Credentials { .. }
                | StackError::Refused { .. }
                | StackError::Unavailable { .. }
                | StackError::StillInProgress { .. },
            )
            | Self::Rejected { .. }
            | Self::Slow { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_cloudformations_own_words() {
        let refused = StackError::Refused {
            operation: "CreateChangeSet",
            stack: "shop-dev".to_owned(),
            code: "ValidationError".to_owned(),
            detail: "Template error: no such resource X".to_owned(),
        };
        let error = ChangeError::of(refused);
        assert!(error.to_string().ends_with(": Template error: no such resource X"), "{error}");
        assert!(!error.is_transient() && error.cannot_ask().is_none());
    }

    #[test]
    fn without_the_right_or_the_room_to_ask_templates_are_compared() {
        let denied = StackError::Denied {
            operation: "CreateChangeSet",
            stack: "shop-dev".to_owned(),
            detail: "no".to_owned(),
        };
        assert!(
            ChangeError::of(denied).cannot_ask().is_some_and(|why| why.contains("CreateChangeSet"))
        );
        let large = ChangeError::from(UploadError::NoBucket { bytes: 60_000 });
        assert!(large.cannot_ask().is_some_and(|why| why.contains("60000")));
    }
}
