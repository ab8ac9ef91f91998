//! Short-lived credentials, and where fresh ones come from while a job runs.
//!
//! A deploy may outlive its first hour: [`CredentialSource`] is asked again shortly before the
//! current credentials end. The secret parts never print.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

/// What STS handed out for one session of one role.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: SecretString,
    /// Empty for a long-lived key, which has none.
    pub session_token: SecretString,
    pub expires_at: DateTime<Utc>,
}

/// Where credentials come from; a worker asks the server, a test has them at hand.
#[async_trait]
pub trait CredentialSource: Send + Sync + fmt::Debug {
    async fn fetch(&self) -> Result<Credentials, CredentialSourceError>;
}

/// Why no credentials could be had; says so in words, for it ends up in a job's log.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct CredentialSourceError(pub String);

#[async_trait]
impl CredentialSource for Credentials {
    async fn fetch(&self) -> Result<Credentials, CredentialSourceError> {
        Ok(self.clone())
    }
}

/// A source as the SDK wants it. The SDK caches by the expiry and asks again before the end.
#[derive(Clone, Debug)]
pub(crate) struct Provider(pub(crate) Arc<dyn CredentialSource>);

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let fresh = self.0.fetch().await.map_err(CredentialsError::provider_error)?;
            let token = fresh.session_token.expose_secret();
            Ok(aws_credential_types::Credentials::new(
                fresh.access_key_id,
                fresh.secret_access_key.expose_secret(),
                (!token.is_empty()).then(|| token.to_owned()),
                Some(SystemTime::from(fresh.expires_at)),
                "greenroom",
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_do_not_print_their_secrets() {
        let credentials = Credentials {
            access_key_id: "ASIAEXAMPLE".to_owned(),
            secret_access_key: "very-secret".into(),
            session_token: "very-token".into(),
            expires_at: DateTime::UNIX_EPOCH,
        };
        let printed = format!("{credentials:?}");
        assert!(printed.contains("ASIAEXAMPLE"));
        assert!(!printed.contains("very-secret") && !printed.contains("very-token"));
    }
}
