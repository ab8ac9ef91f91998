//! Who may do what, and where: one table, read by the router for every call.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::AppName;
use crate::people::Known;

/// What somebody may do in one place.
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

    /// Whether somebody may decide about deploys to a stage: any admin, and a deployer whom the
    /// stage names.
    pub fn may_approve(self, known: &Known, approvers: &[String]) -> bool {
        match self {
            Self::Admin => true,
            Self::Deployer => approvers.iter().any(|approver| known.is(approver)),
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

/// Where something is done: a right in one app says nothing of another, or of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    Server,
    App(&'a AppName),
}

/// All that somebody may do: a role in the whole server, roles in single apps, both or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    everywhere: Option<Role>,
    apps: BTreeMap<AppName, Role>,
}

/// The apps in which somebody may do something, most often read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readable {
    All,
    These(BTreeSet<AppName>),
}

impl Rights {
    pub fn everywhere(role: Role) -> Self {
        Self { everywhere: Some(role), apps: BTreeMap::new() }
    }

    /// In these apps and nowhere else.
    pub fn in_apps(apps: impl IntoIterator<Item = (AppName, Role)>) -> Self {
        Self { everywhere: None, apps: apps.into_iter().collect() }
    }

    /// The same, and what the other one may.
    pub fn and(mut self, other: Self) -> Self {
        self.everywhere = stronger(self.everywhere, other.everywhere);
        for (app, role) in other.apps {
            let held = self.apps.get(&app).copied();
            if let Some(role) = stronger(held, Some(role)) {
                self.apps.insert(app, role);
            }
        }
        self
    }

    /// The same, and nowhere more than this role: what somebody lends to a program.
    pub fn at_most(self, most: Role) -> Self {
        let lent = |role: Role| weaker(role, most);
        Self {
            everywhere: self.everywhere.map(lent),
            apps: self.apps.into_iter().map(|(app, role)| (app, lent(role))).collect(),
        }
    }

    /// The strongest role that there is in any place.
    pub fn strongest(&self) -> Option<Role> {
        self.apps.values().copied().fold(self.everywhere, |held, role| stronger(held, Some(role)))
    }

    /// The strongest role that holds there.
    pub fn role(&self, scope: Scope<'_>) -> Option<Role> {
        match scope {
            Scope::Server => self.everywhere,
            Scope::App(app) => stronger(self.everywhere, self.apps.get(app).copied()),
        }
    }

    pub fn allows(&self, action: Action, scope: Scope<'_>) -> bool {
        self.role(scope).is_some_and(|role| role.allows(action))
    }

    /// The single apps in which there is a role, beside what holds everywhere.
    pub fn apps(&self) -> impl Iterator<Item = (&AppName, Role)> {
        self.apps.iter().map(|(app, role)| (app, *role))
    }

    /// Whether there is any place in which the action is allowed.
    pub fn allows_somewhere(&self, action: Action) -> bool {
        self.everywhere.iter().chain(self.apps.values()).any(|role| role.allows(action))
    }

    pub fn readable(&self) -> Readable {
        self.allowing(Action::Read)
    }

    /// The apps in which the action is allowed.
    pub fn allowing(&self, action: Action) -> Readable {
        if self.allows(action, Scope::Server) {
            return Readable::All;
        }
        let apps = self.apps.iter().filter(|(_, role)| role.allows(action));
        Readable::These(apps.map(|(app, _)| app.clone()).collect())
    }
}

impl Readable {
    pub fn includes(&self, app: &AppName) -> bool {
        match self {
            Self::All => true,
            Self::These(apps) => apps.contains(app),
        }
    }
}

/// A worker's role is beside the others: it never joins them.
fn rank(role: Role) -> u8 {
    match role {
        Role::Worker => 0,
        Role::Viewer => 1,
        Role::Deployer => 2,
        Role::Admin => 3,
    }
}

/// The one that allows more.
fn stronger(one: Option<Role>, other: Option<Role>) -> Option<Role> {
    one.into_iter().chain(other).max_by_key(|role| rank(*role))
}

fn weaker(one: Role, other: Role) -> Role {
    if rank(one) <= rank(other) { one } else { other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_in_one_app_is_none_in_another_or_in_the_server() {
        let (mine, other): (AppName, AppName) = ("mine".parse().unwrap(), "other".parse().unwrap());
        let rights = Rights::in_apps([(mine.clone(), Role::Admin)]);
        assert!(rights.allows(Action::Configure, Scope::App(&mine)));
        assert!(!rights.allows(Action::Read, Scope::App(&other)));
        assert!(!rights.allows(Action::Read, Scope::Server));
        assert_eq!(rights.readable(), Readable::These([mine].into()));
    }

    #[test]
    fn a_role_in_the_server_holds_in_every_app_and_the_stronger_one_counts() {
        let app: AppName = "mine".parse().unwrap();
        let rights =
            Rights::everywhere(Role::Viewer).and(Rights::in_apps([(app.clone(), Role::Deployer)]));
        assert_eq!(rights.role(Scope::App(&app)), Some(Role::Deployer));
        assert_eq!(rights.role(Scope::Server), Some(Role::Viewer));
        assert_eq!(rights.readable(), Readable::All);
        let admin =
            Rights::everywhere(Role::Admin).and(Rights::in_apps([(app.clone(), Role::Viewer)]));
        assert_eq!(admin.role(Scope::App(&app)), Some(Role::Admin));
    }

    #[test]
    fn what_is_lent_is_nowhere_more_than_was_said_and_nowhere_more_than_there_is() {
        let (mine, other): (AppName, AppName) = ("mine".parse().unwrap(), "other".parse().unwrap());
        let roles = [(mine.clone(), Role::Admin), (other.clone(), Role::Viewer)];
        let rights = Rights::in_apps(roles);
        assert_eq!(rights.strongest(), Some(Role::Admin));
        let lent = rights.at_most(Role::Deployer);
        assert_eq!(lent.role(Scope::App(&mine)), Some(Role::Deployer));
        assert_eq!(lent.role(Scope::App(&other)), Some(Role::Viewer));
        assert_eq!(lent.role(Scope::Server), None);
        assert_eq!(Rights::default().strongest(), None);
        let everywhere = Rights::everywhere(Role::Admin).at_most(Role::Viewer);
        assert!(!everywhere.allows(Action::Build, Scope::App(&mine)));
    }

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
            assert_eq!(role.may_approve(&Known::Token(name.into()), &approvers), may, "{name}");
        }
        assert!(!Role::Deployer.may_approve(&Known::Token(String::new()), &[]));
    }
}
