//! Calls against a service that answers as it is told.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use chrono::DateTime;
use object_store::client::{HttpError, HttpRequest, HttpResponse, HttpService};

use super::*;
use crate::credentials::{CredentialSourceError, Credentials};

/// Answers one after the other, and what was asked.
#[derive(Debug, Default)]
struct Script {
    answers: Mutex<VecDeque<(u16, &'static str)>>,
    asked: Mutex<Vec<HttpRequest>>,
    minted: Mutex<u32>,
}

#[derive(Debug)]
struct Told(Arc<Script>);

#[async_trait]
impl HttpService for Told {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.0.asked.lock().unwrap().push(request);
        let (status, body) = self.0.answers.lock().unwrap().pop_front().expect("an answer is left");
        let answer = http::Response::builder().status(status);
        Ok(answer.body(body.to_owned().into()).expect("an answer"))
    }
}

#[derive(Debug)]
struct Minting(Arc<Script>);

#[async_trait]
impl CredentialSource for Minting {
    async fn fetch(&self) -> Result<Credentials, CredentialSourceError> {
        let mut minted = self.0.minted.lock().unwrap();
        *minted += 1;
        Ok(Credentials {
            access_key_id: format!("ASIA{minted}"),
            secret_access_key: "secret".into(),
            session_token: "token".into(),
            expires_at: DateTime::UNIX_EPOCH,
        })
    }
}

fn signed(answers: &[(u16, &'static str)]) -> (Signed, Arc<Script>) {
    let script = Arc::new(Script {
        answers: Mutex::new(answers.iter().copied().collect()),
        ..Script::default()
    });
    let client = HttpClient::new(Told(Arc::clone(&script)));
    let source = Arc::new(Minting(Arc::clone(&script)));
    (Signed::over(client, source, "eu-west-1", &AwsEndpoint::default()), script)
}

fn call() -> Call {
    Call {
        service: Service::S3,
        method: Method::GET,
        path: "/shop".to_owned(),
        query: "versions".to_owned(),
        headers: vec![("x-amz-expected-bucket-owner", "111111111111".to_owned())],
        body: Bytes::new(),
    }
}

fn header<'r>(request: &'r HttpRequest, name: &str) -> &'r str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn a_call_is_signed_with_all_it_says_about_the_bucket() {
    let (signed, script) = signed(&[(200, "body")]);
    assert_eq!(signed.send(&call()).await.unwrap(), "body");
    let asked = script.asked.lock().unwrap();
    assert_eq!(asked[0].uri(), "https://s3.eu-west-1.amazonaws.com/shop?versions");
    let signature = header(&asked[0], "authorization");
    assert!(signature.contains("Credential=ASIA1/") && signature.contains("/eu-west-1/s3/"));
    assert!(signature.contains("x-amz-expected-bucket-owner"), "{signature}");
    assert_eq!(header(&asked[0], "x-amz-security-token"), "token");
}

#[tokio::test]
async fn a_busy_service_is_asked_again() {
    let slow = "<Error><Code>SlowDown</Code><Message>later</Message></Error>";
    let (signed, script) = signed(&[(503, slow), (200, "")]);
    signed.send(&call()).await.unwrap();
    assert_eq!((script.asked.lock().unwrap().len(), *script.minted.lock().unwrap()), (2, 1));
}

#[tokio::test]
async fn credentials_that_are_turned_down_are_asked_for_once_more() {
    let expired = "<Error><Code>ExpiredToken</Code><Message>over</Message></Error>";
    let (fresh, script) = signed(&[(400, expired), (200, "")]);
    fresh.send(&call()).await.unwrap();
    assert_eq!(*script.minted.lock().unwrap(), 2);
    let (dead, script) = signed(&[(400, expired), (400, expired)]);
    let failure = dead.send(&call()).await.unwrap_err();
    assert!(matches!(failure, Failure::BadCredentials(_)), "{failure:?}");
    assert_eq!(*script.minted.lock().unwrap(), 2);
}

#[tokio::test]
async fn a_refusal_is_final() {
    let denied = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
    let (signed, script) = signed(&[(403, denied)]);
    let failure = signed.send(&call()).await.unwrap_err();
    assert_eq!(failure, Failure::Denied("no".to_owned()));
    assert_eq!(script.asked.lock().unwrap().len(), 1);
}
