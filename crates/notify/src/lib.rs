//! Sends a message to those outside who are to know: a chat, a program, mailboxes.
//!
//! What always holds: an address that an app's settings name is resolved here and connected to only
//! if [`model::notification::may_be_reached`] allows it; no redirect and no proxy is followed; every
//! call ends in time. No secret stands in an error. Nothing is remembered here: who calls keeps what
//! the receiver made of a message ([`Handle`]) and asks again after a failure.
//!
//! After a crash between a call and its note the caller sends the same version again: a program
//! knows it by its id, a mailbox by its `Message-ID`; a chat shows it twice.

mod error;
mod guard;
mod http;
mod mail;
mod slack;
mod text;
mod webhook;

use std::time::Duration;

use chrono::{DateTime, Utc};
use lettre::message::Mailbox;
use model::AppName;
use model::notification::{Handle, Message, Network, Volume};
use secrecy::SecretString;

pub use error::Unsent;

use http::Http;

/// Slack's own interface.
pub const SLACK: &str = "https://slack.com/api";

/// How long one call may take.
const LONGEST_CALL: Duration = Duration::from_secs(10);

/// What the operator of the server sets.
#[derive(Debug, Clone)]
pub struct Config {
    /// Networks that are not public and may be reached nonetheless.
    pub allowed: Vec<Network>,
    pub slack_url: String,
    pub smtp: Option<Smtp>,
}

/// The server that takes our mail.
#[derive(Debug, Clone)]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub login: Option<(String, SecretString)>,
    pub from: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// From the first byte.
    Implicit,
    /// Begun by `STARTTLS`; a server that cannot is refused.
    StartTls,
    None,
}

/// Where a message goes, with the secrets that this takes.
#[derive(Debug, Clone)]
pub enum Destination {
    SlackIncoming { url: SecretString },
    SlackBot { token: SecretString, channel: String },
    Webhook { url: SecretString, secret: SecretString },
    Mail { to: Vec<String> },
}

/// One version of a message about one thing.
#[derive(Debug, Clone)]
pub struct Parcel<'a> {
    /// Of the thing and the receiver; a letter, digits and underscores.
    pub id: &'a str,
    /// Counted from 1.
    pub version: i64,
    pub app: &'a AppName,
    /// What the thing is called within its app.
    pub thing: &'a str,
    pub message: &'a Message,
    pub volume: Volume,
    /// What the receiver made of an earlier version.
    pub handle: Option<&'a Handle>,
    /// What it made of the thing that this one is the sequel of.
    pub answers: Option<&'a Handle>,
    /// Whether the receiver was told anything of the thing before.
    pub was_told: bool,
}

/// What became of a parcel that was not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// With what it is to be known by from now on, where that is new.
    Taken(Option<Handle>),
    /// The receiver was not told: it cannot change what it has, or has nothing to change.
    Spared,
}

/// Ready to send.
#[derive(Clone)]
pub struct Sender {
    http: Http,
    slack_url: String,
    mailer: Option<mail::Mailer>,
}

impl Sender {
    pub fn new(config: &Config) -> Result<Self, SetupError> {
        let mailer = match &config.smtp {
            Some(smtp) => Some(mail::Mailer::new(smtp)?),
            None => None,
        };
        Ok(Self {
            http: Http::new(&config.allowed)?,
            slack_url: config.slack_url.trim_end_matches('/').to_owned(),
            mailer,
        })
    }

    pub async fn send(
        &self,
        to: &Destination,
        parcel: &Parcel<'_>,
        now: DateTime<Utc>,
    ) -> Result<Sent, Unsent> {
        if parcel.volume == Volume::Quiet && !parcel.was_told {
            return Ok(Sent::Spared);
        }
        match to {
            Destination::SlackIncoming { url } => {
                slack::incoming(&self.http, url, parcel, now).await
            }
            Destination::SlackBot { token, channel } => {
                let bot = slack::Bot { http: &self.http, base: &self.slack_url, token, channel };
                bot.send(parcel, now).await
            }
            Destination::Webhook { url, secret } => {
                webhook::send(&self.http, (url, secret), parcel, now).await
            }
            Destination::Mail { to } => match &self.mailer {
                Some(mailer) => mailer.send(to, parcel, now).await,
                None => Err(Unsent::never(
                    "this server sends no mail: its configuration has no smtp.host and smtp.from",
                )),
            },
        }
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("smtp.from is {from:?}, which is no address; write one like greenroom@example.com")]
    From { from: String },
    #[error("smtp.host: TLS cannot be set up for {host}: {problem}")]
    Tls { host: String, problem: String },
    #[error("no HTTP client can be made: {0}")]
    Http(String),
}

/// Whether such a mail server can be spoken to, as far as its settings tell.
pub fn check(smtp: &Smtp) -> Result<(), SetupError> {
    mail::Mailer::new(smtp).map(|_| ())
}

/// `Name <address>` or an address.
fn mailbox(text: &str) -> Result<Mailbox, SetupError> {
    text.parse().map_err(|_| SetupError::From { from: text.to_owned() })
}
