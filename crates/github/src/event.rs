//! What a webhook delivery says, for those who act on it: (event name, body) -> [`Event`].
//!
//! Pure. Fields that nobody here needs may be missing, new or strange; a needed field that is
//! missing or of another type gives a [`ParseError`] that names it. Events, actions and kinds
//! of refs that start nothing are [`Event::Ignored`] with the reason to show.

mod installation;
mod issue_comment;
mod pull_request;
mod push;
mod reference;
mod repository;

pub use installation::{
    Account, Installation, InstallationAction, InstallationRepositories, NamedRepository,
};
pub use issue_comment::{Author, IssueComment};
pub use pull_request::{PullRequest, PullRequestAction, PullRequestBase, PullRequestHead};
pub use push::{HeadCommit, Push, PushKind};
pub use reference::{Deletion, GitRef};
pub use repository::{RepositoryAction, RepositoryChange};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use model::RepositoryName;

/// One delivery, as far as Greenroom acts on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Push(Push),
    PullRequest(PullRequest),
    /// A person wrote a comment on a pull request.
    IssueComment(IssueComment),
    /// A branch or tag was deleted. GitHub sends a [`PushKind::Deleted`] for the same as well.
    Delete(Deletion),
    Ping {
        zen: String,
    },
    Installation(Installation),
    InstallationRepositories(InstallationRepositories),
    Repository(RepositoryChange),
    Ignored {
        reason: String,
    },
}

impl Event {
    /// Reads one delivery. `name` is the header `x-github-event`.
    pub fn parse(name: &str, body: &[u8]) -> Result<Self, ParseError> {
        match name {
            "push" => push::parse(body),
            "pull_request" => pull_request::parse(body),
            "issue_comment" => issue_comment::parse(body),
            "delete" => reference::parse(body),
            "ping" => read::<Ping>(name, body).map(|ping| Self::Ping { zen: ping.zen }),
            "installation" => installation::parse(body),
            "installation_repositories" => installation::parse_repositories(body),
            "repository" => repository::parse(body),
            "create" => Ok(Self::ignored("a created ref also arrives as a `push` event")),
            other => Ok(Self::ignored(format!("the event `{}` starts nothing here", short(other)))),
        }
    }

    /// The repository that this is about, when it is about exactly one.
    pub fn repository(&self) -> Option<&Repository> {
        match self {
            Self::Push(push) => Some(&push.repository),
            Self::PullRequest(pull) => Some(&pull.repository),
            Self::IssueComment(comment) => Some(&comment.repository),
            Self::Delete(deletion) => Some(&deletion.repository),
            Self::Repository(change) => Some(&change.repository),
            Self::Ping { .. }
            | Self::Installation(_)
            | Self::InstallationRepositories(_)
            | Self::Ignored { .. } => None,
        }
    }

    fn ignored(reason: impl Into<String>) -> Self {
        Self::Ignored { reason: reason.into() }
    }

    fn ignored_action(event: &str, action: &str) -> Self {
        Self::ignored(format!("the action `{}` of `{event}` starts nothing here", short(action)))
    }
}

/// A repository as deliveries describe it. The id survives renames and transfers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Repository {
    pub id: u64,
    #[serde(rename = "full_name")]
    pub name: RepositoryName,
    pub private: bool,
    /// Absent in some deliveries of old GitHub Enterprise servers.
    #[serde(default)]
    pub default_branch: Option<String>,
}

/// A body that is no JSON, or lacks something that its event must have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the `{event}` delivery cannot be read: {place}{problem}")]
pub struct ParseError {
    event: String,
    place: String,
    problem: String,
}

impl ParseError {
    fn new(event: &str, path: &str, problem: &impl ToString) -> Self {
        Self {
            event: short(event),
            place: match path {
                "" | "." => String::new(),
                path => format!("`{path}`: "),
            },
            problem: problem.to_string(),
        }
    }
}

fn read<T: DeserializeOwned>(event: &str, body: &[u8]) -> Result<T, ParseError> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| ParseError::new(event, &error.path().to_string(), error.inner()))?;
    json.end().map_err(|error| ParseError::new(event, "", &error))?;
    Ok(value)
}

/// The `action` alone: an action that starts nothing must not fail for what else it lacks.
fn read_action(event: &str, body: &[u8]) -> Result<String, ParseError> {
    #[derive(Deserialize)]
    struct Action {
        action: String,
    }
    read::<Action>(event, body).map(|found| found.action)
}

/// Reasons and errors go to pages: names from outside are cut.
fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

#[derive(Deserialize)]
struct Ping {
    zen: String,
}

/// A user or organization, by the only thing that we keep of them.
#[derive(Deserialize)]
struct Login {
    login: String,
}

impl Login {
    fn of(user: Option<Self>) -> Option<String> {
        user.map(|user| user.login)
    }
}

#[derive(Deserialize)]
struct Id {
    id: u64,
}

impl Id {
    fn of(thing: Option<&Self>) -> Option<u64> {
        thing.map(|thing| thing.id)
    }
}
