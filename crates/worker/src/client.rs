//! The worker API as a client sees it: one method per call of [`model::worker_api`].
//!
//! What always holds: every call ends in one of five ways: the wanted value; *lost* (409, another
//! attempt holds the job); *unavailable* (the call may be repeated and will, for every call is
//! idempotent); *refused* (repeating it cannot help); *local* (this machine's fault). The token never appears in an error.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use model::JobId;
use model::worker_api::{
    Assignment, AwsCredentials, Checkout, Claim, Finish, Heartbeat, Held, Progress, Register,
    Registered, StoredArtifact,
};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;

use crate::log::Chunk;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For calls that carry a line or two.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// For artifacts: Lambda takes 250 MB at most, over a slow line.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// What a refusal may say before it is cut.
const DETAIL_MAX_BYTES: usize = 2_000;

/// Why a call brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error("another attempt holds this job: {detail}")]
    Lost { detail: String },
    #[error("{reason}")]
    Unavailable { reason: String },
    #[error("the server refused the call with {status}: {detail}")]
    Refused { status: u16, detail: String },
    #[error("{detail}")]
    Local { detail: String },
}

impl CallError {
    fn local(error: impl std::fmt::Display) -> Self {
        Self::Local { detail: error.to_string() }
    }
}

/// The server, as any worker process may call it.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: SecretString,
}

impl Client {
    /// `server_url` without a path, such as `https://greenroom.example.com`.
    pub fn new(server_url: &str, token: SecretString) -> Result<Self, CallError> {
        let base = server_url.trim_end_matches('/').to_owned();
        let url = reqwest::Url::parse(&base).map_err(|error| CallError::Local {
            detail: format!("{base:?} is not a URL of a Greenroom server: {error}"),
        })?;
        let mut builder = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT);
        // A proxy of the environment cannot reach this machine's own loopback.
        if matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(CallError::local)?;
        Ok(Self { http, base: format!("{base}/worker/v1"), token })
    }

    pub async fn register(&self, register: &Register) -> Result<Registered, CallError> {
        self.json(self.post("register").json(register)).await
    }

    /// `None`: nothing to do came up within the time the claim names.
    pub async fn claim(&self, claim: &Claim) -> Result<Option<Assignment>, CallError> {
        let timeout = CALL_TIMEOUT + Duration::from_secs(claim.wait_seconds.into());
        let answer = self.send(self.post("claim").json(claim).timeout(timeout)).await?;
        if answer.status() == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        answer.json().await.map(Some).map_err(|error| broken(&error))
    }

    /// The calls on behalf of one attempt of one job.
    pub fn job(&self, job: JobId, attempt: i32) -> JobClient {
        JobClient { client: self.clone(), job, attempt }
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}/{path}", self.base))
            .bearer_auth(self.token.expose_secret())
            .timeout(CALL_TIMEOUT)
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CallError> {
        self.send(request).await?.json().await.map_err(|error| broken(&error))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, CallError> {
        let answer = request.send().await.map_err(|error| broken(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = answer.text().await.unwrap_or_default();
        Err(classify(status, detail(&body)))
    }
}

/// What a refusal says in words: the `detail` of an RFC 9457 problem, or the body as it is.
fn detail(body: &str) -> String {
    #[derive(Deserialize)]
    struct Problem {
        detail: Option<String>,
        title: Option<String>,
    }
    let problem: Option<Problem> = serde_json::from_str(body).ok();
    let words = problem.and_then(|problem| problem.detail.or(problem.title));
    let mut words = words.unwrap_or_else(|| body.trim().to_owned());
    if let Some(cut) = words.char_indices().map(|(at, _)| at).find(|at| *at > DETAIL_MAX_BYTES) {
        words.truncate(cut);
    }
    words
}

fn classify(status: StatusCode, detail: String) -> CallError {
    match status {
        StatusCode::CONFLICT => CallError::Lost { detail },
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            CallError::Unavailable { reason: format!("the server answered {status}") }
        }
        status if status.is_server_error() => {
            CallError::Unavailable { reason: format!("the server answered {status}: {detail}") }
        }
        status => CallError::Refused { status: status.as_u16(), detail },
    }
}

/// A transport error with its causes (`reqwest` keeps "connection refused" two levels down).
fn broken(error: &reqwest::Error) -> CallError {
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        reason = format!("{reason}: {inner}");
        cause = inner.source();
    }
    if error.is_decode() && !error.is_timeout() && !error.is_body() {
        return CallError::Refused {
            status: 200,
            detail: format!(
                "its answer cannot be read (are server and worker of one version?): {reason}"
            ),
        };
    }
    CallError::Unavailable { reason }
}

/// The calls of one attempt of one job.
#[derive(Debug, Clone)]
pub struct JobClient {
    client: Client,
    job: JobId,
    attempt: i32,
}

impl JobClient {
    pub async fn heartbeat(&self) -> Result<Heartbeat, CallError> {
        self.client.json(self.held("heartbeat")).await
    }

    pub async fn checkout(&self) -> Result<Checkout, CallError> {
        self.client.json(self.held("checkout")).await
    }

    pub async fn credentials(&self) -> Result<AwsCredentials, CallError> {
        self.client.json(self.held("credentials")).await
    }

    /// A chunk that the server already has is ignored there: repeating is harmless.
    pub async fn log(&self, seq: i64, chunk: &Chunk) -> Result<(), CallError> {
        let path = format!("jobs/{}/log?attempt={}&seq={seq}", self.job, self.attempt);
        let (path, body) = if chunk.head.is_empty() {
            (path, chunk.bytes.clone())
        } else {
            let mut body = serde_json::to_vec(&chunk.head).map_err(CallError::local)?;
            let path = format!("{path}&head={}", body.len());
            body.extend_from_slice(&chunk.bytes);
            (path, body.into())
        };
        self.client.send(self.client.post(&path).body(body)).await.map(drop)
    }

    pub async fn progress(&self, progress: &Progress) -> Result<(), CallError> {
        let path = format!("jobs/{}/progress?attempt={}", self.job, self.attempt);
        self.client.send(self.client.post(&path).json(progress)).await.map(drop)
    }

    /// Sends the artifact in `file`, streamed.
    pub async fn store_artifact(&self, file: &Path) -> Result<StoredArtifact, CallError> {
        let open = tokio::fs::File::open(file).await.map_err(CallError::local)?;
        let size = open.metadata().await.map_err(CallError::local)?.len();
        let request = self
            .client
            .request(Method::PUT, &self.artifact_path())
            .timeout(TRANSFER_TIMEOUT)
            .header(reqwest::header::CONTENT_LENGTH, size)
            .header(reqwest::header::CONTENT_TYPE, "application/zstd")
            .body(reqwest::Body::wrap_stream(ReaderStream::with_capacity(open, 64 * 1024)));
        self.client.json(request).await
    }

    /// Writes the assignment's artifact to `file`, from the start.
    pub async fn fetch_artifact(&self, file: &Path) -> Result<(), CallError> {
        let request =
            self.client.request(Method::GET, &self.artifact_path()).timeout(TRANSFER_TIMEOUT);
        let answer = self.client.send(request).await?;
        let mut out = tokio::fs::File::create(file).await.map_err(CallError::local)?;
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| broken(&error))?;
            out.write_all(&chunk).await.map_err(CallError::local)?;
        }
        out.flush().await.map_err(CallError::local)
    }

    pub async fn finish(&self, finish: &Finish) -> Result<(), CallError> {
        let request = self.client.post(&self.path("finish")).json(finish);
        self.client.send(request).await.map(drop)
    }

    fn held(&self, call: &str) -> RequestBuilder {
        self.client.post(&self.path(call)).json(&Held { attempt: self.attempt })
    }

    fn path(&self, call: &str) -> String {
        format!("jobs/{}/{call}", self.job)
    }

    fn artifact_path(&self) -> String {
        format!("jobs/{}/artifact?attempt={}", self.job, self.attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_means_that_the_job_is_lost_and_a_server_error_that_it_may_be_asked_again() {
        assert!(matches!(classify(StatusCode::CONFLICT, String::new()), CallError::Lost { .. }));
        assert!(matches!(
            classify(StatusCode::BAD_GATEWAY, String::new()),
            CallError::Unavailable { .. }
        ));
        assert!(matches!(
            classify(StatusCode::UNAUTHORIZED, String::new()),
            CallError::Refused { status: 401, .. }
        ));
    }

    #[test]
    fn a_refusal_says_what_the_problem_says() {
        assert_eq!(
            detail(r#"{"title":"Forbidden","detail":"the role refused"}"#),
            "the role refused"
        );
        assert_eq!(detail(" plain words \n"), "plain words");
        assert_eq!(detail(&"ä".repeat(3_000)).len(), DETAIL_MAX_BYTES + 2);
    }

    #[test]
    fn a_server_address_that_is_no_url_is_refused_with_its_text() {
        let error = Client::new("greenroom", SecretString::from("t")).expect_err("no scheme");
        assert!(error.to_string().contains("\"greenroom\""), "{error}");
    }
}
