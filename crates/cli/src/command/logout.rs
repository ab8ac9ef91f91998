//! `greenroom logout`

use clap::Args;
use secrecy::SecretString;

use crate::api::{Client, Token, address};
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::logins::{self, Logins, Made};
use crate::{Surroundings, out};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The server [default: the one of the newest login]
    #[arg(value_name = "URL", env = "GREENROOM_URL", hide_env_values = true)]
    server: Option<String>,
    /// Only forget the token here, as when the server is gone: it holds until its end
    #[arg(long)]
    forget: bool,
}

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let path = logins::path(around)?;
    let mut logins = Logins::load(&path)?;
    let url = match &given.server {
        Some(url) => address(url)?,
        None => logins.default.clone().ok_or_else(|| several(&logins))?,
    };
    let Some(login) = logins.servers.get(&url) else {
        return Err(Error::NoToken { url });
    };
    let revoked = match (login.made, given.forget) {
        // somebody else may use it too
        (Made::Given, _) | (Made::Here, true) => false,
        (Made::Here, false) => {
            let token = SecretString::from(login.token.clone());
            match Client::new(&url, Token::Stored(token))?.done("/logout").await {
                Ok(()) => true,
                // it is over already
                Err(Error::StoredToken { .. }) => true,
                Err(error) if error.passes() => {
                    out::said("the token is kept: --forget only forgets it here")?;
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        }
    };
    let name = login.name.clone();
    logins.forget(&url);
    logins.save(&path)?;
    let what = if revoked { "the token is revoked" } else { "the token is forgotten here" };
    out::line(&format!("signed out of {url}, where you were {name}: {what}"))?;
    Ok(Code::Succeeded)
}

fn several(logins: &Logins) -> Error {
    if logins.servers.is_empty() {
        return Error::NoServer;
    }
    let urls: Vec<&str> = logins.servers.keys().map(String::as_str).collect();
    Error::Usage(format!("several servers are known: name one of {}", urls.join(", ")))
}
