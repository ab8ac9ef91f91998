//! The `issue_comment` event: somebody wrote a comment on a pull request. GitHub counts pull requests
//! among issues; comments on lines of a change are another event, which nobody here needs.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{Event, Id, ParseError, Repository, read, read_action};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueComment {
    pub id: u64,
    /// The pull request.
    pub number: u64,
    pub body: String,
    pub author: Author,
    /// In whole seconds.
    pub written_at: DateTime<Utc>,
    pub repository: Repository,
    pub installation: Option<u64>,
}

/// A person: the id survives another login.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Author {
    pub id: u64,
    pub login: String,
}

#[derive(Deserialize)]
struct Wire {
    issue: WireIssue,
    comment: WireComment,
    repository: Repository,
    #[serde(default)]
    installation: Option<Id>,
}

#[derive(Deserialize)]
struct WireIssue {
    number: u64,
    /// Absent of what is an issue and nothing more.
    #[serde(default)]
    pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct WireComment {
    id: u64,
    #[serde(default)]
    body: Option<String>,
    created_at: DateTime<Utc>,
    /// None of an account that is gone.
    user: Option<WireUser>,
}

#[derive(Deserialize)]
struct WireUser {
    #[serde(flatten)]
    author: Author,
    /// `User`, `Bot`, `Organization`, `Mannequin`
    #[serde(rename = "type")]
    kind: String,
}

pub(super) fn parse(body: &[u8]) -> Result<Event, ParseError> {
    let action = read_action("issue_comment", body)?;
    match action.as_str() {
        "created" => {}
        "edited" | "deleted" => {
            return Ok(Event::ignored(format!(
                "a comment was {action}: only a new one asks for anything"
            )));
        }
        _ => return Ok(Event::ignored_action("issue_comment", &action)),
    }
    let wire: Wire = read("issue_comment", body)?;
    if wire.issue.pull_request.is_none() {
        return Ok(Event::ignored("the comment is on an issue, not on a pull request"));
    }
    let comment = wire.comment;
    let author = match comment.user {
        Some(WireUser { author, kind }) if kind == "User" => author,
        Some(WireUser { author, kind }) => {
            return Ok(Event::ignored(format!(
                "the comment was not written by a person: {} is a {}",
                super::short(&author.login),
                super::short(&kind)
            )));
        }
        None => return Ok(Event::ignored("the comment's author is gone")),
    };
    Ok(Event::IssueComment(IssueComment {
        id: comment.id,
        number: wire.issue.number,
        body: comment.body.unwrap_or_default(),
        author,
        written_at: comment.created_at,
        repository: wire.repository,
        installation: Id::of(wire.installation.as_ref()),
    }))
}
