//! The `push` event: a branch or tag was created, moved, forced or deleted.

use serde::Deserialize;

use super::{Event, GitRef, Id, Login, ParseError, Repository, read, short};
use model::CommitSha;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    pub git_ref: GitRef,
    pub kind: PushKind,
    /// The commit that the ref points to now; none after a deletion.
    pub head_commit: Option<HeadCommit>,
    pub repository: Repository,
    pub installation: Option<u64>,
    pub sender: Option<String>,
}

/// What happened to the ref. `before` and `after` are what the ref itself held: for an
/// annotated tag that is a tag object, no commit; see [`Push::commit`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushKind {
    Created { after: CommitSha },
    Updated { before: CommitSha, after: CommitSha },
    Forced { before: CommitSha, after: CommitSha },
    Deleted { before: CommitSha },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadCommit {
    pub id: CommitSha,
    pub message: String,
    /// The author's name as git has it.
    pub author: String,
}

impl PushKind {
    pub fn before(&self) -> Option<&CommitSha> {
        match self {
            Self::Created { after: _ } => None,
            Self::Updated { before, .. }
            | Self::Forced { before, .. }
            | Self::Deleted { before } => Some(before),
        }
    }

    pub fn after(&self) -> Option<&CommitSha> {
        match self {
            Self::Created { after } | Self::Updated { after, .. } | Self::Forced { after, .. } => {
                Some(after)
            }
            Self::Deleted { before: _ } => None,
        }
    }
}

impl Push {
    /// The commit to build: the one an annotated tag leads to, not the tag object.
    pub fn commit(&self) -> Option<&CommitSha> {
        let after = self.kind.after()?;
        Some(self.head_commit.as_ref().map_or(after, |head| &head.id))
    }
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "ref")]
    full_ref: String,
    before: CommitSha,
    after: CommitSha,
    #[serde(default)]
    forced: bool,
    #[serde(default)]
    head_commit: Option<WireCommit>,
    repository: Repository,
    #[serde(default)]
    installation: Option<Id>,
    #[serde(default)]
    sender: Option<Login>,
}

#[derive(Deserialize)]
struct WireCommit {
    id: CommitSha,
    message: String,
    author: WireAuthor,
}

#[derive(Deserialize)]
struct WireAuthor {
    #[serde(default)]
    name: Option<String>,
}

pub(super) fn parse(body: &[u8]) -> Result<Event, ParseError> {
    let wire: Wire = read("push", body)?;
    let Some(git_ref) = GitRef::from_full(&wire.full_ref) else {
        return Ok(Event::ignored(format!(
            "`{}` is neither a branch nor a tag",
            short(&wire.full_ref)
        )));
    };
    // The zero ids say more than the flags: they cannot disagree with what there is to build.
    let (before, after) = (wire.before, wire.after);
    let kind = match (before.is_zero(), after.is_zero()) {
        (true, true) => return Ok(Event::ignored("the push changed nothing")),
        (true, false) => PushKind::Created { after },
        (false, true) => PushKind::Deleted { before },
        (false, false) if wire.forced => PushKind::Forced { before, after },
        (false, false) => PushKind::Updated { before, after },
    };
    Ok(Event::Push(Push {
        git_ref,
        kind,
        head_commit: wire.head_commit.map(|commit| HeadCommit {
            id: commit.id,
            message: commit.message,
            author: commit.author.name.unwrap_or_default(),
        }),
        repository: wire.repository,
        installation: Id::of(wire.installation.as_ref()),
        sender: Login::of(wire.sender),
    }))
}
