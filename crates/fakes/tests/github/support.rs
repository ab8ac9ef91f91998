//! What the tests of the stand-in share: a receiver of webhooks, the git command, and REST calls.

use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use fakes::{GitHub, Hook, HookOwner};
use serde_json::{Value, json};

pub(crate) const TOKEN: &str = "ghp_test";
pub(crate) const SECRET: &str = "it is signed with this";

/// One webhook as it arrived.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) raw: Bytes,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn event(&self) -> &str {
        self.header("x-github-event")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.raw).unwrap()
    }
}

#[derive(Clone, Default)]
pub(crate) struct Inbox {
    received: Arc<Mutex<Vec<Received>>>,
}

impl Inbox {
    /// What came since the last call, in order.
    pub(crate) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.received.lock().unwrap())
    }
}

/// A stand-in that sends its webhooks into an inbox.
pub(crate) async fn github(owner: HookOwner) -> (GitHub, Inbox) {
    let inbox = Inbox::default();
    let router = Router::new().route("/hook", post(receive)).with_state(inbox.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let github = GitHub::builder()
        .token(TOKEN)
        .hook(Hook { url, secret: Some(SECRET.to_owned()), owner })
        .start()
        .await
        .unwrap();
    (github, inbox)
}

async fn receive(State(inbox): State<Inbox>, headers: HeaderMap, raw: Bytes) -> StatusCode {
    let received = Received { headers, raw };
    inbox.received.lock().unwrap().push(received);
    StatusCode::ACCEPTED
}

/// Runs git as a user would.
pub(crate) async fn git(dir: &Path, args: &[&str]) -> Output {
    tokio::process::Command::new("git")
        .args(args)
        .current_dir(dir)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_NAME", "Ada")
        .env("GIT_AUTHOR_EMAIL", "ada@example.com")
        .env("GIT_COMMITTER_NAME", "Ada")
        .env("GIT_COMMITTER_EMAIL", "ada@example.com")
        .output()
        .await
        .unwrap()
}

/// As [`git`], and it must succeed; its output.
pub(crate) async fn git_ok(dir: &Path, args: &[&str]) -> String {
    let output = git(dir, args).await;
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// One REST call; nothing when the connection broke.
pub(crate) async fn call(
    method: &str,
    url: &str,
    token: &str,
    body: Option<Value>,
) -> Option<(u16, HeaderMap, Value)> {
    let client =
        reqwest::Client::builder().timeout(Duration::from_secs(20)).no_proxy().build().unwrap();
    let mut request = client
        .request(method.parse().unwrap(), url)
        .header("authorization", format!("Bearer {token}"));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.ok()?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let json = answer.json().await.unwrap_or(Value::Null);
    Some((status, headers, json))
}

/// The App's JWT, with these claims over the usual ones.
pub(crate) fn app_jwt(github: &GitHub, claims: &Value) -> String {
    let now = jsonwebtoken::get_current_timestamp();
    let mut all = json!({ "iss": fakes::APP_ID.to_string(), "iat": now - 5, "exp": now + 300 });
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(github.app_private_key_pem().as_bytes());
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
    jsonwebtoken::encode(&header, &all, &key.unwrap()).unwrap()
}

/// An installation token.
pub(crate) async fn mint(github: &GitHub, wanted: Value) -> String {
    let url = format!(
        "{}/api/v3/app/installations/{}/access_tokens",
        github.url(),
        fakes::INSTALLATION_ID
    );
    let jwt = app_jwt(github, &json!({}));
    let (status, _, body) = call("POST", &url, &jwt, Some(wanted)).await.unwrap();
    assert_eq!(status, 201, "{body}");
    body["token"].as_str().unwrap().to_owned()
}
