//! Installation tokens of a GitHub App: minted when needed, kept until shortly before they end.
//!
//! What always holds: a token handed out is valid for five minutes or more; one key is minted
//! once, however many ask at the same time. All of it lives in memory: after a crash
//! tokens are minted anew and the old ones run out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::api::{Api, escape_all};
use crate::auth::{App, Clock};
use crate::client::NO_BODY;
use crate::error::{Error, Viewer};
use model::RepositoryName;

const MARGIN: TimeDelta = TimeDelta::minutes(5);

/// A token to read one repository with, for `git` on a worker.
#[derive(Clone, Debug)]
pub struct CheckoutToken {
    pub token: SecretString,
    /// None for a configured token: it ends when its owner says so.
    pub expires_at: Option<DateTime<Utc>>,
}

#[derive(Clone)]
pub(crate) struct Minted {
    pub(crate) token: SecretString,
    pub(crate) expires_at: DateTime<Utc>,
    installation: u64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Scope {
    /// All that the installation may: for the server itself.
    Installation { id: u64 },
    /// Reading one repository: for workers.
    Checkout { id: u64, repository: String },
}

/// One slot per key; its lock is held while the value is fetched.
type Slots<K, V> = Mutex<HashMap<K, Arc<tokio::sync::Mutex<Option<V>>>>>;

pub(crate) struct Tokens {
    app: App,
    clock: Clock,
    installations: Slots<String, u64>,
    minted: Slots<Scope, Minted>,
}

#[derive(Serialize)]
struct Request<'a> {
    repositories: [&'a str; 1],
    permissions: Permissions,
}

#[derive(Serialize)]
struct Permissions {
    contents: &'static str,
    metadata: &'static str,
}

#[derive(Deserialize)]
struct Token {
    token: String,
    expires_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

impl Tokens {
    pub(crate) fn new(app: App, clock: Clock) -> Self {
        Self { app, clock, installations: Slots::default(), minted: Slots::default() }
    }

    pub(crate) fn app_id(&self) -> u64 {
        self.app.id()
    }

    /// What the App itself speaks with, about its own hook.
    pub(crate) fn jwt(&self) -> SecretString {
        self.app.jwt((self.clock)())
    }

    /// The server's own token for the installation that `repo` belongs to.
    pub(crate) async fn for_server(
        &self,
        api: &Api,
        repo: &RepositoryName,
    ) -> Result<Minted, Error> {
        self.mint(api, repo, |id| Scope::Installation { id }, None).await
    }

    /// The server's own token for an installation that is known.
    pub(crate) async fn for_installation(&self, api: &Api, id: u64) -> Result<Minted, Error> {
        self.mint_for(api, id, Scope::Installation { id }, None).await
    }

    /// The server's own token for an organization's installation; `None` if there is none.
    pub(crate) async fn for_org(&self, api: &Api, org: &str) -> Result<Option<Minted>, Error> {
        let path = format!("/orgs/{}/installation", escape_all(org));
        match api.send(Method::GET, &path, &self.jwt(), NO_BODY).await {
            Ok(answer) => {
                let found: Installation = answer.json()?;
                self.for_installation(api, found.id).await.map(Some)
            }
            Err(Error::Rejected { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A token that can do nothing but read `repo`.
    pub(crate) async fn for_checkout(
        &self,
        api: &Api,
        repo: &RepositoryName,
    ) -> Result<Minted, Error> {
        let request = Request {
            repositories: [repo.name()],
            permissions: Permissions { contents: "read", metadata: "read" },
        };
        let scope = |id| Scope::Checkout { id, repository: repo.key() };
        self.mint(api, repo, scope, Some(&request)).await
    }

    /// Forgets a server's token that GitHub refused before its time.
    pub(crate) async fn forget(&self, repo: &RepositoryName, refused: &Minted) {
        let slot = slot(&self.minted, Scope::Installation { id: refused.installation });
        let mut kept = slot.lock().await;
        let same = |kept: &Minted| kept.token.expose_secret() == refused.token.expose_secret();
        if kept.as_ref().is_some_and(same) {
            *kept = None;
        }
        self.forget_installation(repo);
    }

    fn forget_installation(&self, repo: &RepositoryName) {
        self.installations.lock().expect("no panic while held").remove(&repo.key());
    }

    async fn mint(
        &self,
        api: &Api,
        repo: &RepositoryName,
        scope: impl Fn(u64) -> Scope,
        request: Option<&Request<'_>>,
    ) -> Result<Minted, Error> {
        let id = self.installation(api, repo).await?;
        match self.mint_for(api, id, scope(id), request).await {
            // The App was installed anew since we looked: the id changed.
            Err(Error::Rejected { status: 404, .. }) => {
                self.forget_installation(repo);
                let id = self.installation(api, repo).await?;
                self.mint_for(api, id, scope(id), request)
                    .await
                    .map_err(|error| not_visible(error, repo))
            }
            outcome => outcome.map_err(|error| not_visible(error, repo)),
        }
    }

    async fn mint_for(
        &self,
        api: &Api,
        id: u64,
        scope: Scope,
        request: Option<&Request<'_>>,
    ) -> Result<Minted, Error> {
        let slot = slot(&self.minted, scope);
        let mut kept = slot.lock().await;
        let now = (self.clock)();
        if let Some(minted) = kept.as_ref().filter(|m| m.expires_at - now > MARGIN) {
            return Ok(minted.clone());
        }
        let path = format!("/app/installations/{id}/access_tokens");
        let token: Token =
            api.send(Method::POST, &path, &self.app.jwt(now), request).await?.json()?;
        let minted =
            Minted { token: token.token.into(), expires_at: token.expires_at, installation: id };
        *kept = Some(minted.clone());
        Ok(minted)
    }

    async fn installation(&self, api: &Api, repo: &RepositoryName) -> Result<u64, Error> {
        let slot = slot(&self.installations, repo.key());
        let mut kept = slot.lock().await;
        if let Some(id) = *kept {
            return Ok(id);
        }
        let path = format!("/repos/{repo}/installation");
        let jwt = self.app.jwt((self.clock)());
        let found: Installation = api
            .send(Method::GET, &path, &jwt, None::<&()>)
            .await
            .map_err(|error| not_visible(error, repo))?
            .json()?;
        *kept = Some(found.id);
        Ok(found.id)
    }
}

fn slot<K: Eq + std::hash::Hash, V>(
    slots: &Slots<K, V>,
    key: K,
) -> Arc<tokio::sync::Mutex<Option<V>>> {
    let mut slots = slots.lock().expect("no panic while held");
    Arc::clone(slots.entry(key).or_default())
}

/// 404 where an installation was asked for, and 422 where a repository is none of its own.
fn not_visible(error: Error, repo: &RepositoryName) -> Error {
    match error {
        Error::Rejected { status: 404 | 422, .. } => {
            Error::NotVisible { repo: repo.clone(), viewer: Viewer::App }
        }
        Error::Rejected { .. }
        | Error::Unauthorized { .. }
        | Error::Forbidden { .. }
        | Error::NotVisible { .. }
        | Error::RateLimited { .. }
        | Error::Unavailable { .. }
        | Error::Garbled { .. } => error,
    }
}
