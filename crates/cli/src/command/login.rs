//! `greenroom login`: a page of the server asks whether this command line is let in (RFC 8628).
//!
//! What always holds: the token is asked for by this program and written into its file, and shown
//! nowhere. What an earlier login here got is revoked once there is a new one.

use std::io::BufRead;
use std::time::Duration;

use chrono::TimeDelta;
use clap::{Args, ValueEnum};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use super::whoami::Me;
use crate::api::{Client, Token, address, is_open_to_all};
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::logins::{self, Login, Logins, Made};
use crate::table::plain;
use crate::{Surroundings, out, words};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

#[derive(Debug, Args)]
pub struct Arguments {
    /// The server, like https://ci.example.com [default: the one of the newest login]
    #[arg(value_name = "URL", env = "GREENROOM_URL", hide_env_values = true)]
    server: Option<String>,
    /// What this command line is to be allowed: the page may say less
    #[arg(long, default_value = "deployer")]
    role: Role,
    /// What the page calls this machine [default: its host name]
    #[arg(long)]
    machine: Option<String>,
    /// Read a token from standard input instead, which an admin has made for you
    #[arg(long)]
    with_token: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// Everything, settings too
    Admin,
    /// Read, build and deploy
    Deployer,
    /// Read
    Viewer,
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Deployer => "deployer",
            Self::Viewer => "viewer",
        }
    }
}

#[derive(Deserialize)]
struct Codes {
    device_code: String,
    user_code: String,
    verification_uri_complete: String,
    expires_in: i64,
    #[serde(default = "usual")]
    interval: u64,
}

/// RFC 8628, 3.2.
fn usual() -> u64 {
    5
}

/// What became of the question.
enum Answer {
    Token(String),
    NotYet,
    Slower,
}

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let path = logins::path(around)?;
    let mut logins = Logins::load(&path)?;
    let url = match &given.server {
        Some(url) => address(url)?,
        None => logins.default.clone().ok_or_else(|| {
            Error::Usage("name the server: greenroom login https://ci.example.com".into())
        })?,
    };
    if is_open_to_all(&url) {
        out::said(&format!("{url} is not https: whoever is on the way can read the token"))?;
    }
    let (token, made) = if given.with_token {
        (read()?, Made::Given)
    } else {
        (let_in(&given, &url, around).await?, Made::Here)
    };
    let client = Client::new(&url, Token::Stored(SecretString::from(token.clone())))?;
    let me: Me = client.part(&client.get("/whoami").await?)?;
    let expires_at = me.token.and_then(|token| token.expires_at);
    let before = logins.servers.get(&url).cloned();
    logins.add(&url, Login { token, name: me.name.clone(), made, expires_at });
    logins.save(&path)?;
    if let Some(Login { token, made: Made::Here, .. }) = before {
        let old = Client::new(&url, Token::Stored(SecretString::from(token)))?;
        // it may be over by itself; it is in nobody's hands any more
        let _ = old.done("/logout").await;
    }
    let end = expires_at.map(|end| format!(" until {}", words::moment(end)));
    out::line(&format!("signed in to {url} as {}{}", me.name, end.unwrap_or_default()))?;
    if around.variable("GREENROOM_TOKEN").is_some() {
        out::said("GREENROOM_TOKEN is set, and goes before what was stored: unset it")?;
    }
    Ok(Code::Succeeded)
}

/// A token from standard input, alone on its line.
fn read() -> Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut text)
        .map_err(|error| Error::Local(format!("the token cannot be read: {error}")))?;
    match text.trim() {
        "" => Err(Error::Usage("send the token on standard input, alone on its line".into())),
        token => Ok(token.to_owned()),
    }
}

async fn let_in(given: &Arguments, url: &str, around: &Surroundings) -> Result<String> {
    let client = Client::new(url, Token::None)?;
    let machine = given.machine.clone().unwrap_or_else(host);
    let form = [("client_id", "greenroom"), ("scope", given.role.as_str()), ("machine", &machine)];
    let (_, codes) = client.form("/login/device/code", &form).await?;
    let codes: Codes = client.part(&codes)?;
    out::said(&format!(
        "Open this page, see that it shows the code {}, and let this command line in:\n\n    {}\n",
        plain(&codes.user_code),
        plain(&codes.verification_uri_complete)
    ))?;
    let end = (around.now)() + TimeDelta::seconds(codes.expires_in);
    let mut pause = Duration::from_secs(codes.interval);
    let form = [
        ("grant_type", GRANT_TYPE),
        ("client_id", "greenroom"),
        ("device_code", codes.device_code.as_str()),
    ];
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = tokio::signal::ctrl_c() => {
                return Err(Error::Login("it was broken off here".into()));
            }
        }
        if (around.now)() >= end {
            return Err(Error::Login("nobody let it in within the time: run it again".into()));
        }
        match answer(client.form("/login/device/token", &form).await, &client)? {
            Answer::Token(token) => return Ok(token),
            Answer::NotYet => {}
            // RFC 8628, 3.5
            Answer::Slower => pause += Duration::from_secs(5),
        }
    }
}

fn answer(answered: Result<(bool, Value)>, client: &Client) -> Result<Answer> {
    #[derive(Deserialize)]
    struct Given {
        access_token: String,
    }
    #[derive(Deserialize)]
    struct Refused {
        error: String,
        #[serde(default)]
        error_description: String,
    }
    let (is_given, value) = match answered {
        Ok(answer) => answer,
        Err(error) if error.passes() => return Ok(Answer::NotYet),
        Err(error) => return Err(error),
    };
    if is_given {
        let Given { access_token } = client.part(&value)?;
        return Ok(Answer::Token(access_token));
    }
    let Refused { error, error_description } = client.part(&value)?;
    match error.as_str() {
        "authorization_pending" => Ok(Answer::NotYet),
        "slow_down" => Ok(Answer::Slower),
        "access_denied" => Err(Error::Login(plain(&error_description))),
        _ => Err(Error::Login(format!("{}: run it again", plain(&error_description)))),
    }
}

fn host() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| "a machine".into())
}
