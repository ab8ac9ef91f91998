//! Signing in with GitHub, or with a token, and what people may then.
//!
//! What always holds: GitHub says who somebody is ([`flow`]), and what they may is asked of GitHub
//! with the server's own identity ([`roles`]); nothing of the person's own credentials is kept.
//! Whoever is signed in may let a command line in ([`device`]).

pub(crate) mod device;
pub(crate) mod flow;
pub(crate) mod roles;

use model::people::ServerRoles;
use secrecy::SecretString;

use crate::error::{Error, Result};
use crate::state::State;

/// Where GitHub sends people back to: the callback URL of the GitHub App or OAuth App.
pub const CALLBACK: &str = "/login/callback";

/// How people sign in, and what the configuration gives them.
#[derive(Default)]
pub struct Login {
    pub client: LoginClient,
    pub roles: ServerRoles,
    /// Everybody may read, without signing in.
    pub anonymous_read: bool,
}

/// As which client of GitHub's the server signs people in.
#[derive(Default)]
pub enum LoginClient {
    /// The GitHub App that the setup pages have made, once there is one; nobody until then.
    #[default]
    OfApp,
    /// The configuration names one.
    Configured { id: String, secret: SecretString },
}

/// Whether people can sign in with GitHub.
pub(crate) fn is_possible(state: &State) -> bool {
    credentials(state).is_some()
}

/// The client for one sign-in: its credentials may change while the server runs.
fn client(state: &State) -> Result<github::SignIn> {
    let (id, secret) = credentials(state).ok_or_else(|| {
        Error::NotFound(
            "nobody can sign in with GitHub here: the configuration has no login.client_id, and no \
             GitHub App was set up"
                .into(),
        )
    })?;
    state.github.sign_in(&state.settings.git_url, id, secret).map_err(Error::internal)
}

fn credentials(state: &State) -> Option<(String, SecretString)> {
    match &state.settings.login.client {
        LoginClient::Configured { id, secret } => Some((id.clone(), secret.clone())),
        LoginClient::OfApp => {
            let identity = state.github.identity()?;
            let app = identity.app.as_ref()?;
            Some((app.client_id.clone(), app.client_secret.clone()))
        }
    }
}
