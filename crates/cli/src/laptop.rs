//! A command for a stage, on this machine: what the server gives for it, and the files beside it.
//!
//! What always holds: credentials are in memory and in the environment of the command, and in no file;
//! the files hold what is no secret of AWS, in a directory that only its owner can read, and are gone
//! when the command is. After a kill of this program that directory stays, and the server ends the
//! session when its credentials are over.

pub(crate) mod child;
pub(crate) mod renewal;
mod room;
pub(crate) mod shell;

use std::collections::BTreeMap;

use clap::Args;
use model::output::Declared;
use model::personal::{Begin, Begun, CREDENTIALS, Use};
use model::worker_api::AwsCredentials;
use model::{AppName, Region, ServiceName, StageName, plugin};
use serde::Deserialize;
use serde_json::json;

use crate::Surroundings;
use crate::api::Client;
use crate::app::InApp;
use crate::clone::Checkout;
use crate::error::{Error, Result};

pub(crate) use room::Room;

/// Which stage and service a command is for.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    #[command(flatten)]
    pub(crate) app: InApp,
    /// The stage: one of your own, which is made if the name is free, or one that takes you in
    #[arg(long, value_name = "NAME")]
    pub(crate) stage: StageName,
    /// The service [default: the one whose directory this is]
    #[arg(long, value_name = "SERVICE")]
    service: Option<ServiceName>,
    /// Where [default: the region of the stage's profile]
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<Region>,
}

/// What goes on with the server while a command runs.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) begun: Begun,
    path: String,
    /// Where the service's files are.
    pub(crate) directory: std::path::PathBuf,
}

#[derive(Deserialize)]
struct Repository {
    repository: model::RepositoryName,
}

impl Place {
    pub(crate) async fn begin(
        &self,
        around: &Surroundings,
        purpose: Use,
        command: Vec<String>,
    ) -> Result<Session> {
        let (client, app) = self.app.find(around).await?;
        let clone = Checkout::around(&around.directory)?;
        let Repository { repository } = client.part(&client.get(&format!("/apps/{app}")).await?)?;
        let spec = clone.service(self.service.as_ref(), &repository)?;
        let directory = clone.directory_of(&spec);
        let wish = Begin {
            service: spec.name.clone(),
            spec: Some(Box::new(spec)),
            region: self.region.clone(),
            purpose,
            command,
            source: clone.source()?,
            machine: Some(machine()),
        };
        let path = path(&app, &self.stage);
        let body = serde_json::to_value(&wish).map_err(|error| Error::Local(error.to_string()))?;
        let begun: Begun = client.part(&client.post(&path, &body).await?)?;
        let path = format!("{path}/{}", begun.id);
        Ok(Session { client, begun, path, directory })
    }
}

fn path(app: &AppName, stage: &StageName) -> String {
    format!("/apps/{app}/stages/{stage}/laptop")
}

fn machine() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "a machine".to_owned())
}

impl Session {
    /// Credentials for another hour.
    pub(crate) async fn renew(&self) -> Result<AwsCredentials> {
        let value = self.client.post(&format!("{}/renew", self.path), &json!({})).await?;
        self.client.part(&value)
    }

    /// The command has ended.
    pub(crate) async fn end(&self, exit_code: u8, declared: Option<Declared>) -> Result<()> {
        let body = json!({ "exit_code": exit_code, "declared": declared });
        self.client.post(&format!("{}/end", self.path), &body).await.map(drop)
    }

    /// What the command's environment gets, or has otherwise.
    pub(crate) fn variables(&self, room: &Room, theirs: Option<&str>) -> Result<Variables> {
        let begun = &self.begun;
        let text = |value: &BTreeMap<String, String>| {
            serde_json::to_string(value).map_err(|error| Error::Local(error.to_string()))
        };
        let mut set = begun.environment.clone();
        let mut add = |name: &str, value: String| set.insert(name.to_owned(), value);
        add("GREENROOM_OUTPUTS_FILE", room.outputs().display().to_string());
        add("GREENROOM_PARAMETERS", text(&begun.parameters)?);
        add("GREENROOM_STACK_TAGS", text(&begun.stack_tags)?);
        add("NODE_OPTIONS", plugin::node_options(&room.plugin(), theirs));
        if let Some(url) = &begun.aws.url {
            add("AWS_ENDPOINT_URL", url.clone());
            add("AWS_ENDPOINT_URL_S3", url.clone());
        }
        if let Some(file) = room.ca_bundle() {
            let file = file.display().to_string();
            add("AWS_CA_BUNDLE", file.clone());
            add("NODE_EXTRA_CA_CERTS", file);
        }
        let credentials = &begun.credentials;
        add("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone());
        add("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.clone());
        add("AWS_SESSION_TOKEN", credentials.session_token.clone());
        add("AWS_CREDENTIAL_EXPIRATION", credentials.expires_at.to_rfc3339());
        let unset = CREDENTIALS.iter().filter(|name| !set.contains_key(**name));
        let unset = unset.map(|name| (*name).to_owned()).collect();
        Ok(Variables { set, unset })
    }
}

/// What differs in the environment of a command.
pub(crate) struct Variables {
    pub(crate) set: BTreeMap<String, String>,
    /// Other credentials than those that it is given.
    pub(crate) unset: Vec<String>,
}
