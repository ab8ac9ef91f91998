//! Commit statuses.

use http::Method;
use serde::{Deserialize, Serialize};

use super::GitHub;
use crate::error::Error;
use crate::text;
use model::{CommitSha, RepositoryName};

/// GitHub refuses a longer description.
const LONGEST_DESCRIPTION: usize = 140;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    pub state: StatusState,
    /// What this status is about; a later status of the same context takes its place.
    pub context: String,
    /// One sentence; cut to what GitHub takes.
    pub description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusState {
    Pending,
    Success,
    Failure,
    Error,
}

impl GitHub {
    /// Sets one status of a commit. Sending the same once more does no harm.
    pub async fn create_status(
        &self,
        repo: &RepositoryName,
        sha: &CommitSha,
        status: &Status,
    ) -> Result<(), Error> {
        /// Read so that an answer to anything else than a creation is noticed.
        #[derive(Deserialize)]
        struct Created {
            #[expect(dead_code, reason = "its presence is what counts")]
            id: u64,
        }
        let status = Status {
            description: text::cut(&status.description, LONGEST_DESCRIPTION),
            ..status.clone()
        };
        self.send(Method::POST, repo, &format!("/statuses/{sha}"), Some(&status))
            .await
            .map_err(|error| self.not_visible(repo, error))?
            .json::<Created>()
            .map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_written_as_github_reads_it() {
        let status = Status {
            state: StatusState::Pending,
            context: "greenroom".to_owned(),
            description: "Queued".to_owned(),
            target_url: None,
        };
        assert_eq!(
            serde_json::to_value(&status).unwrap(),
            serde_json::json!({"state": "pending", "context": "greenroom", "description": "Queued"})
        );
    }
}
