//! Stacks that misbehave, and the owner of the account, who does to them what the deploy role may
//! not.

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::aws::{ca_bundle, endpoint};

const ACCOUNT: &str = "111111111111";
const REGION: &str = "us-east-1";

/// Letters first, as names of stacks begin; no other test and no other run has it.
pub(crate) fn mark() -> String {
    let mut mark = [0; 6];
    aws_lc_rs::rand::fill(&mut mark).expect("randomness");
    format!("t{}", hex::encode(mark))
}

/// A function that answers for custom resources as `code` says: JavaScript that has the `event`
/// and sets `bad` to a reason, if it is to fail, and `delay` to milliseconds.
pub(crate) fn function(mark: &str, code: &str) -> Value {
    let answer = "const body = JSON.stringify({ Status: bad ? 'FAILED' : 'SUCCESS', Reason: bad || 'fine', \
         PhysicalResourceId: 'thing', StackId: event.StackId, RequestId: event.RequestId, \
         LogicalResourceId: event.LogicalResourceId }); \
         const to = new URL(event.ResponseURL); \
         const put = https.request({ hostname: to.hostname, port: to.port, path: to.pathname + to.search, \
         method: 'PUT', headers: { 'content-type': '', 'content-length': body.length } }, \
         (answer) => { answer.resume(); answer.on('end', done); }); \
         put.on('error', fail); setTimeout(() => put.end(body), delay); });";
    let code = format!(
        "const https = require('https'); const seen = {{}}; \
         exports.handler = (event) => new Promise((done, fail) => {{ let bad; let delay = 0; {code} {answer}"
    );
    json!({ "Resources": {
        "Role": { "Type": "AWS::IAM::Role", "Properties": {
            "RoleName": format!("{mark}-lambdaRole"),
            "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" },
                "Action": "sts:AssumeRole",
            }] },
        } },
        "Function": { "Type": "AWS::Lambda::Function", "Properties": {
            "FunctionName": format!("{mark}-thing"), "Runtime": "nodejs20.x",
            "Handler": "index.handler", "Timeout": 20,
            "Role": { "Fn::GetAtt": ["Role", "Arn"] }, "Code": { "ZipFile": code },
        } },
    } })
}

/// A custom resource of the function that another stack has, for what the function must survive.
pub(crate) fn thing(mark: &str, version: u32) -> String {
    let token = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{mark}-thing");
    json!({ "Resources": { "Thing": { "Type": "Custom::Thing", "Properties": {
        "ServiceToken": token, "Version": version.to_string(),
    } } } })
    .to_string()
}

/// A function with a custom resource of it. `version` makes an update of the resource.
pub(crate) fn custom_resource(mark: &str, code: &str, version: u32) -> String {
    let mut template = function(mark, code);
    template["Resources"]["Thing"] = json!({ "Type": "Custom::Thing", "Properties": {
        "ServiceToken": { "Fn::GetAtt": ["Function", "Arn"] }, "Version": version.to_string(),
    } });
    template.to_string()
}

/// One that fails whenever it is to be made, changed or deleted, as `on` says.
pub(crate) fn failing(mark: &str, on: &str, version: u32) -> String {
    custom_resource(
        mark,
        &format!("if ('{on}'.split(',').includes(event.RequestType)) bad = 'told to fail';"),
        version,
    )
}

/// What a function does that AWS has no time for the first `times` that it is asked for what `on`
/// says.
pub(crate) fn throttled(on: &str, times: u32) -> String {
    format!(
        "const asked = seen[event.RequestType] = (seen[event.RequestType] || 0) + 1; \
         if (event.RequestType === '{on}' && asked <= {times}) bad = 'Rate exceeded';"
    )
}

/// The development account's owner. In the local AWS an account's number is its owner's key.
pub(crate) struct Owner {
    client: Client,
    url: String,
}

impl Owner {
    pub(crate) fn new() -> Self {
        let ca = reqwest::Certificate::from_pem(ca_bundle().as_bytes()).expect("a certificate");
        let client = Client::builder()
            .add_root_certificate(ca)
            .no_proxy()
            .connect_timeout(std::time::Duration::from_secs(10))
            .timeout(std::time::Duration::from_secs(60))
            .build()
            .expect("a client");
        Self { client, url: endpoint() }
    }

    async fn call(
        &self,
        method: Method,
        service: &str,
        place: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> (StatusCode, String) {
        let key = format!(
            "AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/{REGION}/{service}/aws4_request, \
             SignedHeaders=host, Signature=0"
        );
        let mut request = self
            .client
            .request(method, format!("{}{place}", self.url))
            .header("authorization", key)
            .header("x-amz-date", "20260101T000000Z")
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.expect("it answers");
        (answer.status(), answer.text().await.expect("a body"))
    }

    pub(crate) async fn put(&self, bucket: &str, key: &str, text: &str) {
        let place = format!("/{bucket}/{key}");
        let (status, said) = self.call(Method::PUT, "s3", &place, &[], text.to_owned()).await;
        assert!(status.is_success(), "{place}: {status}: {said}");
    }

    /// The keys in a bucket; nothing when there is no such bucket.
    pub(crate) async fn keys(&self, bucket: &str) -> Option<Vec<String>> {
        let place = format!("/{bucket}?list-type=2");
        let (status, said) = self.call(Method::GET, "s3", &place, &[], String::new()).await;
        if status == StatusCode::NOT_FOUND {
            return None;
        }
        assert!(status.is_success(), "{place}: {status}: {said}");
        let keys = said.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
        Some(keys.map(str::to_owned).collect())
    }

    async fn logs(&self, operation: &str, asked: &Value) -> Value {
        let target = format!("Logs_20140328.{operation}");
        let headers =
            [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        let (status, said) =
            self.call(Method::POST, "logs", "/", &headers, asked.to_string()).await;
        assert!(status.is_success(), "{operation}: {status}: {said}");
        serde_json::from_str(&said).unwrap_or_default()
    }

    pub(crate) async fn make_log_group(&self, name: &str) {
        self.logs("CreateLogGroup", &json!({ "logGroupName": name })).await;
    }

    pub(crate) async fn has_log_group(&self, name: &str) -> bool {
        let found = self.logs("DescribeLogGroups", &json!({ "logGroupNamePrefix": name })).await;
        let groups = found["logGroups"].as_array().cloned().unwrap_or_default();
        groups.iter().any(|group| group["logGroupName"] == name)
    }

    /// Sets or lifts a stack's termination protection.
    pub(crate) async fn protect(&self, stack: &str, protected: bool) {
        let form = format!(
            "Action=UpdateTerminationProtection&Version=2010-05-15&StackName={stack}&EnableTerminationProtection={protected}"
        );
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let (status, said) = self.call(Method::POST, "cloudformation", "/", &headers, form).await;
        assert!(status.is_success(), "{status}: {said}");
    }

    /// Deletes a queue behind CloudFormation's back.
    pub(crate) async fn delete_queue(&self, url: &str) {
        let form = format!("Action=DeleteQueue&Version=2012-11-05&QueueUrl={url}");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let (status, said) = self.call(Method::POST, "sqs", "/", &headers, form).await;
        assert!(status.is_success(), "{status}: {said}");
    }
}
