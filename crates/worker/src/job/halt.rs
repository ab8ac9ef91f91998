//! Why a job did not reach its end, as the server is told: every error of the worker's parts is
//! sorted here into one of the model's kinds.

use aws::stack::ChangeError;
use aws::{EndpointError, ParameterError, StackError};
use model::ParameterKey;
use model::job::{Failure, FailureKind};
use model::worker_api::JobResult;

use crate::archive::ArchiveError;
use crate::cache::CacheError;
use crate::git::{GitError, WorkspaceError};
use crate::hold::Interrupted;
use crate::log::MaskError;
use crate::sandbox::SandboxError;
use crate::step::StepError;

/// The ways not to succeed.
#[derive(Debug, Clone)]
pub(crate) enum Halt {
    Failed(Failure),
    /// Failed with something found out that people should see.
    Refused(Box<Refusal>),
    /// The hold says why.
    Stopped,
}

#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) failure: Failure,
    pub(crate) result: JobResult,
}

impl Halt {
    pub(crate) fn failed(kind: FailureKind, message: impl Into<String>) -> Self {
        Self::Failed(Failure { kind, message: message.into() })
    }

    pub(crate) fn internal(error: impl std::fmt::Display) -> Self {
        Self::failed(FailureKind::Internal, format!("a fault of the worker: {error}"))
    }

    /// What a call that was not answered means, `asked` being what it was about.
    pub(crate) fn unanswered(kind: FailureKind, asked: &str, interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::Stopped => Self::Stopped,
            Interrupted::Refused { status, detail } if detail.is_empty() => {
                Self::failed(kind, format!("the server refused {asked} ({status})"))
            }
            Interrupted::Refused { detail, .. } => Self::failed(kind, detail),
            Interrupted::Local { detail } => Self::internal(detail),
        }
    }
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<GitError> for Halt {
    fn from(error: GitError) -> Self {
        let kind = match &error {
            GitError::Refused { .. }
            | GitError::CommitGone { .. }
            | GitError::NotInMirror(_)
            | GitError::TimedOut { .. }
            | GitError::Failed { .. } => FailureKind::Checkout,
            GitError::TooLarge { .. } => FailureKind::Configuration,
            GitError::Missing | GitError::Io { .. } => FailureKind::Internal,
        };
        Self::failed(kind, error.to_string())
    }
}

impl From<WorkspaceError> for Halt {
    fn from(error: WorkspaceError) -> Self {
        let kind = match &error {
            WorkspaceError::Missing(_)
            | WorkspaceError::Outside(_)
            | WorkspaceError::WrongKind { .. }
            | WorkspaceError::TooLarge { .. } => FailureKind::Configuration,
            WorkspaceError::Io { .. } => FailureKind::Internal,
        };
        Self::failed(kind, error.to_string())
    }
}

impl From<ArchiveError> for Halt {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Workspace(error) => error.into(),
            ArchiveError::TooLarge(_) | ArchiveError::TooMany(_) => {
                Self::failed(FailureKind::Limit, error.to_string())
            }
            ArchiveError::Kind(_) | ArchiveError::Outside(_) => {
                Self::failed(FailureKind::Configuration, error.to_string())
            }
            ArchiveError::Io { .. } => Self::internal(error),
        }
    }
}

impl From<StackError> for Halt {
    fn from(error: StackError) -> Self {
        Self::failed(FailureKind::Aws, error.to_string())
    }
}

impl From<EndpointError> for Halt {
    fn from(error: EndpointError) -> Self {
        Self::failed(FailureKind::Aws, error.to_string())
    }
}

impl From<ChangeError> for Halt {
    fn from(error: ChangeError) -> Self {
        let kind = match &error {
            ChangeError::Rejected { .. } | ChangeError::Upload(_) => FailureKind::Configuration,
            ChangeError::Slow { .. } | ChangeError::Stack(_) => FailureKind::Aws,
        };
        Self::failed(kind, error.to_string())
    }
}

impl Halt {
    /// The failure to read parameter `key`.
    pub(crate) fn unread(key: &ParameterKey, error: &ParameterError) -> Self {
        let kind = match error {
            ParameterError::Missing { .. } | ParameterError::Unusable { .. } => {
                FailureKind::Configuration
            }
            ParameterError::Denied { .. }
            | ParameterError::Credentials { .. }
            | ParameterError::Refused { .. }
            | ParameterError::Unavailable { .. } => FailureKind::Aws,
        };
        Self::failed(kind, format!("parameter {key}: {error}"))
    }
}

impl From<StepError> for Halt {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Sandbox(error) => error.into(),
            StepError::Mask(_) | StepError::Output { .. } => Self::internal(error),
        }
    }
}

impl From<SandboxError> for Halt {
    fn from(error: SandboxError) -> Self {
        let kind = match &error {
            SandboxError::BadVariable(_)
            | SandboxError::BadValue(_)
            | SandboxError::BadDirectory(_)
            | SandboxError::NoCommand => FailureKind::Configuration,
            SandboxError::Missing { .. }
            | SandboxError::Unavailable { .. }
            | SandboxError::DirectoryInUse(_)
            | SandboxError::Io { .. } => FailureKind::Internal,
        };
        Self::failed(kind, error.to_string())
    }
}

impl From<MaskError> for Halt {
    fn from(error: MaskError) -> Self {
        Self::internal(error)
    }
}

impl From<CacheError> for Halt {
    fn from(error: CacheError) -> Self {
        Self::internal(error)
    }
}
