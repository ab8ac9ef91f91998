//! The server assumes the role of a stage's profile and gets credentials for one job.
//!
//! Only the server runs this; workers ask it. What always holds: the role comes from the
//! profile, never from a commit; a session lasts at most one hour, the cap of chained roles;
//! its name, tags and source identity say which app, build and person used it. Nothing is kept,
//! so a crash loses nothing: the next request mints anew.

mod check;
mod error;
mod names;
mod session;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_sts::types::Tag;
use chrono::{DateTime, Utc};

use crate::count::Counted;
use crate::credentials::{CredentialSource, Credentials, Provider};
use crate::endpoint::{AwsEndpoint, EndpointError};
use crate::failure::Failure;
pub use check::{CallerIdentity, Checked, Statement};
pub use error::{ExternalId, RoleError};
pub use names::{session_name, source_identity, tag_key, tag_value};
pub use session::SessionScope;

/// STS's bounds of a session that is itself made by an assumed role.
const SHORTEST: Duration = Duration::from_secs(15 * 60);
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// STS accepts no more session tags.
const MOST_TAGS: usize = 50;

/// One request for a role. Name, tags and source identity may hold anything: they are fitted to
/// what STS takes. The duration is brought between 15 minutes and one hour.
#[derive(Clone, Debug)]
pub struct AssumeRole {
    pub role_arn: String,
    pub external_id: Option<String>,
    pub region: String,
    pub session_name: String,
    pub tags: Vec<(String, String)>,
    pub source_identity: Option<String>,
    pub duration: Duration,
    pub scope: SessionScope,
}

/// Assumes roles with the server's own identity.
#[derive(Clone)]
pub struct RoleMinter {
    config: SdkConfig,
}

impl fmt::Debug for RoleMinter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoleMinter").finish_non_exhaustive()
    }
}

impl RoleMinter {
    /// A minter with the identity that the SDK's default chain finds: environment, profile,
    /// web identity, container or instance role. No call is made yet.
    pub async fn from_default_chain(endpoint: &AwsEndpoint) -> Result<Self, EndpointError> {
        Ok(Self { config: loader(endpoint)?.load().await })
    }

    /// A minter with credentials from elsewhere than the environment.
    pub async fn with_source(
        source: Arc<dyn CredentialSource>,
        endpoint: &AwsEndpoint,
    ) -> Result<Self, EndpointError> {
        let loader = loader(endpoint)?.credentials_provider(Provider(source));
        Ok(Self { config: loader.load().await })
    }

    /// Credentials for one session of the role, in the profile's region.
    pub async fn mint(&self, request: AssumeRole) -> Result<Credentials, RoleError> {
        let role_arn = request.role_arn;
        if !is_role_arn(&role_arn) {
            return Err(RoleError::NotARole { role_arn });
        }
        let external_id = match request.external_id {
            Some(_) => ExternalId::Given,
            None => ExternalId::Absent,
        };
        let sts = aws_sdk_sts::config::Builder::from(&self.config)
            .region(Region::new(request.region))
            .interceptor(Counted)
            .build();
        let seconds = request.duration.clamp(SHORTEST, LONGEST).as_secs();
        let partition = role_arn.split(':').nth(1).unwrap_or("aws");
        let policy = session::policy(request.scope, partition);
        let answer = aws_sdk_sts::Client::from_conf(sts)
            .assume_role()
            .role_arn(&role_arn)
            .role_session_name(source_identity(&request.session_name))
            .set_external_id(request.external_id)
            .set_source_identity(request.source_identity.as_deref().map(source_identity))
            .set_tags(session_tags(request.tags))
            .set_policy(policy)
            .duration_seconds(i32::try_from(seconds).expect("at most an hour"))
            .send()
            .await;
        match answer {
            Ok(answer) => answer.credentials.as_ref().and_then(ours).ok_or_else(|| {
                RoleError::Unavailable { detail: "the answer holds no credentials".to_owned() }
            }),
            Err(error) => Err(RoleError::of(Failure::of(&error), role_arn, external_id)),
        }
    }
}

fn loader(endpoint: &AwsEndpoint) -> Result<ConfigLoader, EndpointError> {
    let loader =
        aws_config::defaults(BehaviorVersion::latest()).http_client(endpoint.http_client()?);
    Ok(match &endpoint.url {
        Some(url) => loader.endpoint_url(url),
        None => loader,
    })
}

fn ours(sts: &aws_sdk_sts::types::Credentials) -> Option<Credentials> {
    let expires_at: DateTime<Utc> = crate::stack::utc(&sts.expiration)?;
    Some(Credentials {
        access_key_id: sts.access_key_id.clone(),
        secret_access_key: sts.secret_access_key.clone().into(),
        session_token: sts.session_token.clone().into(),
        expires_at,
    })
}

/// Tags as STS takes them: empty values are left out (an empty tag says nothing), a key that
/// comes twice keeps its first value, for STS compares keys without case and refuses doubles.
fn session_tags(tags: Vec<(String, String)>) -> Option<Vec<Tag>> {
    let mut fitted: Vec<(String, String)> = Vec::new();
    for (key, value) in tags {
        let (key, value) = (tag_key(&key), tag_value(&value));
        let known = fitted.iter().any(|(seen, _)| seen.eq_ignore_ascii_case(&key));
        if !key.is_empty() && !value.is_empty() && !known {
            fitted.push((key, value));
        }
    }
    fitted.truncate(MOST_TAGS);
    let tags: Vec<Tag> = fitted
        .into_iter()
        .filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok())
        .collect();
    (!tags.is_empty()).then_some(tags)
}

/// `arn:<partition>:iam::<12 digits>:role/<path and name>`.
fn is_role_arn(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [prefix, partition, service, region, account, resource] = parts.as_slice() else {
        return false;
    };
    *prefix == "arn"
        && partition.starts_with("aws")
        && *service == "iam"
        && region.is_empty()
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_role_arns_are_asked_for() {
        assert!(is_role_arn("arn:aws:iam::111111111111:role/greenroom-deploy"));
        assert!(is_role_arn("arn:aws-us-gov:iam::111111111111:role/path/name"));
        for bad in [
            "",
            "greenroom-deploy",
            "arn:aws:iam::1:role/x",
            "arn:aws:iam::111111111111:user/x",
            "arn:aws:iam::111111111111:role/",
            "arn:aws:sts::111111111111:role/x",
        ] {
            assert!(!is_role_arn(bad), "{bad:?}");
        }
    }

    #[test]
    fn tags_are_fitted_and_doubles_and_empty_ones_dropped() {
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let many = vec![tag("app", "shop"), tag("App", "other"), tag("pr", ""), tag("b", "x#y")];
        let fitted = session_tags(many).expect("two are left");
        let pairs: Vec<_> = fitted.iter().map(|tag| (tag.key(), tag.value())).collect();
        assert_eq!(pairs, [("app", "shop"), ("b", "x_y")]);
        assert!(session_tags(Vec::new()).is_none());
    }
}
