//! The local AWS that `script/test` started: where it is, and what lies in its accounts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws::stack::{Patience, Proposed, Wanted};
use aws::{AwsEndpoint, Credentials, Stack, Stacks, Template};
use secrecy::SecretString;
use serde_json::json;

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
        Self::stacks_in(account, "us-east-1")
    }

    pub(crate) fn stacks_in(account: &str, region: &str) -> Stacks {
        let endpoint = AwsEndpoint {
            url: Some(Self::variable("GREENROOM_TEST_AWS_ENDPOINT")),
            ca_bundle_pem: Some(
                std::fs::read_to_string(Self::variable("GREENROOM_TEST_AWS_CA_BUNDLE")).unwrap(),
            ),
        };
        let root = Root(account.to_owned());
        Stacks::new(Arc::new(root), region, &endpoint).unwrap()
    }

    /// What somebody with the account's keys does from a command line; the stack as it is then.
    pub(crate) async fn deploy_by_hand(account: &str, stack: &str, template: &str) -> Stack {
        let wanted = Wanted {
            stack: stack.to_owned(),
            template: Template::parse(template).unwrap(),
            parameters: [].into(),
            tags: [].into(),
            capabilities: [].into(),
            role_arn: None,
            bucket: None,
            token: "by-hand".to_owned(),
        };
        let patience =
            Patience { poll: Duration::from_millis(100), deadline: Duration::from_secs(60) };
        let stacks = Self::stacks(account);
        let Proposed::Change(proposal) = stacks.propose(&wanted, patience).await.unwrap() else {
            panic!("the template is another one")
        };
        proposal.carry_out(patience, &mut |_| {}).await.unwrap().unwrap()
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

/// What a deployed function answers.
impl LocalAws {
    /// Invokes a function of an account, as that account's root.
    pub(crate) async fn invoke(account: &str, function: &str) -> serde_json::Value {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        Self::lambda(account, reqwest::Method::POST, &path).await
    }

    /// The variables a function of an account was deployed with.
    pub(crate) async fn environment(account: &str, function: &str) -> serde_json::Value {
        let path = format!("/2015-03-31/functions/{function}");
        let function = Self::lambda(account, reqwest::Method::GET, &path).await;
        function["Configuration"]["Environment"]["Variables"].clone()
    }

    /// A file of a bucket of an account, as JSON; nothing where there is no such bucket.
    pub(crate) async fn object(
        account: &str,
        bucket: &str,
        key: &str,
    ) -> Option<serde_json::Value> {
        let path = format!("/{bucket}/{key}");
        let answer = Self::call(account, "s3", reqwest::Method::GET, &path).await;
        let status = answer.status();
        let text = answer.text().await.unwrap();
        if status == reqwest::StatusCode::NOT_FOUND && text.contains("<Code>NoSuchBucket</Code>") {
            return None;
        }
        assert!(status.is_success(), "{path}: {status}: {text}");
        Some(serde_json::from_str(&text).unwrap())
    }

    async fn lambda(account: &str, method: reqwest::Method, path: &str) -> serde_json::Value {
        let answer = Self::call(account, "lambda", method, path).await;
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn call(
        account: &str,
        service: &str,
        method: reqwest::Method,
        path: &str,
    ) -> reqwest::Response {
        let body = if method == reqwest::Method::POST { "{}" } else { "" };
        Self::request(account, service, method, path).body(body).send().await.unwrap()
    }

    /// A request of an account's root.
    fn request(
        account: &str,
        service: &str,
        method: reqwest::Method,
        path: &str,
    ) -> reqwest::RequestBuilder {
        let bundle = std::fs::read(Self::variable("GREENROOM_TEST_AWS_CA_BUNDLE")).unwrap();
        let client = reqwest::Client::builder()
            .add_root_certificate(reqwest::Certificate::from_pem(&bundle).unwrap())
            .build()
            .unwrap();
        let url = format!("{}{path}", Self::variable("GREENROOM_TEST_AWS_ENDPOINT"));
        // the local AWS takes an account's number for the key of its root, and no signature then
        let scope = format!("{account}/20260101/us-east-1/{service}/aws4_request");
        let identity =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        client.request(method, url).header("authorization", identity)
    }
}

/// Values that lie in an account, put there by its owner.
impl LocalAws {
    /// Puts an encrypted parameter into the Parameter Store, whatever was there before.
    pub(crate) async fn put_parameter(account: &str, name: &str, value: &str) {
        let body =
            json!({ "Name": name, "Value": value, "Type": "SecureString", "Overwrite": true });
        Self::action(account, "ssm", "AmazonSSM.PutParameter", &body).await;
    }

    /// Makes a secret of Secrets Manager.
    pub(crate) async fn create_secret(account: &str, name: &str, value: &str) {
        let body = json!({ "Name": name, "SecretString": value });
        Self::action(account, "secretsmanager", "secretsmanager.CreateSecret", &body).await;
    }

    /// Puts a file into a bucket of an account.
    pub(crate) async fn put_object(account: &str, bucket: &str, key: &str, text: &str) {
        let path = format!("/{bucket}/{key}");
        let request = Self::request(account, "s3", reqwest::Method::PUT, &path);
        let answer = request.body(text.to_owned()).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status}: {text}");
    }

    /// Whether an account has a bucket of this name.
    pub(crate) async fn has_bucket(account: &str, bucket: &str) -> bool {
        let path = format!("/{bucket}?list-type=2");
        let answer = Self::call(account, "s3", reqwest::Method::GET, &path).await;
        answer.status().is_success()
    }

    async fn action(account: &str, service: &str, target: &str, body: &serde_json::Value) {
        let request = Self::request(account, service, reqwest::Method::POST, "/")
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.1")
            .body(body.to_string());
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{target}: {status}: {text}");
    }
}

/// The account that the server itself lives in, seen as that account's root.
impl LocalAws {
    const SERVER: &str = "999999999999";

    /// The file with the local authority's certificate.
    pub(crate) fn authority() -> String {
        Self::variable("GREENROOM_TEST_AWS_CA_BUNDLE")
    }

    pub(crate) async fn make_bucket_of_the_server(bucket: &str) {
        Self::of_the_server("s3", reqwest::Method::PUT, &format!("/{bucket}"), "").await;
    }

    /// Gives the server's user one more policy.
    pub(crate) async fn allow_the_server(name: &str, policy: &serde_json::Value) {
        let policy = policy.to_string();
        let call = [
            ("Action", "PutUserPolicy"),
            ("Version", "2010-05-08"),
            ("UserName", "greenroom"),
            ("PolicyName", name),
            ("PolicyDocument", policy.as_str()),
        ];
        let request = Self::request(Self::SERVER, "iam", reqwest::Method::POST, "/").form(&call);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// The keys that begin so.
    pub(crate) async fn objects_of_the_server(bucket: &str, prefix: &str) -> Vec<String> {
        let path = format!("/{bucket}?list-type=2&prefix={prefix}");
        let list = Self::of_the_server("s3", reqwest::Method::GET, &path, "").await;
        let list = String::from_utf8(list).unwrap();
        let keys = list.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
        keys.map(str::to_owned).collect()
    }

    pub(crate) async fn object_of_the_server(bucket: &str, key: &str) -> Vec<u8> {
        let path = format!("/{bucket}/{key}");
        Self::of_the_server("s3", reqwest::Method::GET, &path, "").await
    }

    async fn of_the_server(
        service: &str,
        method: reqwest::Method,
        path: &str,
        body: &'static str,
    ) -> Vec<u8> {
        let request = Self::request(Self::SERVER, service, method, path).body(body);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let bytes = answer.bytes().await.unwrap().to_vec();
        assert!(status.is_success(), "{path}: {status}: {}", String::from_utf8_lossy(&bytes));
        bytes
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
