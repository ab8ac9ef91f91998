//! Values that lie in AWS, read with a job's credentials when the job runs.
//!
//! What always holds: a value leaves this file as a secret only, and stands in no error; nothing
//! is kept, so whoever asks again reads the value of now.

mod error;
mod secret;

use std::fmt;
use std::sync::Arc;

use aws_sdk_ssm::config::retry::RetryConfig;
use aws_sdk_ssm::config::{BehaviorVersion, Region};
use model::app::RemoteParameter;
use secrecy::SecretString;

use crate::count::Counted;
use crate::credentials::{CredentialSource, Provider};
use crate::endpoint::{AwsEndpoint, EndpointError};
use crate::failure::Failure;
pub use error::ParameterError;

/// Many jobs of an account share its small limits.
const ATTEMPTS: u32 = 6;

/// Parameter Store and Secrets Manager of one account and region, as one session may see them.
#[derive(Clone)]
pub struct Parameters {
    ssm: aws_sdk_ssm::Client,
    secrets: aws_sdk_secretsmanager::Client,
    region: String,
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parameters").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Parameters {
    /// Credentials are fetched at the first call, and again whenever they are about to end.
    pub fn new(
        credentials: Arc<dyn CredentialSource>,
        region: &str,
        endpoint: &AwsEndpoint,
    ) -> Result<Self, EndpointError> {
        let provider = Provider(credentials);
        let retry = RetryConfig::standard().with_max_attempts(ATTEMPTS);
        let http = endpoint.http_client()?;
        let ssm = aws_sdk_ssm::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .retry_config(retry.clone())
            .credentials_provider(provider.clone())
            .interceptor(Counted)
            .http_client(http.clone());
        let secrets = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .retry_config(retry)
            .credentials_provider(provider)
            .interceptor(Counted)
            .http_client(http);
        let (ssm, secrets) = match &endpoint.url {
            Some(url) => (ssm.endpoint_url(url), secrets.endpoint_url(url)),
            None => (ssm, secrets),
        };
        Ok(Self {
            ssm: aws_sdk_ssm::Client::from_conf(ssm.build()),
            secrets: aws_sdk_secretsmanager::Client::from_conf(secrets.build()),
            region: region.to_owned(),
        })
    }

    /// The value, decrypted.
    pub async fn read(&self, parameter: &RemoteParameter) -> Result<SecretString, ParameterError> {
        let found = match parameter {
            RemoteParameter::Ssm { name } => self.parameter(name).await,
            RemoteParameter::SecretsManager { id, key } => self.secret(id, key.as_deref()).await,
        };
        found.map_err(|problem| {
            let region = match parameter {
                RemoteParameter::Ssm { .. } => &self.region,
                RemoteParameter::SecretsManager { id, .. } => region_of(id).unwrap_or(&self.region),
            };
            ParameterError::of(problem, parameter, region)
        })
    }

    async fn parameter(&self, name: &str) -> Result<SecretString, Problem> {
        let answer = self.ssm.get_parameter().name(name).with_decryption(true).send().await;
        let answer = answer.map_err(|error| Problem::Call(Failure::of(&error)))?;
        let value = answer.parameter.and_then(|parameter| parameter.value);
        value.map(SecretString::from).ok_or_else(|| Problem::Value("it has no value".to_owned()))
    }

    /// An ARN says the region itself.
    async fn secret(&self, id: &str, key: Option<&str>) -> Result<SecretString, Problem> {
        let region = region_of(id).unwrap_or(&self.region).to_owned();
        let there = aws_sdk_secretsmanager::Config::builder().region(Region::new(region));
        let answer = self
            .secrets
            .get_secret_value()
            .secret_id(id)
            .customize()
            .config_override(there)
            .send()
            .await;
        let answer = answer.map_err(|error| Problem::Call(Failure::of(&error)))?;
        let Some(text) = answer.secret_string else {
            return Err(Problem::Value(
                "it holds bytes, and a parameter is a text: store it as a secret string".to_owned(),
            ));
        };
        let text = SecretString::from(text);
        match key {
            None => Ok(text),
            Some(key) => secret::value_of(&text, key).map_err(Problem::Value),
        }
    }
}

/// Why there is no value; becomes an error where the parameter's name is known.
enum Problem {
    Call(Failure),
    Value(String),
}

/// The region in a secret's ARN.
fn region_of(id: &str) -> Option<&str> {
    id.strip_prefix("arn:")?.split(':').nth(2).filter(|region| !region.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_says_its_region_and_a_name_does_not() {
        let arn = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:shop-AbCdEf";
        assert_eq!(region_of(arn), Some("eu-west-1"));
        assert_eq!(region_of("shop/dev"), None);
    }
}
