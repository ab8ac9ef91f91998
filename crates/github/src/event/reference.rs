//! Refs, and the `delete` event: a branch or tag is gone.

use serde::Deserialize;

use super::{Event, Id, Login, ParseError, Repository, read, short};

/// A branch or tag by its short name (`feature/x`, not `refs/heads/feature/x`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GitRef {
    Branch(String),
    Tag(String),
}

impl GitRef {
    /// Reads `refs/heads/…` and `refs/tags/…`; any other ref is none of ours.
    pub fn from_full(full: &str) -> Option<Self> {
        let named = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        if let Some(name) = full.strip_prefix("refs/heads/") {
            named(name).map(Self::Branch)
        } else {
            full.strip_prefix("refs/tags/").and_then(named).map(Self::Tag)
        }
    }

    /// The short name.
    pub fn name(&self) -> &str {
        match self {
            Self::Branch(name) | Self::Tag(name) => name,
        }
    }
}

/// A branch or tag that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    pub git_ref: GitRef,
    pub repository: Repository,
    pub installation: Option<u64>,
    pub sender: Option<String>,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "ref")]
    name: String,
    ref_type: String,
    repository: Repository,
    #[serde(default)]
    installation: Option<Id>,
    #[serde(default)]
    sender: Option<Login>,
}

pub(super) fn parse(body: &[u8]) -> Result<Event, ParseError> {
    let wire: Wire = read("delete", body)?;
    let git_ref = match wire.ref_type.as_str() {
        "branch" => GitRef::Branch(wire.name),
        "tag" => GitRef::Tag(wire.name),
        other => {
            return Ok(Event::ignored(format!(
                "a deleted `{}` is neither branch nor tag",
                short(other)
            )));
        }
    };
    Ok(Event::Delete(Deletion {
        git_ref,
        repository: wire.repository,
        installation: Id::of(wire.installation.as_ref()),
        sender: Login::of(wire.sender),
    }))
}
