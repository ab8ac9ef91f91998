//! The server's identity on GitHub, held in one place by all parts of the process, which may come
//! or change while the server runs: it is made on the setup pages.
//!
//! What always holds: an identity of the configuration is never replaced by another. Whoever asks
//! gets a client that stays usable, even if another takes its place meanwhile. Kept in memory
//! alone: after a crash the identity is read again from where it is kept.

use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::watch;

use crate::auth::{Auth, Clock, ConfigError};
use crate::client::GitHub;
use crate::oauth::SignIn;

/// The shared place of the identity. Clones see the same.
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

struct Shared {
    api_url: String,
    clock: Clock,
    origin: Origin,
    current: watch::Sender<Option<Arc<Identity>>>,
}

/// Who decides as whom the server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The configuration: nothing else counts.
    Configuration,
    /// What the setup pages have kept.
    Setup,
}

/// As whom the server speaks, with what else GitHub gave it.
#[derive(Clone)]
pub struct Identity {
    pub github: GitHub,
    /// What webhooks are signed with, besides the secrets of the configuration.
    pub webhook_secret: Option<SecretString>,
    /// `None` for a plain token.
    pub app: Option<AppIdentity>,
}

/// What is known of our GitHub App besides its key.
#[derive(Clone, Debug)]
pub struct AppIdentity {
    /// Its name in addresses.
    pub slug: String,
    /// Its page on GitHub.
    pub html_url: String,
    /// Signs people in.
    pub client_id: String,
    pub client_secret: SecretString,
}

impl Connection {
    /// Of the configuration, for as long as the process lives.
    pub fn configured(api_url: &str, clock: Clock, github: GitHub) -> Self {
        let identity = Identity { github, webhook_secret: None, app: None };
        Self::with(api_url, clock, Origin::Configuration, Some(identity))
    }

    /// Without an identity, until one is [`Self::set`].
    pub fn open(api_url: &str, clock: Clock) -> Self {
        Self::with(api_url, clock, Origin::Setup, None)
    }

    fn with(api_url: &str, clock: Clock, origin: Origin, identity: Option<Identity>) -> Self {
        let current = watch::Sender::new(identity.map(Arc::new));
        let shared = Shared { api_url: api_url.to_owned(), clock, origin, current };
        Self { shared: Arc::new(shared) }
    }

    pub fn origin(&self) -> Origin {
        self.shared.origin
    }

    pub fn identity(&self) -> Option<Arc<Identity>> {
        self.shared.current.borrow().clone()
    }

    /// The client of the identity, if there is one.
    pub fn get(&self) -> Option<GitHub> {
        self.identity().map(|identity| identity.github.clone())
    }

    /// Waits for an identity.
    pub async fn connected(&self) -> GitHub {
        loop {
            let mut changes = self.shared.current.subscribe();
            // an error would mean that the sender is gone, and it lives in `self`
            if let Ok(found) = changes.wait_for(Option::is_some).await
                && let Some(identity) = found.as_ref()
            {
                return identity.github.clone();
            }
        }
    }

    /// Takes the identity from now on, unless the configuration names one.
    pub fn set(&self, identity: Identity) {
        match self.shared.origin {
            Origin::Configuration => {}
            Origin::Setup => drop(self.shared.current.send_replace(Some(Arc::new(identity)))),
        }
    }

    /// A client of the same GitHub with these credentials. Nothing is sent yet.
    pub fn client(&self, auth: Auth) -> Result<GitHub, ConfigError> {
        GitHub::new(&self.shared.api_url, auth, Arc::clone(&self.shared.clock))
    }

    /// Signs people in as this OAuth App, or as the OAuth side of a GitHub App. `web_url` is
    /// `https://github.com`. Must be called inside a tokio runtime; nothing is sent yet.
    pub fn sign_in(
        &self,
        web_url: &str,
        client_id: String,
        client_secret: SecretString,
    ) -> Result<SignIn, ConfigError> {
        let clock = Arc::clone(&self.shared.clock);
        SignIn::new(web_url, &self.shared.api_url, client_id, client_secret, clock)
    }

    pub(crate) fn api_url(&self) -> &str {
        &self.shared.api_url
    }

    pub(crate) fn clock(&self) -> Clock {
        Arc::clone(&self.shared.clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Arc::new(|| chrono::DateTime::UNIX_EPOCH)
    }

    fn identity(connection: &Connection, secret: &str) -> Identity {
        let github = connection.client(Auth::Token("ghp_x".into())).unwrap();
        Identity { github, webhook_secret: Some(secret.into()), app: None }
    }

    #[tokio::test]
    async fn who_waits_gets_the_identity_once_it_is_there() {
        let connection = Connection::open("http://127.0.0.1:9", clock());
        assert!(connection.get().is_none());
        let waiting = tokio::spawn({
            let connection = connection.clone();
            async move { connection.connected().await }
        });
        connection.set(identity(&connection, "first"));
        waiting.await.unwrap();
        assert!(connection.get().is_some());
    }

    #[tokio::test]
    async fn the_configuration_is_not_overruled() {
        let open = Connection::open("http://127.0.0.1:9", clock());
        let github = open.client(Auth::Token("ghp_x".into())).unwrap();
        let connection = Connection::configured("http://127.0.0.1:9", clock(), github);
        connection.set(identity(&connection, "of the database"));
        assert!(connection.identity().is_some_and(|identity| identity.webhook_secret.is_none()));
    }
}
