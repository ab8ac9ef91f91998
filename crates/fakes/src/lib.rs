//! A GitHub stand-in for tests and the demo: git over http on bare repositories, the REST calls
//! that Greenroom makes, signed webhooks, and faults on demand. It speaks GitHub's protocol on
//! loopback and shares no code with what it tests. Beside it, receivers of notifications
//! ([`receiver`]): a webhook, a chat, a mail server.
//!
//! Everything but the git objects is in memory: a crash forgets it all, and so does a restart.
//!
//! ```no_run
//! # async fn example() -> Result<(), fakes::Error> {
//! let github = fakes::GitHub::builder()
//!     .webhook("http://127.0.0.1:8080/webhooks/github", "secret")
//!     .token("ghp_test")
//!     .start()
//!     .await?;
//! let repo = github.repo("acme/workshop");
//! repo.create("master").await?;
//! let sha = repo.commit("master", &[("README.md", "hello")], "First").await?;
//! github.settle_deliveries().await;
//! assert!(repo.statuses(&sha).is_empty());
//! # Ok(())
//! # }
//! ```

// GitHub's objects have more fields than the default lets `json!` write.
#![recursion_limit = "256"]

mod admin;
mod auth;
mod clock;
mod comments;
mod error;
mod fast_import;
mod fault;
mod git;
mod git_http;
mod key;
mod oauth;
mod payload;
mod people;
mod people_admin;
mod pulls;
pub mod receiver;
mod record;
mod refs;
mod repository;
mod rest;
mod server;
mod state;
mod webhook;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

pub use error::Error;
pub use fault::{Fault, Matcher, PlantedFault};
pub use people::{CLIENT_ID, CLIENT_SECRET, Consent, User};
pub use pulls::{MergeMethod, NewPull};
pub use record::{Comment, Deployment, DeploymentStatus, Reaction, Request, Status};
pub use repository::Repository;
pub use state::{APP_ID, APP_SLUG, DEVELOPER, INSTALLATION_ID, Pull, PullState};
pub use webhook::{Crafted, Delivery, Hook, HookOwner, Outcome, signature};

use state::{Shared, Stand};
use webhook::Outgoing;

/// The sample application: a repository of four services, and code that they share.
pub fn sample_workshop() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sample/workshop")
}

/// How to start a [`GitHub`].
#[derive(Clone, Debug, Default)]
pub struct Builder {
    listen: Option<SocketAddr>,
    dir: Option<PathBuf>,
    tokens: Vec<String>,
    hook: Option<Hook>,
}

impl Builder {
    /// Where to listen; a free port of 127.0.0.1 unless told.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = Some(address);
        self
    }

    /// Where the bare repositories go; a temporary directory unless told.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Accepts a personal access token.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.tokens.push(token.to_owned());
        self
    }

    /// Sends the App's webhooks there, signed with the secret.
    #[must_use]
    pub fn webhook(self, url: &str, secret: &str) -> Self {
        self.hook(Hook {
            url: url.to_owned(),
            secret: Some(secret.to_owned()),
            owner: HookOwner::App,
        })
    }

    /// Sends webhooks as told.
    #[must_use]
    pub fn hook(mut self, hook: Hook) -> Self {
        self.hook = Some(hook);
        self
    }

    pub async fn start(self) -> Result<GitHub, Error> {
        let scratch = match self.dir {
            Some(_) => None,
            None => Some(tempfile::tempdir().map_err(Error::io("make a temporary directory"))?),
        };
        let root = match (&self.dir, &scratch) {
            (Some(dir), _) => dir.clone(),
            (None, Some(scratch)) => scratch.path().to_owned(),
            (None, None) => std::env::temp_dir(),
        };
        std::fs::create_dir_all(&root).map_err(Error::io("make the repositories' directory"))?;
        let root = root.canonicalize().map_err(Error::io("find the repositories' directory"))?;
        let address = self.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let listener = TcpListener::bind(address).await.map_err(Error::io("listen"))?;
        let address = listener.local_addr().map_err(Error::io("listen"))?;
        let (outgoing, queue) = Outgoing::new();
        let url = format!("http://{address}");
        let stand = Arc::new(Shared::new(url, root, self.tokens, self.hook, outgoing)?);
        let router = server::router(&stand);
        let sender = tokio::spawn(webhook::send_all(Arc::clone(&stand), queue));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the stand-in stopped");
            }
        });
        Ok(GitHub {
            stand,
            tasks: [sender.abort_handle(), server.abort_handle()],
            _scratch: scratch,
        })
    }
}

fn led_to(answer: &reqwest::Response) -> Result<String, Error> {
    let to = answer.headers().get("location").and_then(|value| value.to_str().ok());
    to.map(str::to_owned).ok_or_else(|| Error::Refused(format!("it answered {}", answer.status())))
}

/// A running GitHub stand-in. It stops when dropped.
pub struct GitHub {
    stand: Stand,
    tasks: [AbortHandle; 2],
    _scratch: Option<TempDir>,
}

impl Drop for GitHub {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl GitHub {
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// With nothing but defaults: no token, no webhook.
    pub async fn start() -> Result<Self, Error> {
        Self::builder().start().await
    }

    /// `http://127.0.0.1:PORT`, the base of REST and of git.
    pub fn url(&self) -> &str {
        &self.stand.url
    }

    /// The private key of the App, as PEM.
    pub fn app_private_key_pem(&self) -> &str {
        &self.stand.key.private_pem
    }

    /// A handle on a repository, which need not exist yet.
    pub fn repo(&self, full_name: &str) -> Repository {
        Repository::new(&self.stand, full_name)
    }

    /// A repository in the shape of webhooks, to word an event with.
    pub fn repository_json(&self, full_name: &str) -> Result<Value, Error> {
        let repo = self.stand.repo(full_name)?;
        Ok(payload::repository(&self.stand.url, &repo))
    }

    pub fn add_token(&self, token: &str) {
        self.stand.state().personal_tokens.push(token.to_owned());
    }

    /// Makes an App of a manifest, as the page at `path` (`/settings/apps/new`) would after a
    /// person agreed; where that person's browser is led to.
    pub async fn make_app(&self, path: &str, manifest: &str) -> Result<String, Error> {
        let request = self.stand.client.post(format!("{}{path}", self.stand.url));
        led_to(&request.form(&[("manifest", manifest)]).send().await?)
    }

    /// Installs the App that was made last on every granted repository; where the browser is led.
    pub async fn install_app(&self) -> Result<String, Error> {
        let (_, slug) = self.stand.state().app();
        let url = format!("{}/apps/{slug}/installations/new", self.stand.url);
        led_to(&self.stand.client.get(url).send().await?)
    }

    /// Makes every installation token minted so far invalid.
    pub fn revoke_minted_tokens(&self) {
        self.stand.state().minted_tokens.clear();
    }

    /// Sends webhooks from now on as told, or not at all.
    pub fn set_hook(&self, hook: Option<Hook>) {
        self.stand.state().hook = hook;
    }

    /// Sends the App's webhooks there from now on, signed with the secret.
    pub fn set_webhook(&self, url: &str, secret: &str) {
        self.set_hook(Some(Hook {
            url: url.to_owned(),
            secret: Some(secret.to_owned()),
            owner: HookOwner::App,
        }));
    }

    /// Sends the `ping` of a repository's hook.
    pub fn ping(&self, full_name: &str) -> Result<(), Error> {
        let repo = self.stand.repo(full_name)?;
        let hook = self.stand.state().hook.clone();
        let target = hook.map(|hook| hook.url).unwrap_or_default();
        let ping = payload::ping(&self.stand.url, &repo, DEVELOPER, &target);
        self.stand.emit("ping", ping, &repo);
        Ok(())
    }

    /// Sends a webhook as worded; the delivery's id.
    pub fn send_webhook(&self, crafted: Crafted) -> Result<u64, Error> {
        self.stand.send_crafted(crafted)
    }

    /// Every delivery, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.stand.state().deliveries.clone()
    }

    /// Sends a delivery again with its GUID; the new delivery's id.
    pub fn redeliver(&self, id: u64) -> Result<u64, Error> {
        self.stand.redeliver(id)
    }

    /// Lets the next deliveries fail without being sent.
    pub fn lose_deliveries(&self, count: u32) {
        self.stand.state().mishaps.lost = count;
    }

    /// Lets the next deliveries arrive, but count as failed: the answer did not come back.
    pub fn lose_delivery_answers(&self, count: u32) {
        self.stand.state().mishaps.unanswered = count;
    }

    /// Lets the next deliveries arrive twice.
    pub fn double_deliveries(&self, count: u32) {
        self.stand.state().mishaps.doubled = count;
    }

    /// Waits until every delivery so far was sent and answered, or has failed.
    pub async fn settle_deliveries(&self) {
        self.stand.outgoing.settle().await;
    }

    /// Sends `issue_comment` for comments that are made and edited over REST as well, as GitHub does
    /// for every subscriber; without it only what people write is told.
    pub fn announce_comments(&self) {
        self.stand.state().announces_comments = true;
    }

    /// Lets the next `count` matching requests go wrong; all until [`Self::reset_faults`] without.
    pub fn fail_next(&self, matcher: Matcher, count: Option<u32>, fault: Fault) {
        self.stand.state().faults.push(PlantedFault { matcher, count, fault });
    }

    pub fn reset_faults(&self) {
        self.stand.state().faults.clear();
    }

    /// Every request to REST and git, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.stand.state().requests.clone()
    }

    /// The requests that the stand-in does not know. A test ends by finding none.
    pub fn unknown_calls(&self) -> Vec<Request> {
        self.stand.state().unknown_calls.clone()
    }

    /// Every status of every commit, in order of arrival.
    pub fn all_statuses(&self) -> Vec<Status> {
        self.stand.state().statuses.clone()
    }

    /// A person of this login, made where there is none yet.
    pub fn user(&self, login: &str) -> User {
        self.stand.state().put_user(login, None)
    }

    /// The account keeps its number and its rights.
    pub fn rename_user(&self, login: &str, to: &str) {
        self.stand.state().rename_user(login, to);
    }

    /// The account is gone.
    pub fn remove_user(&self, login: &str) {
        self.stand.state().remove_user(login);
    }

    /// What somebody may in a repository: `admin`, `maintain`, `write`, `triage`, `read` or nothing.
    pub fn set_right(&self, full_name: &str, login: &str, right: Option<&str>) {
        self.stand.state().set_right(full_name, login, right);
    }

    /// Puts somebody into a team, `org/team`, or takes them out.
    pub fn set_member(&self, team: &str, login: &str, is_in: bool) {
        self.stand.state().set_member(team, login, is_in);
    }

    /// How the next people answer when a client asks who they are.
    pub fn set_consent(&self, consent: Consent) {
        self.stand.state().people.consent = consent;
    }
}
