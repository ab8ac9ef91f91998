//! What the tests share: a server on a free port, a client of it, rows to begin with, and a clock
//! that the test moves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws::AwsEndpoint;
use aws::role::RoleMinter;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use chrono::{DateTime, TimeDelta, Utc};
use model::permission::Role;
use model::{TokenId, WorkerId};
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::Database;
use store::objects::Objects;
use store::signals::Signals;
use store::token::NewToken;
use store::vault::Vault;
use uuid::Uuid;
use web::{Access, Login, Parts, Settings};

pub(crate) const SECRETS: [&str; 2] = ["the old secret", "the new secret"];
pub(crate) const EMBEDDED: &str = "embedded-worker-token";
pub(crate) const LEASE: TimeDelta = TimeDelta::seconds(60);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) db: Database,
    pub(crate) environment: Arc<Mutex<BTreeMap<String, String>>>,
    seconds: Arc<AtomicI64>,
    client: reqwest::Client,
    files: tempfile::TempDir,
}

/// Where people sign in.
struct Place {
    git_url: String,
    login: Login,
}

impl Default for Place {
    fn default() -> Self {
        Self { git_url: "https://github.com".into(), login: Login::default() }
    }
}

/// PostgreSQL waits five seconds for those who are still connected to a database that is dropped.
impl Drop for Server {
    fn drop(&mut self) {
        let pool = self.db.pool().clone();
        tokio::spawn(async move { pool.close().await });
    }
}

fn id() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u128(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)) << 64)
}

fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

impl Server {
    pub(crate) async fn start(pool: PgPoolOptions, options: PgConnectOptions) -> Self {
        Self::with(pool, options, Access::Loopback, &SECRETS).await
    }

    pub(crate) async fn with(
        _pool: PgPoolOptions,
        options: PgConnectOptions,
        access: Access,
        secrets: &[&str],
    ) -> Self {
        let github = github::Connection::open("http://127.0.0.1:9", Arc::new(start));
        Self::whole(options, access, secrets, github, Place::default()).await
    }

    /// With an identity on this GitHub.
    pub(crate) async fn with_github(
        _pool: PgPoolOptions,
        options: PgConnectOptions,
        url: &str,
        token: &str,
    ) -> Self {
        let auth = github::Auth::Token(token.into());
        let github = github::GitHub::new(url, auth, Arc::new(start)).expect("a client");
        let github = github::Connection::configured(url, Arc::new(start), github);
        Self::whole(options, Access::Loopback, &SECRETS, github, Place::default()).await
    }

    /// Where people sign in, with an identity on this GitHub where there is a token.
    pub(crate) async fn with_login(
        options: PgConnectOptions,
        url: &str,
        token: Option<&str>,
        login: Login,
    ) -> Self {
        let github = match token {
            Some(token) => {
                let auth = github::Auth::Token(token.into());
                let github = github::GitHub::new(url, auth, Arc::new(start)).expect("a client");
                github::Connection::configured(url, Arc::new(start), github)
            }
            None => github::Connection::open(url, Arc::new(start)),
        };
        let place = Place { git_url: url.to_owned(), login };
        Self::whole(options, Access::Loopback, &SECRETS, github, place).await
    }

    async fn whole(
        options: PgConnectOptions,
        access: Access,
        secrets: &[&str],
        github: github::Connection,
        place: Place,
    ) -> Self {
        let db = Database::connect(options.to_url_lossy().as_str(), 5).await.expect("a database");
        let files = tempfile::tempdir().expect("a directory");
        let seconds = Arc::new(AtomicI64::new(0));
        let environment = Arc::new(Mutex::new(BTreeMap::<String, String>::new()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let endpoint = AwsEndpoint { url: Some("http://127.0.0.1:9".into()), ca_bundle_pem: None };
        let variables = Arc::clone(&environment);
        let clock = Arc::clone(&seconds);
        let parts = Parts {
            db: db.clone(),
            vault: Vault::load_or_create(&files.path().join("key")).expect("a key"),
            objects: Objects::local(&files.path().join("objects")).expect("a directory"),
            signals: Signals::new(),
            github,
            minter: RoleMinter::from_default_chain(&endpoint).await.expect("a minter"),
            settings: Settings {
                public_url: "https://ci.example.com".into(),
                git_url: place.git_url,
                webhook_secrets: secrets.iter().map(|secret| (*secret).into()).collect(),
                access,
                login: place.login,
                lease: LEASE.to_std().expect("positive"),
                reconcile_every: Duration::from_secs(300),
                embedded_worker_token: Some(EMBEDDED.into()),
                aws_endpoint: model::worker_api::AwsEndpoint::default(),
                secret_env: Arc::new(move |name| {
                    let variables = variables.lock().expect("no panic while held");
                    variables.get(name).map(|value| SecretString::from(value.as_str()))
                }),
            },
            clock: Arc::new(move || start() + TimeDelta::seconds(clock.load(Ordering::Relaxed))),
            ids: Arc::new(id),
        };
        let service = web::router(parts).into_make_service_with_connect_info::<web::Connection>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        let client = Self::client();
        Self { address, db, environment, seconds, client, files }
    }

    /// One that goes nowhere by itself.
    pub(crate) fn client() -> reqwest::Client {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a client")
    }

    /// Keeps the bytes of an artifact; their digest, and the key they are encrypted with.
    pub(crate) async fn keep(&self, bytes: String) -> (String, String) {
        let objects = Objects::local(&self.files.path().join("objects")).expect("a directory");
        let vault = Vault::load_or_create(&self.files.path().join("key")).expect("a key");
        let (stored, key) = objects.put(&vault, bytes.into()).await.expect("an object");
        (stored.digest, key)
    }

    /// Ids that sort in the order in which they were made.
    pub(crate) fn id(&self) -> Uuid {
        id()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        start() + TimeDelta::seconds(self.seconds.load(Ordering::Relaxed))
    }

    pub(crate) fn pass(&self, time: TimeDelta) {
        self.seconds.fetch_add(time.num_seconds(), Ordering::Relaxed);
    }

    /// A token of this role.
    pub(crate) async fn token(&self, role: Role) -> String {
        let token = format!("token-of-{}-{}", role.as_str(), id());
        let hash = digest(&SHA256, token.as_bytes());
        let mut conn = self.db.acquire().await.expect("a connection");
        let new = NewToken::new(TokenId(id()), &token, role, hash.as_ref(), self.now());
        store::token::insert(&mut conn, &new).await.expect("a token");
        token
    }

    /// A token of this role in one app, and of none elsewhere.
    pub(crate) async fn token_in(&self, app: &str, role: Role) -> String {
        let token = self.token(role).await;
        sqlx::query(
            "update token set app_id = (select id from app where name = $2) where name = $1",
        )
        .bind(&token)
        .bind(app)
        .execute(self.db.pool())
        .await
        .expect("an app");
        token
    }

    /// An app beside the workshop.
    pub(crate) async fn other_app(&self) {
        let mut file = workshop();
        (file["app"], file["repository"]) = (json!("other"), json!("acme/other"));
        let token = self.token(Role::Admin).await;
        let request = self.request(Method::PUT, "/api/v1/apps/other").bearer_auth(token);
        let (status, said) = answer(request.json(&file)).await;
        assert_eq!(status, StatusCode::CREATED, "{said}");
    }

    /// The workshop, applied over the API.
    pub(crate) async fn workshop(&self) -> String {
        let token = self.token(Role::Admin).await;
        let answer = self.apply(&token, &workshop()).await;
        assert_eq!(answer.0, StatusCode::CREATED, "{}", answer.1);
        token
    }

    pub(crate) async fn apply(&self, token: &str, file: &Value) -> (StatusCode, Value) {
        let request = self.request(Method::PUT, "/api/v1/apps/workshop").bearer_auth(token);
        answer(request.json(file)).await
    }

    /// A worker that registered, ready to claim.
    pub(crate) async fn worker(&self, name: &str) -> Worker<'_> {
        let incarnation = id();
        let register = json!({
            "name": name, "incarnation": incarnation, "slots": 2, "version": "1", "executor": "bubblewrap",
        });
        let request = self.post("/worker/v1/register").bearer_auth(EMBEDDED).json(&register);
        let (status, answer) = answer(request).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let worker = WorkerId(answer["worker"].as_str().expect("an id").parse().expect("an id"));
        Worker { server: self, worker, incarnation }
    }
}

pub(crate) struct Worker<'a> {
    server: &'a Server,
    worker: WorkerId,
    incarnation: Uuid,
}

impl Worker<'_> {
    pub(crate) fn claim(&self, wait_seconds: u16) -> RequestBuilder {
        let claim = json!({
            "worker": self.worker, "incarnation": self.incarnation, "wait_seconds": wait_seconds,
        });
        self.server.post("/worker/v1/claim").bearer_auth(EMBEDDED).json(&claim)
    }

    /// The next job.
    pub(crate) async fn job(&self) -> Value {
        let (status, job) = answer(self.claim(0)).await;
        assert_eq!(status, StatusCode::OK, "{job}");
        job
    }

    pub(crate) fn call(&self, job: &Value, call: &str) -> RequestBuilder {
        let id = job["job"].as_str().expect("an id");
        self.server.post(&format!("/worker/v1/jobs/{id}/{call}")).bearer_auth(EMBEDDED)
    }

    pub(crate) async fn log(&self, job: &Value, seq: i64, text: &str) {
        let call = format!("log?attempt={}&seq={seq}", job["attempt"]);
        let status = self.call(job, &call).body(text.to_owned()).send().await.expect("an answer");
        assert_eq!(status.status(), StatusCode::NO_CONTENT);
    }

    pub(crate) async fn finish(&self, job: &Value, outcome: Value, result: Value) -> StatusCode {
        let finish = json!({ "attempt": job["attempt"], "outcome": outcome, "result": result });
        let answer = self.call(job, "finish").json(&finish).send().await.expect("an answer");
        answer.status()
    }
}

pub(crate) fn workshop() -> Value {
    let profile = |account: &str| {
        json!({
            "role_arn": format!("arn:aws:iam::{account}:role/greenroom-deploy"),
            "region": "us-east-1",
            "parameters": { "env": "dev", "key": { "secret": "s3cr3t-value" } },
        })
    };
    json!({
        "app": "workshop",
        "repository": "acme/workshop",
        "default_profile": "development",
        "profiles": { "development": profile("111111111111"), "staging": profile("222222222222") },
        "stages": { "staging": { "profile": "staging" } },
        "rules": [
            { "branch": "master", "stage": "staging" },
            { "tag": "v*", "stage": "staging", "trigger": "manual" },
            { "preview": { "base": ["master"] } },
        ],
    })
}

pub(crate) const COMMIT: &str = "1111111111111111111111111111111111111111";

pub(crate) async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let text = answer.text().await.expect("a text");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, body);
    let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}
