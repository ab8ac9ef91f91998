//! Who may do what: one table, read by the router for every call.

use serde::{Deserialize, Serialize};

/// What a bearer token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "sqlx",
    derive(sqlx::Type),
    sqlx(type_name = "text", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Admin,
    Deployer,
    Viewer,
    /// A worker process: the worker API and nothing else.
    Worker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Read builds, stages, logs, settings without their secrets.
    Read,
    /// Start, cancel and rerun builds, remove previews.
    Build,
    /// Change rules, profiles, stages, parameters.
    Configure,
    /// Claim jobs and report them.
    Work,
}

impl Role {
    pub fn allows(self, action: Action) -> bool {
        match (self, action) {
            (Self::Worker, Action::Work) => true,
            (Self::Worker, Action::Read | Action::Build | Action::Configure) => false,
            (Self::Admin | Self::Deployer | Self::Viewer, Action::Work) => false,
            (Self::Admin, Action::Read | Action::Build | Action::Configure) => true,
            (Self::Deployer, Action::Read | Action::Build) => true,
            (Self::Deployer, Action::Configure) => false,
            (Self::Viewer, Action::Read) => true,
            (Self::Viewer, Action::Build | Action::Configure) => false,
        }
    }

    /// Whether somebody of this name may decide about deploys to a stage: any admin, and a deployer
    /// whom the stage names.
    pub fn may_approve(self, name: &str, approvers: &[String]) -> bool {
        match self {
            Self::Admin => true,
            Self::Deployer => approvers.iter().any(|approver| approver == name),
            Self::Viewer | Self::Worker => false,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Deployer => "deployer",
            Self::Viewer => "viewer",
            Self::Worker => "worker",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_admin_and_a_deployer_who_is_named_may_approve() {
        let approvers = ["ann".to_owned()];
        for (role, name, may) in [
            (Role::Admin, "root", true),
            (Role::Deployer, "ann", true),
            (Role::Deployer, "Ann", false),
            (Role::Deployer, "bob", false),
            (Role::Viewer, "ann", false),
            (Role::Worker, "ann", false),
        ] {
            assert_eq!(role.may_approve(name, &approvers), may, "{name}");
        }
        assert!(!Role::Deployer.may_approve("", &[]));
    }
}
