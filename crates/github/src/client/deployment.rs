//! Deployments as GitHub shows them: beside a commit, on its pull request, under "Environments".

use http::Method;
use serde::{Deserialize, Serialize};

use super::{GitHub, is_not_found};
use crate::api::escape_all;
use crate::error::Error;
use crate::text;
use model::{CommitSha, RepositoryName};

/// GitHub refuses a longer description.
const LONGEST_DESCRIPTION: usize = 140;

/// A deployment to tell GitHub of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDeployment {
    pub commit: CommitSha,
    pub environment: String,
    /// What tells it from other deployments of the commit to the environment: it is kept in the
    /// deployment's payload, so that one whose creation was not answered is found again.
    pub key: String,
    pub lasting: Lasting,
}

/// What kind of environment it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// It goes away again, as a preview does.
    Transient,
    LongLived,
    /// People use it.
    Production,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentStatus {
    pub state: DeploymentState,
    /// One sentence; cut to what GitHub takes.
    pub description: String,
    /// Where what was deployed can be looked at.
    pub environment_url: Option<String>,
    pub log_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    Queued,
    InProgress,
    Success,
    Failure,
    Error,
    Inactive,
}

/// What came of a status of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    Done,
    /// Somebody has deleted the deployment.
    Gone,
}

#[derive(Serialize)]
struct Create<'a> {
    #[serde(rename = "ref")]
    commit: &'a CommitSha,
    task: &'static str,
    /// We deploy what was built, not what GitHub would merge.
    auto_merge: bool,
    /// Empty: by default GitHub wants every status green, and ours is not before the end.
    required_contexts: [&'static str; 0],
    environment: &'a str,
    payload: Payload,
    transient_environment: bool,
    production_environment: bool,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    greenroom: String,
}

#[derive(Serialize)]
struct CreateStatus<'a> {
    state: DeploymentState,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_url: Option<&'a str>,
    auto_inactive: bool,
}

#[derive(Deserialize)]
struct Wire {
    id: u64,
    /// Anybody's; ours is an object. GitHub gives back as text what was sent as text.
    #[serde(default)]
    payload: serde_json::Value,
}

impl Wire {
    fn is(&self, key: &str) -> bool {
        let payload = match &self.payload {
            serde_json::Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
            other => other.clone(),
        };
        serde_json::from_value::<Payload>(payload).is_ok_and(|payload| payload.greenroom == key)
    }
}

impl GitHub {
    /// Our deployment of this key, if GitHub has it.
    pub async fn find_deployment(
        &self,
        repo: &RepositoryName,
        wanted: &NewDeployment,
    ) -> Result<Option<u64>, Error> {
        let environment = escape_all(&wanted.environment);
        let path = format!("/deployments?sha={}&environment={environment}", wanted.commit);
        let found: Vec<Wire> = self.list(repo, &path).await?;
        Ok(found.iter().find(|deployment| deployment.is(&wanted.key)).map(|found| found.id))
    }

    /// Tells GitHub of a deployment; its id. Nothing is deployed by it.
    pub async fn create_deployment(
        &self,
        repo: &RepositoryName,
        wanted: &NewDeployment,
    ) -> Result<u64, Error> {
        let (transient_environment, production_environment) = match wanted.lasting {
            Lasting::Transient => (true, false),
            Lasting::LongLived => (false, false),
            Lasting::Production => (false, true),
        };
        let create = Create {
            commit: &wanted.commit,
            task: "deploy",
            auto_merge: false,
            required_contexts: [],
            environment: &wanted.environment,
            payload: Payload { greenroom: wanted.key.clone() },
            transient_environment,
            production_environment,
        };
        let made: Wire = self
            .send(Method::POST, repo, "/deployments", Some(&create))
            .await
            .map_err(|error| self.not_visible(repo, error))?
            .json()?;
        Ok(made.id)
    }

    /// Adds a status to a deployment. A success ends the environment's earlier ones where it is a
    /// long-lived one; those of a transient one we end ourselves, for GitHub does not.
    pub async fn create_deployment_status(
        &self,
        repo: &RepositoryName,
        id: u64,
        status: &DeploymentStatus,
    ) -> Result<Taken, Error> {
        /// Read so that an answer to anything else than a creation is noticed.
        #[derive(Deserialize)]
        struct Created {
            #[expect(dead_code, reason = "its presence is what counts")]
            id: u64,
        }
        let create = CreateStatus {
            state: status.state,
            description: text::cut(&status.description, LONGEST_DESCRIPTION),
            environment_url: status.environment_url.as_deref(),
            log_url: status.log_url.as_deref(),
            auto_inactive: true,
        };
        let path = format!("/deployments/{id}/statuses");
        let outcome = match self.send(Method::POST, repo, &path, Some(&create)).await {
            Ok(answer) => answer.json::<Created>(),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(_) => Ok(Taken::Done),
            Err(error) if is_not_found(&error) => {
                self.repository(repo).await?;
                Ok(Taken::Gone)
            }
            Err(error) => Err(error),
        }
    }
}
