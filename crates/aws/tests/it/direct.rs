//! S3 and CloudWatch Logs of the local AWS, as the owner of the development account uses them. In
//! ministack an account's number is its root key, whose signature is not checked.

use aws_sdk_cloudformation::types::Capability;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use object_store::client::{HttpClient, HttpConnector, HttpRequestBody, ReqwestConnector};
use object_store::{Certificate, ClientOptions};
use serde_json::{Value, json};

use crate::bench::{Account, REGION, endpoint};

pub(crate) const ACCOUNT: &str = "111111111111";

/// The account's owner at one service.
pub(crate) struct Owner {
    client: HttpClient,
    base: String,
}

impl Owner {
    pub(crate) fn new() -> Self {
        let endpoint = endpoint();
        let pem = endpoint.ca_bundle_pem.expect("it has a CA");
        let ca = Certificate::from_pem(pem.as_bytes()).expect("a certificate");
        let options = ClientOptions::new().with_root_certificate(ca);
        let client = ReqwestConnector::default().connect(&options).expect("a client");
        Self { client, base: endpoint.url.expect("it has a URL") }
    }

    async fn call(
        &self,
        (method, service): (Method, &str),
        place: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> (StatusCode, Bytes) {
        let key = format!(
            "AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/{REGION}/{service}/aws4_request, \
             SignedHeaders=host, Signature=0"
        );
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{place}", self.base))
            .header("authorization", key)
            .header("x-amz-date", "20260101T000000Z");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(HttpRequestBody::from(body)).expect("a request");
        let answer = self.client.execute(request).await.expect("it answers");
        let status = answer.status();
        (status, answer.into_body().bytes().await.expect("a body"))
    }

    async fn s3(&self, method: Method, place: &str, body: Vec<u8>) -> (StatusCode, String) {
        let (status, body) = self.call((method, "s3"), place, &[], body).await;
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    pub(crate) async fn put(&self, bucket: &str, key: &str, body: &[u8]) {
        let (status, words) =
            self.s3(Method::PUT, &format!("/{bucket}/{key}"), body.to_vec()).await;
        assert!(status.is_success(), "{words}");
    }

    /// In a bucket with versions this leaves a delete marker.
    pub(crate) async fn delete(&self, bucket: &str, key: &str) {
        let (status, words) =
            self.s3(Method::DELETE, &format!("/{bucket}/{key}"), Vec::new()).await;
        assert!(status.is_success(), "{words}");
    }

    /// Begins an upload that nobody ends.
    pub(crate) async fn begin_upload(&self, bucket: &str, key: &str) {
        let (status, words) =
            self.s3(Method::POST, &format!("/{bucket}/{key}?uploads"), Vec::new()).await;
        assert!(status.is_success(), "{words}");
    }

    /// How many versions, delete markers and unfinished uploads there are; `None` without a bucket.
    pub(crate) async fn holds(&self, bucket: &str) -> Option<usize> {
        let (status, versions) =
            self.s3(Method::GET, &format!("/{bucket}?versions"), Vec::new()).await;
        let (_, uploads) = self.s3(Method::GET, &format!("/{bucket}?uploads"), Vec::new()).await;
        let count = |text: &str, of: &str| text.matches(of).count();
        (status != StatusCode::NOT_FOUND).then(|| {
            count(&versions, "<Version>")
                + count(&versions, "<DeleteMarker>")
                + count(&uploads, "<Upload>")
        })
    }

    async fn logs(&self, operation: &str, asked: &Value) -> (StatusCode, Bytes) {
        let target = format!("Logs_20140328.{operation}");
        let headers =
            [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        self.call((Method::POST, "logs"), "/", &headers, asked.to_string().into_bytes()).await
    }

    pub(crate) async fn make_log_group(&self, name: &str) {
        let (status, words) = self.logs("CreateLogGroup", &json!({ "logGroupName": name })).await;
        let made = status.is_success()
            || String::from_utf8_lossy(&words).contains("ResourceAlreadyExists");
        assert!(made, "{words:?}");
    }

    pub(crate) async fn has_log_group(&self, name: &str) -> bool {
        let asked = json!({ "logGroupNamePrefix": name });
        let (_, body) = self.logs("DescribeLogGroups", &asked).await;
        let page: Value = serde_json::from_slice(&body).expect("JSON");
        let groups = page["logGroups"].as_array().expect("a list");
        groups.iter().any(|group| group["logGroupName"] == name)
    }
}

impl Account {
    /// A stack with this template in a bucket, as a resource of another stack.
    pub(crate) async fn create_around(&self, name: &str, bucket: &str, inner: &str) {
        Owner::new().put(bucket, "inner.template", inner.as_bytes()).await;
        let url = format!("{}/{bucket}/inner.template", Owner::new().base);
        let outer = json!({ "Resources": { "Inner": {
            "Type": "AWS::CloudFormation::Stack", "Properties": { "TemplateURL": url }
        } } });
        self.sdk
            .create_stack()
            .stack_name(name)
            .template_body(outer.to_string())
            .capabilities(Capability::CapabilityNamedIam)
            .tags(tag("greenroom:app", "workshop"))
            .send()
            .await
            .expect("the order is taken");
        self.settled(name).await;
    }
}

pub(crate) fn tag(key: &str, value: &str) -> aws_sdk_cloudformation::types::Tag {
    aws_sdk_cloudformation::types::Tag::builder().key(key).value(value).build()
}
