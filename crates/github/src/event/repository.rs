//! The `repository` event: a repository was made, renamed, moved, archived, deleted.

use serde::Deserialize;

use super::{Event, Id, Login, ParseError, Repository, read, read_action};
use model::RepositoryName;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryChange {
    pub action: RepositoryAction,
    /// The repository as it is now (or was last, when deleted).
    pub repository: Repository,
    pub installation: Option<u64>,
    pub sender: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepositoryAction {
    Created,
    Deleted,
    Archived,
    Unarchived,
    Edited,
    Privatized,
    Publicized,
    /// Renamed, or given to another owner.
    Renamed {
        from: RepositoryName,
    },
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    changes: Changes,
    repository: Repository,
    #[serde(default)]
    installation: Option<Id>,
    #[serde(default)]
    sender: Option<Login>,
}

#[derive(Default, Deserialize)]
struct Changes {
    #[serde(default)]
    repository: Option<ChangedRepository>,
    #[serde(default)]
    owner: Option<ChangedOwner>,
}

#[derive(Deserialize)]
struct ChangedRepository {
    name: OldName,
}

#[derive(Deserialize)]
struct OldName {
    from: String,
}

#[derive(Deserialize)]
struct ChangedOwner {
    from: OldOwner,
}

#[derive(Deserialize)]
struct OldOwner {
    #[serde(default)]
    user: Option<Login>,
    #[serde(default)]
    organization: Option<Login>,
}

pub(super) fn parse(body: &[u8]) -> Result<Event, ParseError> {
    let action = read_action("repository", body)?;
    let known = match action.as_str() {
        "created" => Some(RepositoryAction::Created),
        "deleted" => Some(RepositoryAction::Deleted),
        "archived" => Some(RepositoryAction::Archived),
        "unarchived" => Some(RepositoryAction::Unarchived),
        "edited" => Some(RepositoryAction::Edited),
        "privatized" => Some(RepositoryAction::Privatized),
        "publicized" => Some(RepositoryAction::Publicized),
        "renamed" | "transferred" => None,
        other => return Ok(Event::ignored_action("repository", other)),
    };
    let wire: Wire = read("repository", body)?;
    let action = match known {
        Some(action) => action,
        None => RepositoryAction::Renamed { from: old_name(&wire.repository.name, wire.changes)? },
    };
    Ok(Event::Repository(RepositoryChange {
        action,
        repository: wire.repository,
        installation: Id::of(wire.installation.as_ref()),
        sender: Login::of(wire.sender),
    }))
}

/// The name before a rename or transfer: what did not change is as in `now`.
fn old_name(now: &RepositoryName, changes: Changes) -> Result<RepositoryName, ParseError> {
    let bad = |path: &str, problem: &dyn ToString| {
        ParseError::new("repository", path, &problem.to_string())
    };
    if let Some(changed) = changes.repository {
        return now
            .with_name(&changed.name.from)
            .map_err(|error| bad("changes.repository.name.from", &error));
    }
    changes
        .owner
        .and_then(|owner| owner.from.user.or(owner.from.organization))
        .ok_or_else(|| bad("changes", &"says neither the old name nor the old owner"))
        .and_then(|owner| {
            now.with_owner(&owner.login).map_err(|error| bad("changes.owner.from", &error))
        })
}
