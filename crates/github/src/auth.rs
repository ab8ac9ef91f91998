//! As whom we speak to GitHub: as a GitHub App (its key signs short JWTs, which mint
//! installation tokens) or with one plain token.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

/// The time, given by the one who wires the process, so that tests can move it.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// The credentials of the configuration.
#[derive(Clone, Debug)]
pub enum Auth {
    App { app_id: u64, private_key_pem: SecretString },
    Token(SecretString),
}

/// Why no client can be made of the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("`github.api_url` is `{url}`: write it like `https://api.github.com` ({problem})")]
    ApiUrl { url: String, problem: String },
    #[error(
        "`github.private_key_file` holds no RSA private key in PEM form, as downloaded from the \
         App's settings ({0})"
    )]
    PrivateKey(#[source] jsonwebtoken::errors::Error),
    #[error("`github.token` is not usable: it is empty or holds characters that no token has")]
    Token,
    #[error(
        "no TLS client can be made ({0}): install the system's certificates (`ca-certificates`)"
    )]
    Tls(String),
}

/// The key of a GitHub App.
pub(crate) struct App {
    id: u64,
    key: EncodingKey,
}

impl App {
    pub(crate) fn new(id: u64, pem: &SecretString) -> Result<Self, ConfigError> {
        EncodingKey::from_rsa_pem(pem.expose_secret().as_bytes())
            .map(|key| Self { id, key })
            .map_err(ConfigError::PrivateKey)
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// A JWT for one call: dated back a minute for clocks that differ, and valid for nine more,
    /// for GitHub refuses what lives longer than ten.
    pub(crate) fn jwt(&self, now: DateTime<Utc>) -> SecretString {
        #[derive(Serialize)]
        struct Claims {
            iss: String,
            iat: i64,
            exp: i64,
        }
        let claims = Claims {
            iss: self.id.to_string(),
            iat: (now - TimeDelta::seconds(60)).timestamp(),
            exp: (now + TimeDelta::seconds(9 * 60)).timestamp(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &self.key)
            .expect("a parsed RSA key signs, and the claims are plain JSON")
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_rsa_key_is_refused_with_the_remedy_and_without_the_text() {
        let error = App::new(1, &"very secret".into()).err().unwrap();
        assert!(error.to_string().contains("github.private_key_file"));
        assert!(!error.to_string().contains("very secret"));
    }
}
