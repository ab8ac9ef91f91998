//! The local AWS that `script/test` started: where it is, and what lies in its accounts.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws::{AwsEndpoint, Credentials, Stacks};
use secrecy::SecretString;

/// The accounts of the sample application's three profiles.
pub(crate) const DEVELOPMENT: &str = "111111111111";
pub(crate) const STAGING: &str = "222222222222";
pub(crate) const PRODUCTION: &str = "333333333333";

pub(crate) struct LocalAws;

impl LocalAws {
    fn variable(name: &str) -> String {
        std::env::var(name).unwrap_or_else(|_| {
            panic!("{name} is not set: run script/test, which starts a local AWS")
        })
    }

    /// What `greenroom serve` is given: its own identity, and where AWS is.
    pub(crate) fn server_environment() -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL", "GREENROOM_TEST_AWS_ENDPOINT"),
            ("AWS_CA_BUNDLE", "GREENROOM_TEST_AWS_CA_BUNDLE"),
            ("AWS_ACCESS_KEY_ID", "GREENROOM_TEST_AWS_ACCESS_KEY_ID"),
            ("AWS_SECRET_ACCESS_KEY", "GREENROOM_TEST_AWS_SECRET_ACCESS_KEY"),
        ]
        .map(|(name, test)| (name.to_owned(), Self::variable(test)))
        .into_iter()
        .chain([("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned())])
        .collect()
    }

    pub(crate) fn external_id() -> String {
        Self::variable("GREENROOM_TEST_AWS_EXTERNAL_ID")
    }

    /// An account's stacks, seen as that account's root: in the local AWS a twelve-digit access
    /// key is the account.
    pub(crate) fn stacks(account: &str) -> Stacks {
        let endpoint = AwsEndpoint {
            url: Some(Self::variable("GREENROOM_TEST_AWS_ENDPOINT")),
            ca_bundle_pem: Some(
                std::fs::read_to_string(Self::variable("GREENROOM_TEST_AWS_CA_BUNDLE")).unwrap(),
            ),
        };
        let root = Root(account.to_owned());
        Stacks::new(Arc::new(root), "us-east-1", &endpoint).unwrap()
    }

    /// Which of the three accounts hold a living stack of this name.
    pub(crate) async fn accounts_with(stack: &str) -> BTreeSet<&'static str> {
        let mut found = BTreeSet::new();
        for account in [DEVELOPMENT, STAGING, PRODUCTION] {
            if Self::stacks(account).look(stack).await.unwrap().is_some() {
                found.insert(account);
            }
        }
        found
    }
}

#[derive(Debug)]
struct Root(String);

#[async_trait::async_trait]
impl aws::CredentialSource for Root {
    async fn fetch(&self) -> Result<Credentials, aws::CredentialSourceError> {
        Ok(Credentials {
            access_key_id: self.0.clone(),
            secret_access_key: SecretString::from("any"),
            session_token: SecretString::from(""),
            expires_at: chrono::DateTime::from_timestamp(4_000_000_000, 0).unwrap(),
        })
    }
}
