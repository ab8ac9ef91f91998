//! The GitHub that the rest of the server talks to: the calls we make, by repository.
//!
//! What always holds: a call is sent once (but once more with a new token, when GitHub refuses
//! one that it minted itself before its time), and an answer that lists something is whole or
//! an error, for what is missing from a list may be removed by those who ask.

mod account;
mod comment;
mod commit;
mod compare;
mod deployment;
mod hook;
mod installation;
mod member;
mod permission;
mod pull_request;
mod reaction;
mod reference;
mod repository;
mod status;
mod tree;

pub use account::Account;
pub use comment::{Edited, LONGEST_COMMENT};
pub use commit::CommitInfo;
pub use compare::{Comparison, Relation};
pub use deployment::{DeploymentState, DeploymentStatus, Lasting, NewDeployment, Taken};
pub use hook::{Cursor, Hook, HookDeliveries, HookDelivery, Redelivery};
pub use installation::{Installation, Visible};
pub use pull_request::{HeadRef, PullRequestInfo, PullRequestState};
pub use reaction::Reacted;
pub use reference::{FastForward, NewRef};
pub use repository::{Branch, RepositoryInfo};
pub use status::{Status, StatusState};
pub use tree::{Tree, TreeFile};

use std::sync::Arc;

use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::{Answer, Api};
use crate::auth::{App, Auth, Clock, ConfigError};
use crate::error::{Error, Viewer};
use crate::token::{CheckoutToken, Minted, Tokens};
use model::RepositoryName;

pub(crate) const NO_BODY: Option<&()> = None;
const PER_PAGE: u32 = 100;

/// A client of one GitHub (github.com or an Enterprise server). Cheap to clone.
#[derive(Clone)]
pub struct GitHub {
    api: Arc<Api>,
    credentials: Arc<Credentials>,
}

enum Credentials {
    App(Tokens),
    Token(SecretString),
}

/// A credential for one call, and whether a new one can be had.
enum Credential {
    Minted(Minted),
    Configured(SecretString),
}

impl Credential {
    fn secret(&self) -> &SecretString {
        match self {
            Self::Minted(minted) => &minted.token,
            Self::Configured(token) => token,
        }
    }
}

impl GitHub {
    /// `api_url` is `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise server.
    /// Must be called inside a tokio runtime. Nothing is sent yet.
    pub fn new(api_url: &str, auth: Auth, clock: Clock) -> Result<Self, ConfigError> {
        let credentials = match auth {
            Auth::App { app_id, private_key_pem } => Credentials::App(Tokens::new(
                App::new(app_id, &private_key_pem)?,
                Arc::clone(&clock),
            )),
            Auth::Token(token) => {
                let text = token.expose_secret();
                if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
                    return Err(ConfigError::Token);
                }
                Credentials::Token(token)
            }
        };
        Ok(Self { api: Arc::new(Api::new(api_url, clock)?), credentials: Arc::new(credentials) })
    }

    /// What a worker may fetch `repo` with. Of an App: a token for this repository alone, with
    /// contents: read and metadata: read, valid for five minutes or more. Of a configured
    /// token: that token.
    pub async fn checkout_token(&self, repo: &RepositoryName) -> Result<CheckoutToken, Error> {
        match self.credentials.as_ref() {
            Credentials::App(tokens) => {
                let minted = tokens.for_checkout(&self.api, repo).await?;
                Ok(CheckoutToken { token: minted.token, expires_at: Some(minted.expires_at) })
            }
            Credentials::Token(token) => {
                Ok(CheckoutToken { token: token.clone(), expires_at: None })
            }
        }
    }

    /// Sends one request about `repo`; `path` goes on after `/repos/owner/name`.
    async fn send<B: Serialize + ?Sized>(
        &self,
        method: Method,
        repo: &RepositoryName,
        path: &str,
        body: Option<&B>,
    ) -> Result<Answer, Error> {
        let path = format!("/repos/{repo}{path}");
        let credential = self.credential(repo).await?;
        let first = self.api.send(method.clone(), &path, credential.secret(), body).await;
        match (first, credential, self.credentials.as_ref()) {
            (
                Err(Error::Unauthorized { .. }),
                Credential::Minted(refused),
                Credentials::App(tokens),
            ) => {
                tokens.forget(repo, &refused).await;
                let minted = tokens.for_server(&self.api, repo).await?;
                self.api.send(method, &path, &minted.token, body).await
            }
            (outcome, _, _) => outcome,
        }
    }

    async fn get<T: DeserializeOwned>(
        &self,
        repo: &RepositoryName,
        path: &str,
    ) -> Result<T, Error> {
        self.send(Method::GET, repo, path, NO_BODY).await?.json()
    }

    /// All pages of a list; `query` ends the path and begins with `?`.
    async fn list<T: DeserializeOwned>(
        &self,
        repo: &RepositoryName,
        path_and_query: &str,
    ) -> Result<Vec<T>, Error> {
        let joint = if path_and_query.contains('?') { '&' } else { '?' };
        let mut all = Vec::new();
        for page in 1_u32.. {
            let path = format!("{path_and_query}{joint}per_page={PER_PAGE}&page={page}");
            let answer = self
                .send(Method::GET, repo, &path, NO_BODY)
                .await
                .map_err(|error| self.not_visible(repo, error))?;
            let items: Vec<T> = answer.json()?;
            let last = items.is_empty() || answer.next_page().is_none();
            all.extend(items);
            if last {
                break;
            }
        }
        Ok(all)
    }

    async fn credential(&self, repo: &RepositoryName) -> Result<Credential, Error> {
        match self.credentials.as_ref() {
            Credentials::App(tokens) => {
                tokens.for_server(&self.api, repo).await.map(Credential::Minted)
            }
            Credentials::Token(token) => Ok(Credential::Configured(token.clone())),
        }
    }

    /// A 404 on the repository itself, or on what exists wherever it is seen.
    fn not_visible(&self, repo: &RepositoryName, error: Error) -> Error {
        if !is_not_found(&error) {
            return error;
        }
        Error::NotVisible {
            repo: repo.clone(),
            viewer: match self.credentials.as_ref() {
                Credentials::App(_) => Viewer::App,
                Credentials::Token(_) => Viewer::Token,
            },
        }
    }

    /// None for a thing that is not there, but only after the repository has been seen: to who
    /// may not see it, GitHub answers 404 for all that is in it, and those who ask remove
    /// previews of branches that are gone.
    async fn absent_or<T>(
        &self,
        repo: &RepositoryName,
        outcome: Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match outcome {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_not_found(&error) => {
                self.repository(repo).await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

fn is_not_found(error: &Error) -> bool {
    matches!(error, Error::Rejected { status: 404, .. })
}
