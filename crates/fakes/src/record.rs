//! What callers did, kept in order of arrival for tests to look at.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

/// One request of a client, to REST or to git.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    pub at: DateTime<Utc>,
    pub method: String,
    /// Without the `/api/v3` that the caller may have put before it.
    pub path: String,
    pub query: Option<String>,
    /// The body of a REST call when it was JSON.
    pub body: Option<Value>,
    /// What was answered; nothing when the connection was dropped by a fault.
    pub status: Option<u16>,
}

/// One commit status as it was posted.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    pub id: u64,
    pub repository: String,
    pub sha: String,
    pub state: String,
    pub context: String,
    pub description: Option<String>,
    pub target_url: Option<String>,
    pub creator: String,
    pub created_at: DateTime<Utc>,
}

/// One comment on a pull request, with everything that it said before.
#[derive(Clone, Debug, Serialize)]
pub struct Comment {
    pub id: u64,
    pub repository: String,
    pub number: u64,
    pub body: String,
    pub earlier_bodies: Vec<String>,
    pub user: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What somebody put under a comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reaction {
    pub id: u64,
    /// The comment's.
    pub comment: u64,
    pub repository: String,
    /// `+1`, `-1`, `laugh`, `confused`, `heart`, `hooray`, `rocket` or `eyes`
    pub content: String,
    pub user: String,
    pub created_at: DateTime<Utc>,
}

/// One deployment (GitHub's word) and its statuses, oldest first.
#[derive(Clone, Debug, Serialize)]
pub struct Deployment {
    pub id: u64,
    pub repository: String,
    pub sha: String,
    #[serde(rename = "ref")]
    pub reference: String,
    pub task: String,
    pub environment: String,
    pub description: Option<String>,
    pub payload: Value,
    pub transient_environment: bool,
    pub production_environment: bool,
    pub creator: String,
    pub created_at: DateTime<Utc>,
    pub statuses: Vec<DeploymentStatus>,
}

#[derive(Clone, Debug, Serialize)]
pub struct DeploymentStatus {
    pub id: u64,
    pub state: String,
    pub description: String,
    pub environment: String,
    pub environment_url: String,
    pub log_url: String,
    pub creator: String,
    pub created_at: DateTime<Utc>,
}
