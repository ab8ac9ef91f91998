//! What may be wanted of GitHub: four kinds of things, each with the key of its row.

use model::CommitSha;
use model::comment::command::Reaction;
use model::status::Status;
use model::status::deployment::{DeploymentState, Lasting};
use serde::{Deserialize, Serialize};

/// As the column `wanted` holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Wish {
    Status(StatusWish),
    Comment(CommentWish),
    Deployment(DeploymentWish),
    Reaction(ReactionWish),
}

/// What is put under somebody's comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReactionWish {
    /// GitHub's number of the comment.
    pub comment: i64,
    pub pull_request: i64,
    pub content: Reaction,
}

/// A status of a commit, with the page it points to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusWish {
    pub commit: CommitSha,
    #[serde(flatten)]
    pub status: Status,
    pub target_url: String,
}

/// The one comment on a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentWish {
    pub pull_request: i64,
    /// What the body begins with: by this the comment is known for ours.
    pub marker: String,
    pub body: String,
}

/// A build's deployment to an environment, with its latest status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentWish {
    pub build: i64,
    pub commit: CommitSha,
    pub environment: String,
    pub lasting: Lasting,
    pub state: DeploymentState,
    pub description: String,
    pub environment_url: Option<String>,
    pub log_url: String,
}

impl Wish {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Comment(_) => "comment",
            Self::Deployment(_) => "deployment",
            Self::Reaction(_) => "reaction",
        }
    }

    /// What the thing on GitHub belongs to.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::Status(status) => status.commit.to_string(),
            Self::Comment(comment) => comment.pull_request.to_string(),
            Self::Deployment(deployment) => deployment.build.to_string(),
            Self::Reaction(reaction) => reaction.comment.to_string(),
        }
    }

    /// What tells it from others of its kind there.
    pub(super) fn place(&self) -> &str {
        match self {
            Self::Status(status) => &status.status.context,
            Self::Comment(comment) => &comment.marker,
            Self::Deployment(deployment) => &deployment.environment,
            Self::Reaction(reaction) => reaction.content.as_str(),
        }
    }

    /// What it is, for people.
    pub fn what(&self) -> String {
        match self {
            Self::Status(wish) => {
                format!("status {}: {}", wish.status.context, wish.status.state.as_str())
            }
            Self::Comment(_) => "comment".to_owned(),
            Self::Deployment(wish) => {
                format!("deployment to {}: {}", wish.environment, wish.state.as_str())
            }
            Self::Reaction(wish) => format!("reaction {} to a comment", wish.content.as_str()),
        }
    }
}
