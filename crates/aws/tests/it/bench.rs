//! The local AWS as the tests see it: the server's identity, sessions, and stacks made directly.

use std::sync::Arc;
use std::time::Duration;

use aws::role::{AssumeRole, RoleMinter, SessionScope};
use aws::stack::{EventCursor, Patience};
use aws::{AwsEndpoint, Credentials, Stack, Stacks};
use aws_config::SdkConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::config::{BehaviorVersion, Region};
use aws_sdk_cloudformation::types::Capability;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;

pub(crate) const DEVELOPMENT: &str = "arn:aws:iam::111111111111:role/greenroom-deploy";
pub(crate) const STAGING: &str = "arn:aws:iam::222222222222:role/greenroom-deploy";
pub(crate) const REGION: &str = "us-east-1";
pub(crate) const PATIENCE: Patience =
    Patience { poll: Duration::from_millis(100), deadline: Duration::from_secs(60) };

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: these tests need a local AWS, run script/test")
    })
}

pub(crate) fn endpoint() -> AwsEndpoint {
    let ca = variable("GREENROOM_TEST_AWS_CA_BUNDLE");
    AwsEndpoint {
        url: Some(variable("GREENROOM_TEST_AWS_ENDPOINT")),
        ca_bundle_pem: Some(std::fs::read_to_string(ca).expect("the CA bundle is readable")),
    }
}

pub(crate) fn external_id() -> String {
    variable("GREENROOM_TEST_AWS_EXTERNAL_ID")
}

/// The server's long-lived key, as it would stand in the server's environment.
pub(crate) fn server_key() -> Credentials {
    Credentials {
        access_key_id: variable("GREENROOM_TEST_AWS_ACCESS_KEY_ID"),
        secret_access_key: variable("GREENROOM_TEST_AWS_SECRET_ACCESS_KEY").into(),
        session_token: String::new().into(),
        expires_at: DateTime::<Utc>::MAX_UTC - chrono::TimeDelta::days(366_000),
    }
}

pub(crate) async fn minter() -> RoleMinter {
    RoleMinter::with_source(Arc::new(server_key()), &endpoint()).await.expect("a usable endpoint")
}

pub(crate) fn request(role_arn: &str) -> AssumeRole {
    AssumeRole {
        role_arn: role_arn.to_owned(),
        external_id: Some(external_id()),
        region: REGION.to_owned(),
        session_name: aws::role::session_name("workshop", "41", "restapi-deploy"),
        tags: vec![
            ("app".to_owned(), "workshop".to_owned()),
            ("stage".to_owned(), "feature/#41 ünï".to_owned()),
        ],
        source_identity: Some("dependabot[bot]".to_owned()),
        duration: Duration::from_secs(24 * 60 * 60),
        scope: SessionScope::Whole,
    }
}

pub(crate) async fn mint(role_arn: &str) -> Credentials {
    minter().await.mint(request(role_arn)).await.expect("the role lets the server in")
}

/// One account as a deploying worker has it: our `Stacks`, and the SDK for making stacks.
pub(crate) struct Account {
    pub(crate) stacks: Stacks,
    pub(crate) sdk: Client,
}

pub(crate) async fn development() -> Account {
    account(mint(DEVELOPMENT).await)
}

pub(crate) fn account(credentials: Credentials) -> Account {
    let keys = aws_sdk_cloudformation::config::Credentials::new(
        &credentials.access_key_id,
        credentials.secret_access_key.expose_secret(),
        Some(credentials.session_token.expose_secret().to_owned()),
        None,
        "test",
    );
    let stacks =
        Stacks::new(Arc::new(credentials), REGION, &endpoint()).expect("a usable endpoint");
    Account { stacks, sdk: Client::new(&sdk_config(keys)) }
}

/// A session that may only look, as `package` jobs have it.
pub(crate) async fn reading() -> Credentials {
    scoped(SessionScope::ReadMostly).await
}

pub(crate) async fn scoped(scope: SessionScope) -> Credentials {
    let request = AssumeRole { scope, ..request(DEVELOPMENT) };
    minter().await.mint(request).await.expect("the role lets it in")
}

/// The owner of the development account, who may do what the deploy role may not. In ministack an
/// account's number is its root key.
pub(crate) fn owner() -> SdkConfig {
    sdk_config(aws_sdk_cloudformation::config::Credentials::new(
        "111111111111",
        "root",
        None,
        None,
        "test",
    ))
}

fn sdk_config(keys: aws_sdk_cloudformation::config::Credentials) -> SdkConfig {
    use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
    use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
    let endpoint = endpoint();
    let trust =
        TrustStore::empty().with_pem_certificate(endpoint.ca_bundle_pem.expect("it has a CA"));
    let tls = TlsContext::builder().with_trust_store(trust).build().expect("a trust store");
    let https = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(tls)
        .build_https();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(endpoint.url.expect("it has a URL"))
        .credentials_provider(SharedCredentialsProvider::new(keys))
        .http_client(https)
        .build()
}

impl Account {
    /// Orders a stack and waits until CloudFormation is done with it, well or badly.
    pub(crate) async fn create(&self, name: &str, template: &str) -> Stack {
        self.sdk
            .create_stack()
            .stack_name(name)
            .template_body(template)
            .capabilities(Capability::CapabilityNamedIam)
            .send()
            .await
            .expect("the order is taken");
        self.settled(name).await
    }

    pub(crate) async fn update(&self, name: &str, template: &str) -> Stack {
        self.sdk
            .update_stack()
            .stack_name(name)
            .template_body(template)
            .capabilities(Capability::CapabilityNamedIam)
            .send()
            .await
            .expect("the order is taken");
        self.settled(name).await
    }

    /// Protects a stack from deletion, which the deploy role has no right to.
    pub(crate) async fn protect(&self, name: &str) {
        Client::new(&owner())
            .update_termination_protection()
            .stack_name(name)
            .enable_termination_protection(true)
            .send()
            .await
            .expect("the owner may");
    }

    pub(crate) async fn settled(&self, name: &str) -> Stack {
        let mut cursor = EventCursor::default();
        self.stacks
            .wait_settled(name, &mut cursor, PATIENCE, &mut |_| {})
            .await
            .expect("it settles")
            .expect("there is a stack")
    }
}

/// A stack name that no other test and no other run has.
#[expect(clippy::disallowed_methods, reason = "a name for this run only; no row is born")]
pub(crate) fn fresh(purpose: &str) -> String {
    format!("{purpose}-{}", uuid::Uuid::now_v7().simple())
}

/// A topic, with its name as output `TopicName` exported as `export`.
pub(crate) fn exporting(name: &str, export: &str) -> String {
    format!(
        r#"{{"Resources":{{"Topic":{{"Type":"AWS::SNS::Topic","Properties":{{"TopicName":"{name}"}}}}}},
        "Outputs":{{"TopicName":{{"Value":{{"Fn::GetAtt":["Topic","TopicName"]}},"Export":{{"Name":"{export}"}}}},
        "ServiceEndpoint":{{"Value":"https://abc.execute-api.us-east-1.amazonaws.com/dev"}}}}}}"#
    )
}

/// A parameter that holds what another stack exports.
pub(crate) fn importing(name: &str, export: &str) -> String {
    format!(
        r#"{{"Resources":{{"Value":{{"Type":"AWS::SSM::Parameter","Properties":{{"Name":"/{name}","Type":"String","Value":{{"Fn::ImportValue":"{export}"}}}}}}}}}}"#
    )
}

/// A custom resource whose function fails for the given kinds of requests (`Create`, `Update`,
/// `Delete`); `version` makes an update of it.
pub(crate) fn failing(name: &str, on: &[&str], version: u32) -> String {
    let code = format!(
        "const https = require('https'); exports.handler = (event) => new Promise((done, fail) => {{ \
         const bad = '{}'.split(',').includes(event.RequestType); \
         const body = JSON.stringify({{ Status: bad ? 'FAILED' : 'SUCCESS', Reason: 'told to fail', \
         PhysicalResourceId: 'thing', StackId: event.StackId, RequestId: event.RequestId, \
         LogicalResourceId: event.LogicalResourceId }}); \
         const to = new URL(event.ResponseURL); \
         const put = https.request({{ hostname: to.hostname, port: to.port, path: to.pathname + to.search, \
         method: 'PUT', headers: {{ 'content-type': '', 'content-length': body.length }} }}, \
         (answer) => {{ answer.resume(); answer.on('end', done); }}); \
         put.on('error', fail); put.end(body); }});",
        on.join(",")
    );
    format!(
        r#"{{"Resources":{{
        "Role":{{"Type":"AWS::IAM::Role","Properties":{{"RoleName":"{short}-lambdaRole","AssumeRolePolicyDocument":{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"lambda.amazonaws.com"}},"Action":"sts:AssumeRole"}}]}}}}}},
        "Function":{{"Type":"AWS::Lambda::Function","Properties":{{"Runtime":"nodejs20.x","Handler":"index.handler","Timeout":20,"Role":{{"Fn::GetAtt":["Role","Arn"]}},"Code":{{"ZipFile":"{code}"}}}}}},
        "Thing":{{"Type":"Custom::Thing","Properties":{{"ServiceToken":{{"Fn::GetAtt":["Function","Arn"]}},"Version":"{version}"}}}}}}}}"#,
        short = &name[name.len() - 12..],
    )
}
