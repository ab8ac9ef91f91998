//! Slack as a bot: a thing has one message, changed when it changes; news that were asked for come
//! as an answer below it, for nobody is told of a change.
//!
//! What always holds: a message that was deleted there is posted anew. After a crash between two
//! calls the first is made again, which changes nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use model::notification::{Event, Handle, Volume};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{passes, text, word};
use crate::error::Unsent;
use crate::http::Http;
use crate::{Parcel, Sent};

pub(crate) struct Bot<'a> {
    pub(crate) http: &'a Http,
    pub(crate) base: &'a str,
    pub(crate) token: &'a SecretString,
    pub(crate) channel: &'a str,
}

/// What every method answers, as far as it is read.
#[derive(Deserialize)]
struct Said {
    ok: bool,
    #[serde(default)]
    error: String,
    channel: Option<String>,
    ts: Option<String>,
}

/// Whether a message could be changed.
enum Changed {
    Done,
    /// It is not there any more, or too old.
    Gone,
}

impl Bot<'_> {
    pub(crate) async fn send(
        &self,
        parcel: &Parcel<'_>,
        now: DateTime<Utc>,
    ) -> Result<Sent, Unsent> {
        let known = match parcel.handle {
            Some(Handle::Slack { channel, ts, thread }) => Some((channel, ts, thread.as_ref())),
            Some(Handle::Mail { .. }) | None => None,
        };
        let text = text::written(parcel.message);
        if let Some((channel, ts, thread)) = known {
            match self.change(channel, ts, &text, now).await? {
                Changed::Done if parcel.volume == Volume::Loud => {
                    let thread = thread.unwrap_or(ts);
                    self.post(channel, &text, Some((thread, true)), now).await?;
                    return Ok(Sent::Taken(None));
                }
                Changed::Done => return Ok(Sent::Taken(None)),
                Changed::Gone if parcel.volume == Volume::Quiet => return Ok(Sent::Spared),
                Changed::Gone => {}
            }
        } else if parcel.volume == Volume::Quiet {
            return Ok(Sent::Spared);
        }
        // what mends a failure is shown in the channel, too; one more failure stays in the thread
        let aloud = parcel.message.event == Event::BuildFixed;
        let (channel, thread) = match parcel.answers {
            Some(Handle::Slack { channel, ts, thread }) => {
                (channel.as_str(), Some(thread.as_ref().unwrap_or(ts)))
            }
            Some(Handle::Mail { .. }) | None => (self.channel, None),
        };
        let said = self.post(channel, &text, thread.map(|ts| (ts, aloud)), now).await?;
        let (Some(channel), Some(ts)) = (said.channel, said.ts) else {
            return Err(Unsent::never("Slack did not say which message it made of it"));
        };
        Ok(Sent::Taken(Some(Handle::Slack { channel, ts, thread: thread.cloned() })))
    }

    async fn post(
        &self,
        channel: &str,
        text: &str,
        thread: Option<(&String, bool)>,
        now: DateTime<Utc>,
    ) -> Result<Said, Unsent> {
        let mut body =
            json!({ "channel": channel, "text": text, "unfurl_links": false, "parse": "none" });
        if let Some((ts, aloud)) = thread {
            body["thread_ts"] = json!(ts);
            body["reply_broadcast"] = json!(aloud);
        }
        let said = self.call("chat.postMessage", &body, now).await?;
        if said.ok { Ok(said) } else { Err(refused(&said.error)) }
    }

    async fn change(
        &self,
        channel: &str,
        ts: &str,
        text: &str,
        now: DateTime<Utc>,
    ) -> Result<Changed, Unsent> {
        let body = json!({ "channel": channel, "ts": ts, "text": text, "parse": "none" });
        let said = self.call("chat.update", &body, now).await?;
        match said.error.as_str() {
            _fine if said.ok => Ok(Changed::Done),
            "message_not_found"
            | "cant_update_message"
            | "edit_window_closed"
            | "channel_not_found" => Ok(Changed::Gone),
            other => Err(refused(other)),
        }
    }

    async fn call(&self, method: &str, body: &Value, now: DateTime<Utc>) -> Result<Said, Unsent> {
        let url = format!("{}/{method}", self.base);
        let headers = [("authorization", format!("Bearer {}", self.token.expose_secret()))];
        let answer = self.http.post(&url, &headers, body.to_string(), now).await?;
        if passes(answer.status) {
            let why = format!("Slack answers {}", answer.status);
            return Err(Unsent::Later { why, after: answer.after });
        }
        serde_json::from_slice(&answer.body)
            .map_err(|_| Unsent::later(format!("Slack answers {} and no JSON", answer.status)))
    }
}

/// Slack's own codes (the methods' lists of errors).
fn refused(error: &str) -> Unsent {
    let code = word(error).unwrap_or("an unknown error");
    match error {
        "ratelimited" => {
            let why = "Slack wants to be left alone for a while".to_owned();
            Unsent::Later { why, after: Some(Duration::from_secs(30)) }
        }
        "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" => {
            Unsent::later(format!("Slack says {code}"))
        }
        "not_in_channel" => Unsent::never("Slack says not_in_channel: invite the bot to it"),
        "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" | "account_inactive" => {
            Unsent::never(format!("Slack says {code}: the bot's token is not valid"))
        }
        "missing_scope" => Unsent::never("Slack says missing_scope: the bot needs chat:write"),
        _other => Unsent::never(format!("Slack says {code}")),
    }
}
