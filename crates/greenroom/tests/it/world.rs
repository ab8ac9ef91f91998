//! A test's world: a GitHub with a repository, a server that knows it, and eyes on both.

use std::sync::Arc;

use fakes::{GitHub, NewPull, Repository};
use serde_json::{Value, json};

use crate::aws::LocalAws;
use crate::database::Rows;
use crate::sample::Sample;
use crate::server::{Server, client, until};

pub(crate) const TOKEN: &str = "ghp_of_the_server";
pub(crate) const SECRET: &str = "webhook-secret";

/// As whom the server speaks to GitHub.
#[derive(Clone, Copy)]
enum Identity {
    Token,
    App,
}

pub(crate) struct World {
    pub(crate) github: Arc<GitHub>,
    pub(crate) repository: Repository,
    pub(crate) server: Server,
    pub(crate) admin: String,
    client: reqwest::Client,
    /// The App's key: the server reads it whenever it starts.
    _key: tempfile::NamedTempFile,
}

impl World {
    /// A server with the app `workshop` applied; its repository is there, and empty.
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    pub(crate) async fn with(environment: &[(&str, &str)]) -> Self {
        Self::known_as(Identity::Token, Rows::shared(), environment).await
    }

    /// A server that nobody gave a database: it runs a PostgreSQL of its own.
    pub(crate) async fn with_own_postgres() -> Self {
        Self::known_as(Identity::Token, Rows::OwnPostgres, &[]).await
    }

    /// A server that is a GitHub App, as most will be.
    pub(crate) async fn as_app() -> Self {
        Self::as_app_with(&[]).await
    }

    pub(crate) async fn as_app_with(environment: &[(&str, &str)]) -> Self {
        Self::known_as(Identity::App, Rows::shared(), environment).await
    }

    async fn known_as(identity: Identity, rows: Rows, environment: &[(&str, &str)]) -> Self {
        let github = Arc::new(GitHub::builder().token(TOKEN).start().await.unwrap());
        let repository = github.repo("acme/workshop");
        repository.create("master").await.unwrap();
        let mut all = vec![
            ("GREENROOM_GITHUB_API_URL", github.url()),
            ("GREENROOM_GITHUB_GIT_URL", github.url()),
            ("GREENROOM_GITHUB_WEBHOOK_SECRET", SECRET),
        ];
        let key = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(key.path(), github.app_private_key_pem()).unwrap();
        let app_id = fakes::APP_ID.to_string();
        match identity {
            Identity::Token => all.push(("GREENROOM_GITHUB_TOKEN", TOKEN)),
            Identity::App => all.extend([
                ("GREENROOM_GITHUB_APP_ID", app_id.as_str()),
                ("GREENROOM_GITHUB_PRIVATE_KEY_FILE", key.path().to_str().unwrap()),
            ]),
        }
        all.extend(environment);
        let server = Server::start(rows, &all).await;
        github.set_webhook(&format!("{}/webhooks/github", server.url), SECRET);
        let admin = server.token("admin", "admin").await;
        let world = Self { github, repository, server, admin, client: client(), _key: key };
        let (status, body) = world.put("/apps/workshop", &app()).await;
        assert!(status == 200 || status == 201, "{status}: {body}");
        world
    }

    /// A pull request from a fork: tests alone, so nothing but the queue is in play. Its commit.
    pub(crate) async fn fork_pull_request(&self, sample: &Sample) -> String {
        self.repository.commit("master", &[("README.md", "notes")], "First").await.unwrap();
        let fork = self.repository.fork("stranger/workshop").await.unwrap();
        let head = fork.commit("fix", &sample.files(), "Fix").await.unwrap();
        let pull = NewPull {
            head: "fix".into(),
            base: "master".into(),
            title: "Fix".into(),
            body: None,
            draft: false,
            head_repo: Some("stranger/workshop".into()),
        };
        self.repository.open(pull).await.unwrap();
        head
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(reqwest::Method::GET, path, None).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        self.call(reqwest::Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.call(reqwest::Method::POST, path, Some(body)).await
    }

    /// Puts an app file into force; what the server answers.
    pub(crate) async fn apply(&self, file: &Value) -> Value {
        let (status, body) = self.put("/apps/workshop", file).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// What a person reads on a page.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.client.get(format!("{}{path}", self.server.url)).send().await.unwrap();
        let status = answer.status();
        let html = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status}: {html}");
        crate::page::text(&html)
    }

    /// What a person reads on the page of a build.
    pub(crate) async fn build_page(&self, build: &Value) -> String {
        self.page(&format!("/apps/workshop/builds/{}", build["number"])).await
    }

    /// Orders something by the API, and waits for the build of it to succeed.
    pub(crate) async fn orders(&self, path: &str, body: &Value) -> Value {
        let (status, build) = self.post(path, body).await;
        assert_eq!(status, 201, "{path}: {build}");
        let build = self.finished(build["number"].as_i64().unwrap()).await;
        self.has_succeeded(build).await
    }

    async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let url = format!("{}/api/v1{path}", self.server.url);
        let mut request = self.client.request(method, url).bearer_auth(&self.admin);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Presses "replay" beside a delivery on the System page, and waits until it is processed.
    pub(crate) async fn replay(&self, guid: &str) {
        let url = format!("{}/system/deliveries/{guid}/replay", self.server.url);
        let answer = self.client.post(url).header("origin", &self.server.url).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        let db = self.server.database().await;
        until("the replayed delivery to be processed", async || {
            let mut conn = db.acquire().await.unwrap();
            let delivery = store::delivery::find(&mut conn, guid).await.unwrap().unwrap();
            let reason = delivery.reason.unwrap_or_default();
            (delivery.processed_at.is_some() && reason.starts_with("replayed")).then_some(())
        })
        .await;
        db.pool().close().await;
    }

    /// The whole log of a job as text.
    pub(crate) async fn log(&self, job: &Value) -> String {
        let path = format!("{}/api/v1/jobs/{}/log", self.server.url, job["id"].as_str().unwrap());
        self.client.get(path).bearer_auth(&self.admin).send().await.unwrap().text().await.unwrap()
    }

    /// Waits for the newest build that meets the query (`commit=…`, `stage=…`) to be there.
    pub(crate) async fn build(&self, query: &str) -> Value {
        until(&format!("a build with {query}"), async || {
            let list = self.get(&format!("/apps/workshop/builds?{query}")).await;
            list["builds"].get(0).cloned()
        })
        .await
    }

    /// Waits for a build to end, whatever its outcome.
    pub(crate) async fn finished(&self, number: i64) -> Value {
        let path = format!("/apps/workshop/builds/{number}");
        until(&format!("build {number} to end"), async || {
            let build = self.get(&path).await;
            (build["state"] == "finished").then_some(build)
        })
        .await
    }

    /// Waits for the newest build that meets the query to succeed.
    pub(crate) async fn succeeds(&self, query: &str) -> Value {
        let build = self.build(query).await;
        let build = self.finished(build["number"].as_i64().unwrap()).await;
        self.has_succeeded(build).await
    }

    /// Waits for the newest build that meets the query to fail.
    pub(crate) async fn fails(&self, query: &str) -> Value {
        let build = self.build(query).await;
        let build = self.finished(build["number"].as_i64().unwrap()).await;
        assert_eq!(build["outcome"], "failed", "{build:#}");
        build
    }

    async fn has_succeeded(&self, build: Value) -> Value {
        if build["outcome"] != "succeeded" {
            for job in build["jobs"].as_array().unwrap() {
                if job["outcome"] == "failed" {
                    println!("--- log of {job}\n{}", self.log(job).await);
                }
            }
            panic!("the build did not succeed: {build:#}");
        }
        build
    }

    /// Waits until the newest status of a context is this one.
    pub(crate) async fn status(&self, sha: &str, context: &str, state: &str) -> fakes::Status {
        until(&format!("the status {context} of {sha} to be {state}"), async || {
            let statuses = self.repository.statuses(sha);
            let newest = statuses.iter().rev().find(|status| status.context == context)?;
            (newest.state == state).then(|| newest.clone())
        })
        .await
    }

    /// Nothing is owed, nothing runs, and GitHub was asked nothing it does not know.
    pub(crate) async fn ends(self) {
        until("every status to be sent and every build to end", async || {
            let metrics = self.client.get(format!("{}/metrics", self.server.url));
            let text = metrics.bearer_auth(&self.admin).send().await.unwrap().text().await.unwrap();
            let gauge = |name: &str| {
                text.lines()
                    .find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok())
                    .unwrap_or_else(|| panic!("no {name} in {text}"))
            };
            let left = gauge("greenroom_outbox_pending")
                + gauge("greenroom_jobs_running")
                + gauge("greenroom_jobs_queued");
            (left == 0.0).then_some(())
        })
        .await;
        self.stops().await;
    }

    /// The same of a world in which something is left to wait.
    pub(crate) async fn stops(mut self) {
        let unknown = self.github.unknown_calls();
        assert!(unknown.is_empty(), "GitHub does not know these: {unknown:?}");
        self.server.stop().await;
    }
}

pub(crate) fn jobs(build: &Value) -> impl Iterator<Item = &Value> {
    build["jobs"].as_array().into_iter().flatten()
}

/// The app file of the workshop, as JSON.
pub(crate) fn app() -> Value {
    let profile = |account: &str, name: &str| {
        json!({
            "role_arn": format!("arn:aws:iam::{account}:role/greenroom-deploy"),
            "external_id": LocalAws::external_id(),
            "region": "us-east-1",
            "parameters": {
                "env": name,
                "endpoint": format!("https://{name}.example.com"),
                "endpoint_api_key": { "secret": format!("key-of-{name}-7f3a9c") },
            },
        })
    };
    json!({
        "app": "workshop",
        "repository": "acme/workshop",
        "default_profile": "development",
        "profiles": {
            "development": profile(crate::aws::DEVELOPMENT, "dev"),
            "staging": profile(crate::aws::STAGING, "staging"),
            "production": profile(crate::aws::PRODUCTION, "prod"),
        },
        "stages": {
            "dev": { "profile": "development" },
            "staging": { "profile": "staging" },
            "prod": { "profile": "production" },
        },
        "rules": [
            { "branch": "develop", "stage": "dev" },
            { "branch": "master", "stage": "staging" },
            { "branch": "prod", "stage": "prod" },
            { "preview": { "base": ["master"] } },
        ],
    })
}
