//! What the stand-in remembers: repositories, pull requests, tokens, statuses, deliveries, faults.
//! All of it is in memory and ends with the process; only the git objects are on disk.
//!
//! The lock around [`State`] is never held across an `await`. Changes of refs are serialised by
//! [`Shared::refs`], so that webhooks leave in the order of the changes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::auth::MintedToken;
use crate::error::Error;
use crate::fault::PlantedFault;
use crate::key::AppKey;
use crate::people::People;
use crate::record::{Comment, Deployment, Reaction, Request, Status};
use crate::rest::manifest::MadeApp;
use crate::webhook::{Delivery, Hook, Mishaps, Outgoing};

/// The id of the one GitHub App that the stand-in knows.
pub const APP_ID: u64 = 4711;
/// The id of that App's one installation, which covers every repository except forks.
pub const INSTALLATION_ID: u64 = 815;
/// The slug of the App: what it writes is signed `greenroom[bot]`.
pub const APP_SLUG: &str = "greenroom";
/// The account behind the personal access tokens and behind the helpers' pushes.
pub const DEVELOPER: &str = "developer";

pub(crate) struct Shared {
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    /// Holds `{owner}/{repo}.git`.
    pub(crate) root: PathBuf,
    pub(crate) key: AppKey,
    pub(crate) client: reqwest::Client,
    pub(crate) outgoing: Outgoing,
    pub(crate) refs: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

pub(crate) type Stand = Arc<Shared>;

#[derive(Default)]
pub(crate) struct State {
    last_id: u64,
    pub(crate) people: People,
    pub(crate) personal_tokens: Vec<String>,
    pub(crate) minted_tokens: Vec<MintedToken>,
    pub(crate) repositories: BTreeMap<String, Repo>,
    pub(crate) statuses: Vec<Status>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) reactions: Vec<Reaction>,
    /// Whether comments made over REST are told by a webhook too.
    pub(crate) announces_comments: bool,
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) hook: Option<Hook>,
    /// Beside the App that is there from the beginning.
    pub(crate) made_app: Option<MadeApp>,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) mishaps: Mishaps,
    pub(crate) requests: Vec<Request>,
    pub(crate) unknown_calls: Vec<Request>,
    pub(crate) faults: Vec<PlantedFault>,
}

impl State {
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        1_000 + self.last_id
    }

    pub(crate) fn repo(&self, full_name: &str) -> Result<&Repo, Error> {
        self.repositories.get(full_name).ok_or_else(|| Error::not_found("repository", full_name))
    }

    pub(crate) fn repo_mut(&mut self, full_name: &str) -> Result<&mut Repo, Error> {
        self.repositories
            .get_mut(full_name)
            .ok_or_else(|| Error::not_found("repository", full_name))
    }
}

impl State {
    /// The App that acts: the one that was made last, else the one that is always there.
    pub(crate) fn app(&self) -> (u64, String) {
        match &self.made_app {
            Some(made) => (made.id, made.slug.clone()),
            None => (APP_ID, APP_SLUG.to_owned()),
        }
    }

    /// An App is nowhere until somebody installs it; the first one is.
    pub(crate) fn is_installed(&self) -> bool {
        self.made_app.as_ref().is_none_or(|made| made.installed)
    }
}

impl Shared {
    pub(crate) fn new(
        url: String,
        root: PathBuf,
        personal_tokens: Vec<String>,
        hook: Option<Hook>,
        outgoing: Outgoing,
    ) -> Result<Self, Error> {
        Ok(Self {
            url,
            root,
            key: AppKey::of_this_process()?,
            client: crate::webhook::client()?,
            outgoing,
            refs: tokio::sync::Mutex::new(()),
            state: Mutex::new(State { personal_tokens, hook, ..State::default() }),
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn repo(&self, full_name: &str) -> Result<Repo, Error> {
        self.state().repo(full_name).cloned()
    }

    /// Where the bare repository lies.
    pub(crate) fn git_dir(&self, full_name: &str) -> PathBuf {
        self.root.join(format!("{full_name}.git"))
    }
}

/// One repository.
#[derive(Clone, Debug)]
pub(crate) struct Repo {
    pub(crate) id: u64,
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) private: bool,
    pub(crate) default_branch: String,
    /// The full name of the repository that this one is a fork of.
    pub(crate) fork_of: Option<String>,
    /// Whether the App is installed on it and the personal tokens may see it.
    pub(crate) granted: bool,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) pushed_at: DateTime<Utc>,
    /// Branches and tags as they were last announced by webhooks.
    pub(crate) announced: BTreeMap<String, String>,
    pub(crate) pulls: Vec<Pull>,
    /// Branches that nobody may move over REST.
    pub(crate) protected: Vec<String>,
}

impl Repo {
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    pub(crate) fn pull(&self, number: u64) -> Result<&Pull, Error> {
        self.pulls.iter().find(|pull| pull.number == number).ok_or_else(|| {
            Error::not_found("pull request", format!("{}#{number}", self.full_name()))
        })
    }
}

/// One pull request.
#[derive(Clone, Debug, Serialize)]
pub struct Pull {
    pub id: u64,
    pub number: u64,
    pub title: String,
    pub body: Option<String>,
    pub user: String,
    pub draft: bool,
    pub state: PullState,
    /// The full name of the head's repository; another one than the base's for a fork.
    pub head_repo: String,
    pub head_ref: String,
    pub head_sha: String,
    pub base_ref: String,
    pub base_sha: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum PullState {
    Open,
    Closed { at: DateTime<Utc> },
    Merged { at: DateTime<Utc>, commit: String, by: String },
}

impl Pull {
    pub(crate) fn is_open(&self) -> bool {
        self.state == PullState::Open
    }
}

/// GitHub's way to write a time: UTC, whole seconds, `Z`.
pub(crate) fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
