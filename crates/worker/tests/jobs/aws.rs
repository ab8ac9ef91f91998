//! The local AWS of `script/test`, as a worker's jobs meet it: sessions of the development
//! account, read-mostly for a package, narrower ones for what only looks and whole for the others.

use std::sync::Arc;
use std::time::Duration;

use aws::role::{AssumeRole, RoleMinter, SessionScope};
use aws::{Credentials, Stacks};
use chrono::{DateTime, Utc};
use model::worker_api::{AwsCredentials, AwsEndpoint};
use secrecy::ExposeSecret;

const ROLE: &str = "arn:aws:iam::111111111111:role/greenroom-deploy";
const REGION: &str = "us-east-1";

#[derive(Clone)]
pub(crate) struct LocalAws {
    pub(crate) endpoint: AwsEndpoint,
    /// For package jobs.
    pub(crate) looking: AwsCredentials,
    /// For a look at what a commit would change.
    pub(crate) reading: AwsCredentials,
    /// For drift and sweep.
    pub(crate) inspecting: AwsCredentials,
    pub(crate) whole: AwsCredentials,
    pub(crate) stacks: Stacks,
}

impl LocalAws {
    pub(crate) async fn new() -> Self {
        let (ca, url) = (ca_bundle(), endpoint());
        let endpoint = aws::AwsEndpoint { url: Some(url.clone()), ca_bundle_pem: Some(ca.clone()) };
        let server = Credentials {
            access_key_id: variable("GREENROOM_TEST_AWS_ACCESS_KEY_ID"),
            secret_access_key: variable("GREENROOM_TEST_AWS_SECRET_ACCESS_KEY").into(),
            session_token: String::new().into(),
            expires_at: DateTime::<Utc>::MAX_UTC - chrono::TimeDelta::days(366_000),
        };
        let minter =
            RoleMinter::with_source(Arc::new(server), &endpoint).await.expect("a usable endpoint");
        let whole = mint(&minter, SessionScope::Whole).await;
        let stacks = Stacks::new(Arc::new(whole.clone()), REGION, &endpoint).expect("an endpoint");
        Self {
            endpoint: AwsEndpoint { url: Some(url), ca_bundle: Some(ca) },
            looking: told(&mint(&minter, SessionScope::ReadMostly).await),
            reading: told(&mint(&minter, SessionScope::ReadOnly).await),
            inspecting: told(&mint(&minter, SessionScope::Inspect).await),
            whole: told(&whole),
            stacks,
        }
    }
}

async fn mint(minter: &RoleMinter, scope: SessionScope) -> Credentials {
    let request = AssumeRole {
        role_arn: ROLE.to_owned(),
        external_id: Some(variable("GREENROOM_TEST_AWS_EXTERNAL_ID")),
        region: REGION.to_owned(),
        session_name: aws::role::session_name("workshop", "7", "job"),
        tags: Vec::new(),
        source_identity: None,
        duration: Duration::from_secs(60 * 60),
        scope,
    };
    minter.mint(request).await.expect("the role lets the server in")
}

fn told(credentials: &Credentials) -> AwsCredentials {
    AwsCredentials {
        access_key_id: credentials.access_key_id.clone(),
        secret_access_key: credentials.secret_access_key.expose_secret().to_owned(),
        session_token: credentials.session_token.expose_secret().to_owned(),
        expires_at: credentials.expires_at,
    }
}

pub(crate) fn ca_bundle() -> String {
    std::fs::read_to_string(variable("GREENROOM_TEST_AWS_CA_BUNDLE"))
        .expect("the CA bundle is readable")
}

pub(crate) fn endpoint() -> String {
    variable("GREENROOM_TEST_AWS_ENDPOINT")
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: this test needs a local AWS, run script/test")
    })
}
