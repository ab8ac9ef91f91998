//! Which server a command is for, and as whom: the arguments that all commands have.

use clap::Args;
use secrecy::SecretString;

use crate::Surroundings;
use crate::api::{Client, Token, address};
use crate::error::{Error, Result};
use crate::logins::{self, Logins};

#[derive(Debug, Clone, Args)]
pub(crate) struct Server {
    /// The server [default: the one of the newest login]
    #[arg(long, value_name = "URL", env = "GREENROOM_URL", hide_env_values = true)]
    server: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) server: Server,
    /// Print what the API answers, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Server {
    /// The server that is meant.
    pub(crate) fn url(&self, logins: &Logins) -> Result<String> {
        match self.server.as_deref().filter(|url| !url.trim().is_empty()) {
            Some(url) => address(url),
            None => logins.default.clone().ok_or(Error::NoServer),
        }
    }

    /// What a script gives goes before what a login has stored.
    pub(crate) fn client(&self, around: &Surroundings) -> Result<Client> {
        let given = around.variable("GREENROOM_TOKEN");
        // whoever names both needs no file, and so no home
        let logins = match (&self.server, given) {
            (Some(_), Some(_)) => Logins::default(),
            (None, _) | (_, None) => Logins::load(&logins::path(around)?)?,
        };
        let url = self.url(&logins)?;
        let token = match (given, logins.servers.get(&url)) {
            (Some(text), _) => Token::Given(SecretString::from(text.to_owned())),
            (None, Some(login)) => Token::Stored(SecretString::from(login.token.clone())),
            (None, None) => return Err(Error::NoToken { url }),
        };
        Client::new(&url, token)
    }
}
