//! The stand-in with one repository, and clients of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use greenroom_github::{Auth, Clock, GitHub};
use model::{CommitSha, RepositoryName};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const TOKEN: &str = "ghp_test_token";

/// The stand-in with one repository, and a clock that can be moved.
pub(crate) struct World {
    pub(crate) fake: fakes::GitHub,
    pub(crate) workshop: fakes::Repository,
    pub(crate) head: CommitSha,
    ahead: Arc<AtomicI64>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let fake = fakes::GitHub::builder().token(TOKEN).start().await.unwrap();
        let workshop = fake.repo("acme/workshop");
        workshop.create("master").await.unwrap();
        let head = workshop.commit("master", &[("README.md", "Hello")], "Begin").await.unwrap();
        Self { fake, workshop, head: head.parse().unwrap(), ahead: Arc::default() }
    }

    pub(crate) fn clock(&self) -> Clock {
        let ahead = Arc::clone(&self.ahead);
        Arc::new(move || now() + TimeDelta::seconds(ahead.load(Ordering::Relaxed)))
    }

    pub(crate) fn move_clock(&self, seconds: i64) {
        self.ahead.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) fn app(&self) -> GitHub {
        let auth = Auth::App {
            app_id: fakes::APP_ID,
            private_key_pem: self.fake.app_private_key_pem().into(),
        };
        GitHub::new(self.fake.url(), auth, self.clock()).unwrap()
    }

    pub(crate) fn with_token(&self, token: impl Into<SecretString>) -> GitHub {
        GitHub::new(self.fake.url(), Auth::Token(token.into()), self.clock()).unwrap()
    }

    /// How many requests came whose path ends so.
    pub(crate) fn requests(&self, method: &str, path_end: &str) -> usize {
        self.fake
            .requests()
            .iter()
            .filter(|request| request.method == method && request.path.ends_with(path_end))
            .count()
    }
}

/// The stand-in checks JWTs by the machine's clock.
#[expect(clippy::disallowed_methods, reason = "the stand-in lives in real time")]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let unknown = self.fake.unknown_calls();
            assert!(unknown.is_empty(), "calls that GitHub does not have: {unknown:?}");
        }
    }
}

pub(crate) fn repo(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

pub(crate) fn workshop() -> RepositoryName {
    repo("acme/workshop")
}

/// Where an address of the stand-in leads a browser.
pub(crate) async fn redirect_of(url: &str, path: &str) -> String {
    let host = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let leads = answer.lines().find_map(|line| line.strip_prefix("location: "));
    leads.unwrap_or_else(|| panic!("it leads nowhere: {answer}")).to_owned()
}
