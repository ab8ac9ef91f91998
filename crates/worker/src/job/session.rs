//! The server as the SDK's source of credentials: they renew themselves while the job runs.
//!
//! What always holds: the first credentials are fetched and masked when a session is opened, so
//! that a role that refuses is told as such at once; the SDK would take it for a passing fault.

use std::sync::Arc;

use async_trait::async_trait;
use aws::{AwsEndpoint, CredentialSource, CredentialSourceError, Credentials};
use model::worker_api::AwsCredentials;
use tokio::sync::Mutex;

use super::context::Job;
use super::halt::Halt;
use crate::client::JobClient;
use crate::hold::{Hold, Interrupted};

/// What every client of AWS is made with.
pub(super) struct Session {
    pub(super) credentials: Arc<dyn CredentialSource>,
    pub(super) endpoint: AwsEndpoint,
}

pub(super) async fn open(job: &Job) -> Result<Session, Halt> {
    let settings = &job.assignment().aws;
    let endpoint =
        AwsEndpoint { url: settings.url.clone(), ca_bundle_pem: settings.ca_bundle.clone() };
    let source = FromServer {
        client: job.client().clone(),
        hold: job.hold().clone(),
        first: Mutex::new(Some(job.credentials().await?)),
    };
    Ok(Session { credentials: Arc::new(source), endpoint })
}

#[derive(Debug)]
struct FromServer {
    client: JobClient,
    hold: Hold,
    /// Those that were fetched when the source was made.
    first: Mutex<Option<AwsCredentials>>,
}

#[async_trait]
impl CredentialSource for FromServer {
    async fn fetch(&self) -> Result<Credentials, CredentialSourceError> {
        let first = self.first.lock().await.take();
        let AwsCredentials { access_key_id, secret_access_key, session_token, expires_at } =
            match first {
                Some(first) => first,
                None => self.hold.ask(|| self.client.credentials()).await.map_err(refused)?,
            };
        Ok(Credentials {
            access_key_id,
            secret_access_key: secret_access_key.into(),
            session_token: session_token.into(),
            expires_at,
        })
    }
}

fn refused(interrupted: Interrupted) -> CredentialSourceError {
    CredentialSourceError(match interrupted {
        Interrupted::Stopped => "the job was stopped".to_owned(),
        Interrupted::Refused { detail, .. } | Interrupted::Local { detail } => detail,
    })
}
