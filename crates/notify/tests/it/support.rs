//! A message about build 12 of the workshop, and senders.

use chrono::{DateTime, TimeDelta, Utc};
use model::AppName;
use model::notification::{BuildRef, Event, Handle, Message, Volume};
use notify::{Config, Parcel, Sender, Smtp};

pub(crate) fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

/// What somebody wrote who means harm.
pub(crate) const TITLE: &str = "<!channel> & <b onclick=x()>fix</b>";

pub(crate) fn message(event: Event, headline: &str) -> Message {
    Message {
        event,
        app: "workshop".parse().unwrap(),
        repository: "acme/workshop".parse().unwrap(),
        stage: Some("prod".parse().unwrap()),
        build: Some(BuildRef {
            number: 12,
            commit: "a".repeat(40).parse().unwrap(),
            branch: Some("feature<x>".parse().unwrap()),
            tag: None,
            title: TITLE.into(),
            author: "ann".into(),
        }),
        headline: headline.into(),
        detail: Some("deploy restapi: exit 1".into()),
        url: "https://ci.example.com/apps/workshop/builds/12".into(),
        at: now(),
        answers: None,
    }
}

pub(crate) fn failed() -> Message {
    message(Event::BuildFailed, "Build 12 failed on prod")
}

/// The version of a message about a thing of this number.
pub(crate) struct Told<'a> {
    pub(crate) thing: &'a str,
    pub(crate) version: i64,
    pub(crate) message: Message,
    pub(crate) volume: Volume,
    pub(crate) handle: Option<Handle>,
    pub(crate) answers: Option<Handle>,
}

impl Told<'_> {
    pub(crate) fn first(message: Message) -> Self {
        let volume = Volume::Loud;
        Self { thing: "build/12", version: 1, message, volume, handle: None, answers: None }
    }

    pub(crate) fn parcel<'p>(&'p self, app: &'p AppName) -> Parcel<'p> {
        Parcel {
            id: self.thing.trim_start_matches("build/"),
            version: self.version,
            app,
            thing: self.thing,
            message: &self.message,
            volume: self.volume,
            handle: self.handle.as_ref(),
            answers: self.answers.as_ref(),
            was_told: self.version > 1,
        }
    }
}

pub(crate) fn app() -> AppName {
    "workshop".parse().unwrap()
}

/// One that may reach these networks.
pub(crate) fn sender(allowed: &[&str], slack_url: &str, smtp: Option<Smtp>) -> Sender {
    let allowed = allowed.iter().map(|network| network.parse().unwrap()).collect();
    Sender::new(&Config { allowed, slack_url: slack_url.into(), smtp }).unwrap()
}

pub(crate) const LOOPBACK: &[&str] = &["127.0.0.0/8"];
