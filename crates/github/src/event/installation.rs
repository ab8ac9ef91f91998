//! The `installation` and `installation_repositories` events: where the GitHub App may act.

use serde::Deserialize;

use super::{Event, Login, ParseError, read, read_action};
use model::RepositoryName;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    pub action: InstallationAction,
    pub id: u64,
    pub account: Account,
    /// Filled by GitHub for `created` and `deleted`; empty says nothing.
    pub repositories: Vec<NamedRepository>,
    pub sender: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallationAction {
    Created,
    Deleted,
    Suspended,
    Unsuspended,
    NewPermissionsAccepted,
}

/// Where the App is installed: a user, an organization, or an enterprise (by its slug).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account(pub String);

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NamedRepository {
    pub id: u64,
    #[serde(rename = "full_name")]
    pub name: RepositoryName,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallationRepositories {
    pub id: u64,
    pub account: Account,
    pub added: Vec<NamedRepository>,
    pub removed: Vec<NamedRepository>,
    pub sender: Option<String>,
}

#[derive(Deserialize)]
struct Wire {
    installation: WireInstallation,
    #[serde(default)]
    repositories: Option<Vec<NamedRepository>>,
    #[serde(default)]
    sender: Option<Login>,
}

#[derive(Deserialize)]
struct WireInstallation {
    id: u64,
    account: WireAccount,
}

#[derive(Deserialize)]
struct WireAccount {
    #[serde(default)]
    login: Option<String>,
    #[serde(default)]
    slug: Option<String>,
}

impl WireAccount {
    fn into_account(self) -> Account {
        Account(self.login.or(self.slug).unwrap_or_default())
    }
}

#[derive(Deserialize)]
struct WireRepositories {
    installation: WireInstallation,
    repositories_added: Vec<NamedRepository>,
    repositories_removed: Vec<NamedRepository>,
    #[serde(default)]
    sender: Option<Login>,
}

pub(super) fn parse(body: &[u8]) -> Result<Event, ParseError> {
    let action = match read_action("installation", body)?.as_str() {
        "created" => InstallationAction::Created,
        "deleted" => InstallationAction::Deleted,
        "suspend" => InstallationAction::Suspended,
        "unsuspend" => InstallationAction::Unsuspended,
        "new_permissions_accepted" => InstallationAction::NewPermissionsAccepted,
        other => return Ok(Event::ignored_action("installation", other)),
    };
    let wire: Wire = read("installation", body)?;
    Ok(Event::Installation(Installation {
        action,
        id: wire.installation.id,
        account: wire.installation.account.into_account(),
        repositories: wire.repositories.unwrap_or_default(),
        sender: Login::of(wire.sender),
    }))
}

pub(super) fn parse_repositories(body: &[u8]) -> Result<Event, ParseError> {
    let wire: WireRepositories = read("installation_repositories", body)?;
    Ok(Event::InstallationRepositories(InstallationRepositories {
        id: wire.installation.id,
        account: wire.installation.account.into_account(),
        added: wire.repositories_added,
        removed: wire.repositories_removed,
        sender: Login::of(wire.sender),
    }))
}
