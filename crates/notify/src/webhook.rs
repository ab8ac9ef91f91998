//! A message to a program, signed as Standard Webhooks 1.0 has it (standardwebhooks.com): the
//! headers `webhook-id`, `webhook-timestamp` and `webhook-signature`, HMAC-SHA256 over the three.
//!
//! What always holds: the id stands for one version of one message, however often it is sent. Every
//! answer but 2xx is tried again, for programs are mended while messages wait; 410 says that nobody
//! is there any more.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use model::notification::Message;
use model::{BranchName, StageName, TagName};
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::error::Unsent;
use crate::http::Http;
use crate::{Parcel, Sent};

/// What secrets begin with that are written as base64.
const ENCODED: &str = "whsec_";

pub(crate) async fn send(
    http: &Http,
    (url, secret): (&SecretString, &SecretString),
    parcel: &Parcel<'_>,
    now: DateTime<Utc>,
) -> Result<Sent, Unsent> {
    let id = format!("msg_{}_{}", parcel.id, parcel.version);
    let body = serde_json::to_string(&Body::of(parcel))
        .map_err(|error| Unsent::never(format!("the message cannot be written: {error}")))?;
    let seconds = now.timestamp().to_string();
    let signature = sign(&key(secret)?, &id, &seconds, &body);
    let headers = [
        ("webhook-id", id),
        ("webhook-timestamp", seconds),
        ("webhook-signature", format!("v1,{signature}")),
    ];
    let answer = http.post(url.expose_secret(), &headers, body, now).await?;
    match answer.status {
        status if status.is_success() => Ok(Sent::Taken(None)),
        StatusCode::GONE => Err(Unsent::never("it answers 410 Gone: nobody is there any more")),
        status if status.is_redirection() => Err(Unsent::Later {
            why: format!("it answers {status}, and redirects are not followed"),
            after: answer.after,
        }),
        status => Err(Unsent::Later { why: format!("it answers {status}"), after: answer.after }),
    }
}

fn key(secret: &SecretString) -> Result<Vec<u8>, Unsent> {
    let text = secret.expose_secret().trim();
    match text.strip_prefix(ENCODED) {
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| {
            Unsent::never("what follows whsec_ in its secret is no base64, padding included")
        }),
        None => Ok(text.as_bytes().to_vec()),
    }
}

fn sign(key: &[u8], id: &str, seconds: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    STANDARD.encode(hmac::sign(&key, format!("{id}.{seconds}.{body}").as_bytes()))
}

/// `docs/notifications.md` describes it to those who read it.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    thing: String,
    /// Of two messages about a thing the one with the higher number holds.
    sequence: i64,
    /// The thing that this one is the sequel of.
    answers: Option<String>,
    app: &'a str,
    repository: &'a str,
    stage: Option<&'a str>,
    build: Option<Build<'a>>,
    headline: &'a str,
    detail: Option<&'a str>,
    url: &'a str,
}

#[derive(Serialize)]
struct Build<'a> {
    number: i64,
    commit: &'a str,
    branch: Option<&'a str>,
    tag: Option<&'a str>,
    title: &'a str,
    author: &'a str,
}

impl<'a> Body<'a> {
    fn of(parcel: &Parcel<'a>) -> Self {
        let Message { event, app, repository, stage, build, headline, detail, url, at, answers } =
            parcel.message;
        let in_app = |thing: &str| format!("{}/{thing}", parcel.app);
        Self {
            kind: event.as_str(),
            timestamp: at.to_rfc3339_opts(SecondsFormat::Millis, true),
            data: Data {
                thing: in_app(parcel.thing),
                sequence: parcel.version,
                answers: answers.as_deref().map(in_app),
                app: app.as_str(),
                repository: repository.as_str(),
                stage: stage.as_ref().map(StageName::as_str),
                build: build.as_ref().map(|build| Build {
                    number: build.number,
                    commit: build.commit.as_str(),
                    branch: build.branch.as_ref().map(BranchName::as_str),
                    tag: build.tag.as_ref().map(TagName::as_str),
                    title: &build.title,
                    author: &build.author,
                }),
                headline,
                detail: detail.as_deref(),
                url,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn a_message_is_signed_as_the_specification_signs_it() {
        let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let key = key(&secret).unwrap();
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signed = sign(&key, id, "1614265330", r#"{"test": 2432232314}"#);
        assert_eq!(signed, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_is_none_is_told_without_it() {
        let error = key(&SecretString::from("whsec_?ab%".to_owned())).unwrap_err().to_string();
        assert!(error.contains("base64") && !error.contains("?ab"), "{error}");
    }
}
