//! A stand-in for the server's worker API: hands out what a test queued, keeps what it is told,
//! and fails on demand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use model::JobId;
use model::worker_api::{
    Assignment, AwsCredentials, Checkout, Directive, Finish, Progress, StoredArtifact, Task,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::aws::LocalAws;

/// An install from the network may be one step of a job.
const DEADLINE: Duration = Duration::from_secs(180);
const CLAIM_WAIT: Duration = Duration::from_secs(20);
pub(crate) const LEASE_SECONDS: u32 = 3;

#[derive(Default)]
pub(crate) struct State {
    pub(crate) queue: Vec<Assignment>,
    pub(crate) finished: Vec<(JobId, Finish)>,
    /// What jobs said of how far they are, in the order in which it came.
    pub(crate) progress: Vec<Progress>,
    log: BTreeMap<JobId, BTreeMap<i64, Vec<u8>>>,
    pub(crate) artifact: Vec<u8>,
    pub(crate) checkout: Option<Checkout>,
    /// What heartbeats are answered.
    pub(crate) heartbeat: Option<Result<Directive, u16>>,
    /// What claims are answered instead of work.
    pub(crate) refuse_claims: Option<u16>,
    /// How long claims are held open, if not [`CLAIM_WAIT`].
    pub(crate) claim_wait: Option<Duration>,
    /// Calls whose path ends so are answered with this status, so many times.
    pub(crate) faults: Vec<(&'static str, u16, u32)>,
    pub(crate) calls: Vec<String>,
    /// Where jobs work, if not at the AWS in here that allows nothing.
    pub(crate) local_aws: Option<LocalAws>,
    /// The jobs that may look, with change sets that nobody executes.
    looking: Vec<JobId>,
    /// The jobs that may look at stacks, and those that may look at resources too.
    reading: Vec<JobId>,
    inspecting: Vec<JobId>,
    /// What the AWS in here has in its Parameter Store.
    pub(crate) parameter_store: BTreeMap<String, String>,
}

#[derive(Clone)]
pub(crate) struct Server {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
    pub(crate) url: String,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let server = Self { state: Arc::default(), changed: Arc::default(), url };
        let answering = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = answering.clone();
                tokio::spawn(async move { server.serve(stream).await });
            }
        });
        server
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the lock")
    }

    pub(crate) fn give(&self, assignment: Assignment) {
        self.state().queue.push(assignment);
        self.changed.notify_waiters();
    }

    pub(crate) fn log(&self, job: JobId) -> String {
        let chunks = self.state().log.get(&job).cloned().unwrap_or_default();
        let order: Vec<i64> = chunks.keys().copied().collect();
        let expected: Vec<i64> = (0..).take(order.len()).collect();
        assert_eq!(order, expected, "chunks are numbered from 0 without a gap");
        String::from_utf8_lossy(&chunks.into_values().flatten().collect::<Vec<u8>>()).into_owned()
    }

    /// Waits until the state is as wanted.
    pub(crate) async fn until<T>(
        &self,
        what: &str,
        mut wanted: impl FnMut(&State) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(value) = wanted(&self.state()) {
                return value;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(tokio::time::timeout(left, changed).await.is_ok(), "{what} did not come");
        }
    }

    pub(crate) async fn finish_of(&self, job: JobId) -> Finish {
        self.until("the job's end", |state| {
            state.finished.iter().find(|(id, _)| *id == job).map(|(_, finish)| finish.clone())
        })
        .await
    }

    pub(crate) async fn until_logged(&self, job: JobId, text: &str) {
        self.until(text, |state| {
            let bytes: Vec<u8> = state.log.get(&job)?.values().flatten().copied().collect();
            String::from_utf8_lossy(&bytes).contains(text).then_some(())
        })
        .await;
    }

    async fn serve(&self, mut stream: TcpStream) {
        let Some((method, target, body)) = read(&mut stream).await else { return };
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let (status, body) = match path.strip_prefix("/worker/v1/") {
            Some(path) => {
                self.state().calls.push(format!("{method} {path}"));
                match self.fault(path) {
                    Some(status) => (status, br#"{"title":"planted"}"#.to_vec()),
                    None => self.answer(&method, path, query, body).await,
                }
            }
            None => self.aws(path, &body),
        };
        self.changed.notify_waiters();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        // The worker may have gone.
        drop(stream.write_all(&[head.as_bytes(), &body].concat()).await);
    }

    fn fault(&self, path: &str) -> Option<u16> {
        let mut state = self.state();
        let fault =
            state.faults.iter_mut().find(|(end, _, left)| path.ends_with(end) && *left > 0)?;
        fault.2 -= 1;
        Some(fault.1)
    }

    async fn answer(&self, method: &str, path: &str, query: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
        let parts: Vec<&str> = path.split('/').collect();
        let ok = |value: Value| (200, value.to_string().into_bytes());
        match (method, parts.as_slice()) {
            ("POST", ["register"]) => {
                ok(json!({"worker": uuid::Uuid::nil(), "lease_seconds": LEASE_SECONDS}))
            }
            ("POST", ["claim"]) => self.claim().await,
            ("POST", ["jobs", _, "heartbeat"]) => match self.state().heartbeat.clone() {
                Some(Err(status)) => (status, Vec::new()),
                other => {
                    let directive = other.and_then(Result::ok).unwrap_or(Directive::Continue);
                    ok(json!({"lease_expires_at": "2030-01-01T00:00:00Z", "directive": directive}))
                }
            },
            ("POST", ["jobs", id, "log"]) => {
                let number = |key: &str| {
                    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
                    let mut found = pairs.filter(|(name, _)| *name == key);
                    found.next().map(|(_, value)| value.parse::<usize>().expect("a number"))
                };
                let seq = i64::try_from(number("seq").expect("it is numbered")).expect("a number");
                let body = body[number("head").unwrap_or(0)..].to_vec();
                let mut state = self.state();
                let log = state.log.entry(id.parse().expect("an id")).or_default();
                log.entry(seq).or_insert(body);
                (204, Vec::new())
            }
            ("POST", ["jobs", _, "progress"]) => {
                let progress = serde_json::from_slice(&body).expect("a word");
                self.state().progress.push(progress);
                (204, Vec::new())
            }
            ("POST", ["jobs", _, "checkout"]) => {
                let checkout = self.state().checkout.clone().expect("the test planted a checkout");
                ok(json!(checkout))
            }
            ("POST", ["jobs", id, "credentials"]) => {
                ok(json!(self.credentials(id.parse().expect("an id"))))
            }
            ("PUT", ["jobs", _, "artifact"]) => {
                let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body);
                let size_bytes = i64::try_from(body.len()).expect("small");
                self.state().artifact = body;
                ok(json!(StoredArtifact { digest: hex::encode(digest), size_bytes }))
            }
            ("GET", ["jobs", _, "artifact"]) => (200, self.state().artifact.clone()),
            ("POST", ["jobs", id, "finish"]) => {
                let finish = serde_json::from_slice(&body).expect("a report");
                self.state().finished.push((id.parse().expect("an id"), finish));
                (204, Vec::new())
            }
            other => panic!("the worker API has no call {other:?}"),
        }
    }

    fn credentials(&self, job: JobId) -> AwsCredentials {
        let state = self.state();
        match &state.local_aws {
            Some(local) if state.looking.contains(&job) => local.looking.clone(),
            Some(local) if state.reading.contains(&job) => local.reading.clone(),
            Some(local) if state.inspecting.contains(&job) => local.inspecting.clone(),
            Some(local) => local.whole.clone(),
            None => AwsCredentials {
                access_key_id: "ASIAEXAMPLE".to_owned(),
                secret_access_key: "the-secret-access-key".to_owned(),
                session_token: "the-session-token".to_owned(),
                expires_at: "2030-01-01T00:00:00Z".parse().expect("a time"),
            },
        }
    }

    /// An AWS that has a Parameter Store and allows nothing else.
    fn aws(&self, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        assert!(path.starts_with("/aws"), "nobody calls {path}");
        let asked: Option<Value> = serde_json::from_slice(body).ok();
        let name = asked.as_ref().and_then(|asked| asked["Name"].as_str());
        let Some(name) = name else {
            let denied = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                          <Message>not authorized</Message></Error></ErrorResponse>";
            return (403, denied.as_bytes().to_vec());
        };
        let body = match self.state().parameter_store.get(name) {
            Some(value) => (200, json!({"Parameter": {"Name": name, "Value": value}})),
            None => (400, json!({"__type": "ParameterNotFound", "message": "none"})),
        };
        (body.0, body.1.to_string().into_bytes())
    }

    /// Holds the call open as the real server does.
    async fn claim(&self) -> (u16, Vec<u8>) {
        let begun = Instant::now();
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let wait;
            {
                let mut state = self.state();
                if let Some(status) = state.refuse_claims {
                    return (status, br#"{"detail":"another incarnation is registered"}"#.to_vec());
                }
                if !state.queue.is_empty() {
                    let assignment = state.queue.remove(0);
                    match assignment.task {
                        Task::Package { .. } => state.looking.push(assignment.job),
                        Task::Foresee { .. } => state.reading.push(assignment.job),
                        Task::Sweep { .. } | Task::Drift { .. } => {
                            state.inspecting.push(assignment.job);
                        }
                        Task::Plan { .. }
                        | Task::Test { .. }
                        | Task::Deploy { .. }
                        | Task::Remove { .. }
                        | Task::PostDeploy { .. }
                        | Task::Rollback { .. }
                        | Task::Recover { .. }
                        | Task::Discard { .. } => {}
                    }
                    return (200, serde_json::to_vec(&assignment).expect("JSON"));
                }
                wait = state.claim_wait.unwrap_or(CLAIM_WAIT);
            }
            let left = wait.saturating_sub(begun.elapsed());
            if tokio::time::timeout(left, changed).await.is_err() {
                return (204, Vec::new());
            }
        }
    }
}

/// Method, target and body of one request; `None` when the other side went away.
async fn read(stream: &mut TcpStream) -> Option<(String, String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let header = |name: &str| {
        let found = head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        });
        found.unwrap_or_default()
    };
    assert!(header("transfer-encoding").is_empty(), "bodies come with their length");
    if target.starts_with("/worker/") {
        assert_eq!(header("authorization"), "Bearer worker-token");
    }
    let length: usize = header("content-length").parse().unwrap_or(0);
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some((method, target, body))
}
