//! A stack's status as CloudFormation says it, and what that means for what may be done next.
//!
//! Pure. A status that this version does not know is carried as it came and judged by its
//! ending, so that a new status of AWS's is never taken for success.

use std::fmt;

/// `StackStatus` of CloudFormation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StackStatus {
    ReviewInProgress,
    CreateInProgress,
    CreateComplete,
    CreateFailed,
    RollbackInProgress,
    RollbackComplete,
    RollbackFailed,
    UpdateInProgress,
    UpdateCompleteCleanupInProgress,
    UpdateComplete,
    UpdateFailed,
    UpdateRollbackInProgress,
    UpdateRollbackCompleteCleanupInProgress,
    UpdateRollbackComplete,
    UpdateRollbackFailed,
    ImportInProgress,
    ImportComplete,
    ImportRollbackInProgress,
    ImportRollbackComplete,
    ImportRollbackFailed,
    DeleteInProgress,
    DeleteComplete,
    DeleteFailed,
    Other(String),
}

/// What a status means for the one who wants to deploy or remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackPhase {
    /// CloudFormation is at work: wait.
    InProgress,
    /// The last change went through.
    Settled,
    /// The last change failed and was undone.
    RolledBack(Rollback),
    /// It stays as it is until somebody acts.
    Stuck(Stuck),
    /// Deleted.
    Gone,
}

/// What was undone, and so whether the stack can be deployed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollback {
    /// The stack never came to be: it takes no update and has to be deleted first.
    OfCreation,
    /// The stack is as it was before: it takes updates.
    OfUpdate,
}

/// How a stack is stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// A change set made the stack and was never executed: it holds nothing.
    Empty,
    CreateFailed,
    CreateRollbackFailed,
    UpdateFailed,
    UpdateRollbackFailed,
    ImportRollbackFailed,
    DeleteFailed,
    /// A status this version does not know.
    Unknown,
}

/// What brings a stuck stack on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayOut {
    /// Nothing lives in it: delete it, then deploy anew.
    Delete,
    /// Continue the rollback; then it takes updates.
    ContinueRollback,
    /// The next update may simply be tried.
    Update,
    /// Somebody has to look at it.
    Person,
}

impl Stuck {
    pub fn way_out(self) -> WayOut {
        match self {
            Self::Empty | Self::CreateFailed | Self::CreateRollbackFailed => WayOut::Delete,
            Self::UpdateRollbackFailed => WayOut::ContinueRollback,
            Self::UpdateFailed => WayOut::Update,
            Self::ImportRollbackFailed | Self::DeleteFailed | Self::Unknown => WayOut::Person,
        }
    }
}

impl StackStatus {
    pub fn parse(status: &str) -> Self {
        match status {
            "REVIEW_IN_PROGRESS" => Self::ReviewInProgress,
            "CREATE_IN_PROGRESS" => Self::CreateInProgress,
            "CREATE_COMPLETE" => Self::CreateComplete,
            "CREATE_FAILED" => Self::CreateFailed,
            "ROLLBACK_IN_PROGRESS" => Self::RollbackInProgress,
            "ROLLBACK_COMPLETE" => Self::RollbackComplete,
            "ROLLBACK_FAILED" => Self::RollbackFailed,
            "UPDATE_IN_PROGRESS" => Self::UpdateInProgress,
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" => Self::UpdateCompleteCleanupInProgress,
            "UPDATE_COMPLETE" => Self::UpdateComplete,
            "UPDATE_FAILED" => Self::UpdateFailed,
            "UPDATE_ROLLBACK_IN_PROGRESS" => Self::UpdateRollbackInProgress,
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS" => {
                Self::UpdateRollbackCompleteCleanupInProgress
            }
            "UPDATE_ROLLBACK_COMPLETE" => Self::UpdateRollbackComplete,
            "UPDATE_ROLLBACK_FAILED" => Self::UpdateRollbackFailed,
            "IMPORT_IN_PROGRESS" => Self::ImportInProgress,
            "IMPORT_COMPLETE" => Self::ImportComplete,
            "IMPORT_ROLLBACK_IN_PROGRESS" => Self::ImportRollbackInProgress,
            "IMPORT_ROLLBACK_COMPLETE" => Self::ImportRollbackComplete,
            "IMPORT_ROLLBACK_FAILED" => Self::ImportRollbackFailed,
            "DELETE_IN_PROGRESS" => Self::DeleteInProgress,
            "DELETE_COMPLETE" => Self::DeleteComplete,
            "DELETE_FAILED" => Self::DeleteFailed,
            other => Self::Other(other.to_owned()),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::ReviewInProgress => "REVIEW_IN_PROGRESS",
            Self::CreateInProgress => "CREATE_IN_PROGRESS",
            Self::CreateComplete => "CREATE_COMPLETE",
            Self::CreateFailed => "CREATE_FAILED",
            Self::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Self::RollbackComplete => "ROLLBACK_COMPLETE",
            Self::RollbackFailed => "ROLLBACK_FAILED",
            Self::UpdateInProgress => "UPDATE_IN_PROGRESS",
            Self::UpdateCompleteCleanupInProgress => "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            Self::UpdateComplete => "UPDATE_COMPLETE",
            Self::UpdateFailed => "UPDATE_FAILED",
            Self::UpdateRollbackInProgress => "UPDATE_ROLLBACK_IN_PROGRESS",
            Self::UpdateRollbackCompleteCleanupInProgress => {
                "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
            }
            Self::UpdateRollbackComplete => "UPDATE_ROLLBACK_COMPLETE",
            Self::UpdateRollbackFailed => "UPDATE_ROLLBACK_FAILED",
            Self::ImportInProgress => "IMPORT_IN_PROGRESS",
            Self::ImportComplete => "IMPORT_COMPLETE",
            Self::ImportRollbackInProgress => "IMPORT_ROLLBACK_IN_PROGRESS",
            Self::ImportRollbackComplete => "IMPORT_ROLLBACK_COMPLETE",
            Self::ImportRollbackFailed => "IMPORT_ROLLBACK_FAILED",
            Self::DeleteInProgress => "DELETE_IN_PROGRESS",
            Self::DeleteComplete => "DELETE_COMPLETE",
            Self::DeleteFailed => "DELETE_FAILED",
            Self::Other(status) => status,
        }
    }

    pub fn phase(&self) -> StackPhase {
        match self {
            // The name misleads: nothing is in progress, a change set waits to be executed.
            Self::ReviewInProgress => StackPhase::Stuck(Stuck::Empty),
            Self::CreateInProgress
            | Self::RollbackInProgress
            | Self::UpdateInProgress
            | Self::UpdateCompleteCleanupInProgress
            | Self::UpdateRollbackInProgress
            | Self::UpdateRollbackCompleteCleanupInProgress
            | Self::ImportInProgress
            | Self::ImportRollbackInProgress
            | Self::DeleteInProgress => StackPhase::InProgress,
            Self::CreateComplete | Self::UpdateComplete | Self::ImportComplete => {
                StackPhase::Settled
            }
            Self::RollbackComplete => StackPhase::RolledBack(Rollback::OfCreation),
            Self::UpdateRollbackComplete | Self::ImportRollbackComplete => {
                StackPhase::RolledBack(Rollback::OfUpdate)
            }
            Self::CreateFailed => StackPhase::Stuck(Stuck::CreateFailed),
            Self::RollbackFailed => StackPhase::Stuck(Stuck::CreateRollbackFailed),
            Self::UpdateFailed => StackPhase::Stuck(Stuck::UpdateFailed),
            Self::UpdateRollbackFailed => StackPhase::Stuck(Stuck::UpdateRollbackFailed),
            Self::ImportRollbackFailed => StackPhase::Stuck(Stuck::ImportRollbackFailed),
            Self::DeleteFailed => StackPhase::Stuck(Stuck::DeleteFailed),
            Self::DeleteComplete => StackPhase::Gone,
            Self::Other(status) if status.ends_with("_IN_PROGRESS") => StackPhase::InProgress,
            Self::Other(_) => StackPhase::Stuck(Stuck::Unknown),
        }
    }
}

impl fmt::Display for StackStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::StackStatus as Sdk;

    use super::*;

    fn phase(status: &str) -> StackPhase {
        StackStatus::parse(status).phase()
    }

    #[test]
    fn every_status_the_sdk_knows_is_known_and_written_as_it_came() {
        for status in Sdk::values() {
            let ours = StackStatus::parse(status);
            assert!(!matches!(ours, StackStatus::Other(_)), "{status} is not known");
            assert_eq!(ours.as_str(), *status);
        }
    }

    #[test]
    fn whatever_cloudformation_is_working_on_is_in_progress() {
        for status in Sdk::values().iter().filter(|status| status.ends_with("_IN_PROGRESS")) {
            let expected = match *status {
                "REVIEW_IN_PROGRESS" => StackPhase::Stuck(Stuck::Empty),
                _ => StackPhase::InProgress,
            };
            assert_eq!(phase(status), expected, "{status}");
        }
    }

    #[test]
    fn whatever_failed_is_stuck() {
        for status in Sdk::values().iter().filter(|status| status.ends_with("_FAILED")) {
            assert!(matches!(phase(status), StackPhase::Stuck(_)), "{status}");
        }
    }

    #[test]
    fn a_rollback_is_no_success() {
        assert_eq!(phase("CREATE_COMPLETE"), StackPhase::Settled);
        assert_eq!(phase("ROLLBACK_COMPLETE"), StackPhase::RolledBack(Rollback::OfCreation));
        assert_eq!(phase("UPDATE_ROLLBACK_COMPLETE"), StackPhase::RolledBack(Rollback::OfUpdate));
        assert_eq!(phase("DELETE_COMPLETE"), StackPhase::Gone);
    }

    #[test]
    fn a_status_of_tomorrow_is_never_taken_for_success() {
        assert_eq!(phase("MIGRATE_IN_PROGRESS"), StackPhase::InProgress);
        assert_eq!(phase("MIGRATE_COMPLETE"), StackPhase::Stuck(Stuck::Unknown));
        assert_eq!(StackStatus::parse("MIGRATE_COMPLETE").to_string(), "MIGRATE_COMPLETE");
    }
}
