//! Signing in with GitHub: the web flow of OAuth, with PKCE (RFC 7636, method S256).
//!
//! What always holds: the person's token is asked who they are, once, and dropped; nothing keeps it
//! and no error says it. It is asked for no scope, so it could do nothing but that. A code that was
//! not given for our verifier is refused by GitHub.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use model::Login;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::api::{Api, escape_all};
use crate::auth::{Clock, ConfigError};
use crate::client::NO_BODY;
use crate::error::Error;

/// An OAuth App, or the OAuth side of a GitHub App.
pub struct SignIn {
    /// `https://github.com`
    web: Api,
    web_url: String,
    api: Api,
    client_id: String,
    client_secret: SecretString,
}

/// Who signed in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SignedIn {
    /// Stays the same through renames.
    pub id: u64,
    pub login: Login,
    #[serde(default)]
    pub name: Option<String>,
}

/// Why nobody signed in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    #[error(
        "GitHub took this sign-in for over or used already (its codes last ten minutes): sign in \
         again"
    )]
    Code,
    #[error(
        "GitHub does not know this server: the client id or secret is wrong (`login.client_id`, \
         `login.client_secret`); whoever runs the server mends that"
    )]
    Client,
    #[error(
        "GitHub does not send people back to this address: set the callback URL of the GitHub App \
         or OAuth App to {0}"
    )]
    Callback(String),
    #[error("GitHub wants your mail address confirmed first: see your settings there")]
    Unverified,
    #[error("GitHub refused the sign-in ({code}): {message}")]
    Refused { code: String, message: String },
    #[error(transparent)]
    GitHub(#[from] Error),
}

#[derive(Serialize)]
struct Exchange<'a> {
    client_id: &'a str,
    client_secret: &'a str,
    code: &'a str,
    redirect_uri: &'a str,
    code_verifier: &'a str,
}

/// GitHub answers 200 to a refusal too
/// (<https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps>).
#[derive(Deserialize)]
#[serde(untagged)]
enum Exchanged {
    Token {
        access_token: String,
    },
    Refused {
        error: String,
        #[serde(default)]
        error_description: String,
    },
}

impl SignIn {
    /// `web_url` is `https://github.com`, `api_url` `https://api.github.com`, or those of an
    /// Enterprise server. Must be called inside a tokio runtime. Nothing is sent yet.
    pub fn new(
        web_url: &str,
        api_url: &str,
        client_id: String,
        client_secret: SecretString,
        clock: Clock,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            web: Api::of_pages(web_url, clock.clone())?,
            web_url: web_url.trim_end_matches('/').to_owned(),
            api: Api::new(api_url, clock)?,
            client_id,
            client_secret,
        })
    }

    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Where people are sent. `verifier` stays here: GitHub sees its hash now, and itself when the
    /// code is exchanged.
    pub fn authorize_url(&self, redirect_uri: &str, state: &str, verifier: &str) -> String {
        format!(
            "{}/login/oauth/authorize?client_id={}&redirect_uri={}&state={}&code_challenge={}\
             &code_challenge_method=S256",
            self.web_url,
            escape_all(&self.client_id),
            escape_all(redirect_uri),
            escape_all(state),
            challenge(verifier),
        )
    }

    /// Who came back with this code.
    pub async fn account(
        &self,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
    ) -> Result<SignedIn, SignInError> {
        let token = self.exchange(code, redirect_uri, verifier).await?;
        let answer = self.api.send(Method::GET, "/user", &token, NO_BODY).await.map_err(
            |error| match error {
                Error::Unauthorized { .. } => SignInError::Code,
                other => other.into(),
            },
        )?;
        Ok(answer.json()?)
    }

    async fn exchange(
        &self,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
    ) -> Result<SecretString, SignInError> {
        let exchange = Exchange {
            client_id: &self.client_id,
            client_secret: self.client_secret.expose_secret(),
            code,
            redirect_uri,
            code_verifier: verifier,
        };
        let path = "/login/oauth/access_token";
        let answer =
            self.web.send_openly(Method::POST, path, Some(&exchange)).await.map_err(|error| {
                match error {
                    // an unknown client id
                    Error::Rejected { status: 404, .. } => SignInError::Client,
                    other => other.into(),
                }
            })?;
        match answer.json()? {
            Exchanged::Token { access_token } => Ok(access_token.into()),
            Exchanged::Refused { error, error_description } => Err(match error.as_str() {
                "bad_verification_code" => SignInError::Code,
                "incorrect_client_credentials" => SignInError::Client,
                "redirect_uri_mismatch" => SignInError::Callback(redirect_uri.to_owned()),
                "unverified_user_email" => SignInError::Unverified,
                _ => SignInError::Refused { code: error, message: error_description },
            }),
        }
    }
}

/// RFC 7636, 4.2.
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_the_one_of_rfc_7636() {
        // appendix B
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[tokio::test]
    async fn people_are_sent_with_everything_escaped_and_without_the_secret() {
        let clock: Clock = std::sync::Arc::new(|| chrono::DateTime::UNIX_EPOCH);
        let secret: SecretString = "very-secret".into();
        let api = "https://api.github.com";
        let sign_in =
            SignIn::new("https://github.com/", api, "Iv1.a b".into(), secret, clock).unwrap();
        let url = sign_in.authorize_url("https://ci.example.com/login/callback", "st&te", "v");
        assert!(url.starts_with("https://github.com/login/oauth/authorize?client_id=Iv1.a%20b&"));
        assert!(url.contains("redirect_uri=https%3A%2F%2Fci.example.com%2Flogin%2Fcallback"));
        assert!(url.contains("state=st%26te") && !url.contains("very-secret"), "{url}");
    }
}
