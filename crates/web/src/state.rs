//! What every handler works with, made once by whoever wires the process.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use model::worker_api::AwsEndpoint;
use secrecy::SecretString;
use store::Database;
use store::objects::Objects;
use store::signals::Signals;
use store::vault::Vault;
use uuid::Uuid;

use crate::board_version::BoardVersion;
use crate::inbox::Inbox;
use crate::login::Login;

/// The parts a server is wired from.
pub struct Parts {
    pub db: Database,
    pub vault: Vault,
    pub objects: Objects,
    pub signals: Signals,
    /// Without an identity on GitHub there is no checkout and no build by hand.
    pub github: github::Connection,
    pub minter: aws::role::RoleMinter,
    pub settings: Settings,
    pub clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    pub ids: Arc<dyn Fn() -> Uuid + Send + Sync>,
}

/// The configuration that the web side reads.
pub struct Settings {
    /// Where people and GitHub reach this server, without a slash at the end.
    pub public_url: String,
    /// Where workers clone from, `https://github.com` unless told otherwise.
    pub git_url: String,
    pub webhook_secrets: Vec<SecretString>,
    pub access: Access,
    pub login: Login,
    /// How long a worker holds a job without a heartbeat.
    pub lease: Duration,
    /// How often what was lost on the way from GitHub is looked for.
    pub reconcile_every: Duration,
    /// What the worker inside this process shows instead of a token of the database.
    pub embedded_worker_token: Option<SecretString>,
    pub aws_endpoint: AwsEndpoint,
    /// The environment that `secret_env` parameters are taken from.
    pub secret_env: SecretLookup,
}

/// Reads a variable of the server's environment.
pub type SecretLookup = Arc<dyn Fn(&str) -> Option<SecretString> + Send + Sync>;

/// Who may see the pages. Whoever signed in with GitHub or has a valid token always may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// People on this machine need not sign in, while nobody can with GitHub.
    Loopback,
    Token,
}

/// The parts, shared by all handlers.
#[derive(Clone)]
pub struct State {
    parts: Arc<Parts>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) board: Arc<BoardVersion>,
}

impl State {
    pub fn new(parts: Parts) -> Self {
        Self {
            inbox: Inbox::new(parts.db.clone()),
            board: Arc::new(BoardVersion::new(&parts.signals)),
            parts: Arc::new(parts),
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    pub(crate) fn id(&self) -> Uuid {
        (self.ids)()
    }

    /// The page of a build, which statuses point to.
    pub(crate) fn build_url(&self, app: &model::AppName, number: i64) -> String {
        let base = self.settings.public_url.trim_end_matches('/');
        format!("{base}/apps/{app}/builds/{number}")
    }
}

impl Deref for State {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}
