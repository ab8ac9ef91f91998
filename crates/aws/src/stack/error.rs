//! What can go wrong with a call about a stack, in words that name the stack and the remedy.

use std::time::Duration;

use super::StackStatus;
use crate::failure::Failure;

/// A call about a stack that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    #[error(
        "AWS does not allow {operation} on stack {stack}: {detail}. Add the action to the deploy \
         policy of the profile's role (docs/iam/deploy-policy.json has it)."
    )]
    Denied { operation: &'static str, stack: String, detail: String },
    #[error("there are no usable AWS credentials for stack {stack}: {detail}")]
    Credentials { stack: String, detail: String },
    #[error("CloudFormation refused {operation} on stack {stack} ({code}): {detail}")]
    Refused { operation: &'static str, stack: String, code: String, detail: String },
    #[error(
        "CloudFormation could not be reached or is busy ({operation}, stack {stack}): {detail}"
    )]
    Unavailable { operation: &'static str, stack: String, detail: String },
    #[error(
        "stack {stack} is still {status} after {} minutes; CloudFormation goes on by itself",
        waited.as_secs() / 60
    )]
    StillInProgress { stack: String, status: StackStatus, waited: Duration },
}

impl StackError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::StillInProgress { .. } => true,
            Self::Denied { .. } | Self::Credentials { .. } | Self::Refused { .. } => false,
        }
    }

    pub(super) fn of(failure: Failure, operation: &'static str, stack: &str) -> Self {
        let stack = stack.to_owned();
        match failure {
            Failure::Denied(detail) => Self::Denied { operation, stack, detail },
            Failure::NoCredentials(detail) | Failure::BadCredentials(detail) => {
                Self::Credentials { stack, detail }
            }
            Failure::Invalid { code, message } => {
                Self::Refused { operation, stack, code, detail: message }
            }
            Failure::Unavailable(detail) => Self::Unavailable { operation, stack, detail },
        }
    }
}
