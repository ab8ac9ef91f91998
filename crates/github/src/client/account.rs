//! Who has a login on GitHub.

use http::Method;
use serde::Deserialize;

use super::{Credentials, GitHub, NO_BODY, is_not_found};
use crate::api::escape_all;
use crate::error::Error;

/// A person, an organization or a bot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Account {
    /// Stays the same when the login changes.
    pub id: u64,
    pub login: String,
    #[serde(rename = "type")]
    pub kind: String,
}

impl GitHub {
    /// The account of this login; `None` if there is none.
    pub async fn account(&self, login: &str) -> Result<Option<Account>, Error> {
        let path = format!("/users/{}", escape_all(login));
        let answer = match self.credentials.as_ref() {
            // public on github.com; an App speaks for itself about itself alone
            Credentials::App(_) => self.api.send_openly(Method::GET, &path, NO_BODY).await,
            Credentials::Token(token) => self.api.send(Method::GET, &path, token, NO_BODY).await,
        };
        match answer {
            Ok(answer) => answer.json().map(Some),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whose the token is; `None` for an App, which is nobody's.
    pub async fn own_account(&self) -> Result<Option<Account>, Error> {
        match self.credentials.as_ref() {
            Credentials::App(_) => Ok(None),
            Credentials::Token(token) => {
                self.api.send(Method::GET, "/user", token, NO_BODY).await?.json().map(Some)
            }
        }
    }
}
