//! The `notifications:` of an app file, checked: receivers by their names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::app::{RefPattern, SecretSource};
use crate::stage::StageKind;
use crate::{ParameterKey, StageName};

/// Under these keys the secrets of a receiver are stored, beside its name.
pub const SLACK_URL: &str = "slack.url";
pub const SLACK_TOKEN: &str = "slack.token";
pub const WEBHOOK_URL: &str = "webhook.url";
pub const WEBHOOK_SECRET: &str = "webhook.secret";

/// Whom to tell, and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiver {
    #[serde(flatten)]
    pub channel: Channel,
    /// Stages by their names; none: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<RefPattern<StageName>>,
    /// Stages by their kinds; none: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<StageKind>,
    /// `None`: all but what succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<Kind>>,
}

/// Where the messages go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Slack(Slack),
    Webhook(Webhook),
    Email(Email),
}

/// Slack, or a chat that takes what Slack takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Slack {
    /// An incoming webhook: it cannot change what it has posted.
    Incoming { url: SecretSource },
    /// A bot, which changes its messages and answers in threads.
    Bot { token: SecretSource, channel: String },
}

/// Any program that checks signatures as Standard Webhooks has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    pub url: Address,
    pub secret: SecretSource,
}

/// An address, which may be secret as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Address {
    Plain(String),
    Secret(SecretSource),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    pub to: Vec<Mailbox>,
}

/// `name@example.com`: nothing that could be read as a second one or as another header.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mailbox(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no e-mail address; write one like team@example.com")]
pub struct InvalidMailbox;

/// What a receiver can ask to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Failed,
    /// The first success of a stage after a failure.
    Fixed,
    Succeeded,
    /// For an approval.
    Waiting,
    /// A preview is about to be removed because nobody needs it.
    Expiring,
    /// A removal could not be completed.
    Leftover,
    /// Somebody changed a stage's stacks by hand.
    Drift,
}

impl Kind {
    pub const ALL: [(&'static str, Self); 7] = [
        ("failed", Self::Failed),
        ("fixed", Self::Fixed),
        ("succeeded", Self::Succeeded),
        ("waiting", Self::Waiting),
        ("expiring", Self::Expiring),
        ("leftover", Self::Leftover),
        ("drift", Self::Drift),
    ];
}

impl Receiver {
    /// Whether it asks for such news. A fix is a success, too.
    pub fn asks_for(&self, kind: Kind) -> bool {
        match (&self.events, kind) {
            (None, Kind::Succeeded) => false,
            (
                None,
                Kind::Failed
                | Kind::Fixed
                | Kind::Waiting
                | Kind::Expiring
                | Kind::Leftover
                | Kind::Drift,
            ) => true,
            (Some(events), Kind::Fixed) => {
                events.contains(&Kind::Fixed) || events.contains(&Kind::Succeeded)
            }
            (Some(events), kind) => events.contains(&kind),
        }
    }

    /// Whether what happens there concerns it; what has no stage (a test alone) concerns those who
    /// name none.
    pub fn cares_for(&self, stage: Option<(&StageName, StageKind)>) -> bool {
        let Some((name, kind)) = stage else {
            return self.stages.is_empty() && self.kinds.is_empty();
        };
        let named = self.stages.is_empty() || self.stages.iter().any(|one| one.matches(name));
        named && (self.kinds.is_empty() || self.kinds.contains(&kind))
    }

    /// Its secrets, by the keys that they are stored under.
    pub fn secrets(&self) -> Vec<(ParameterKey, &SecretSource)> {
        let found = match &self.channel {
            Channel::Slack(Slack::Incoming { url }) => vec![(SLACK_URL, url)],
            Channel::Slack(Slack::Bot { token, .. }) => vec![(SLACK_TOKEN, token)],
            Channel::Webhook(Webhook { url: Address::Secret(url), secret }) => {
                vec![(WEBHOOK_URL, url), (WEBHOOK_SECRET, secret)]
            }
            Channel::Webhook(Webhook { url: Address::Plain(_), secret }) => {
                vec![(WEBHOOK_SECRET, secret)]
            }
            Channel::Email(_) => Vec::new(),
        };
        let keyed = |(key, source): (&str, _)| (key.parse().expect("a key of ours"), source);
        found.into_iter().map(keyed).collect()
    }

    /// What it is, in a word.
    pub fn channel_name(&self) -> &'static str {
        match &self.channel {
            Channel::Slack(_) => "slack",
            Channel::Webhook(_) => "webhook",
            Channel::Email(_) => "email",
        }
    }
}

impl Mailbox {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Mailbox {
    type Err = InvalidMailbox;

    fn from_str(text: &str) -> Result<Self, InvalidMailbox> {
        // RFC 5321 bounds the whole at 254 characters and the part before the @ at 64
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidMailbox)?;
        let of_local = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c);
        let of_domain = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
        let right = text.len() <= 254
            && (1..=64).contains(&local.len())
            && local.chars().all(of_local)
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && !domain.is_empty()
            && domain.chars().all(of_domain)
            && domain
                .split('.')
                .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
        if right { Ok(Self(text.to_owned())) } else { Err(InvalidMailbox) }
    }
}

impl TryFrom<String> for Mailbox {
    type Error = InvalidMailbox;

    fn try_from(text: String) -> Result<Self, InvalidMailbox> {
        text.parse()
    }
}

impl From<Mailbox> for String {
    fn from(mailbox: Mailbox) -> Self {
        mailbox.0
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn receiver(stages: &[&str], kinds: &[StageKind], events: Option<&[Kind]>) -> Receiver {
        Receiver {
            channel: Channel::Email(Email { to: Vec::new() }),
            stages: stages.iter().map(|stage| stage.parse().unwrap()).collect(),
            kinds: kinds.to_vec(),
            events: events.map(<[Kind]>::to_vec),
        }
    }

    #[rstest]
    #[case("team@example.com", true)]
    #[case("ann.lee+ci@mail.example.com", true)]
    #[case("root@localhost", true)]
    #[case("team", false)]
    #[case("@example.com", false)]
    #[case("a b@example.com", false)]
    #[case("a@b.com,c@d.com", false)]
    #[case("a@b.com\r\nBcc: c@d.com", false)]
    #[case("a@-b.com", false)]
    #[case("Ann <ann@example.com>", false)]
    fn an_address_is_one_mailbox_and_nothing_else(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(text.parse::<Mailbox>().is_ok(), valid, "{text:?}");
    }

    #[test]
    fn nobody_hears_of_successes_who_did_not_ask_for_them() {
        let usual = receiver(&[], &[], None);
        for (_, kind) in Kind::ALL {
            assert_eq!(usual.asks_for(kind), kind != Kind::Succeeded, "{kind:?}");
        }
        let successes = receiver(&[], &[], Some(&[Kind::Succeeded]));
        assert!(successes.asks_for(Kind::Fixed), "a fix is a success, too");
        assert!(!successes.asks_for(Kind::Failed));
    }

    #[test]
    fn stages_are_chosen_by_name_and_kind() {
        let prod: StageName = "prod".parse().unwrap();
        let preview: StageName = "release-1".parse().unwrap();
        let all = receiver(&[], &[], None);
        assert!(all.cares_for(None) && all.cares_for(Some((&preview, StageKind::Preview))));
        let named = receiver(&["prod", "release-*"], &[], None);
        assert!(named.cares_for(Some((&prod, StageKind::LongLived))));
        assert!(named.cares_for(Some((&preview, StageKind::Preview))));
        assert!(!named.cares_for(None));
        let both = receiver(&["prod", "release-*"], &[StageKind::LongLived], None);
        assert!(!both.cares_for(Some((&preview, StageKind::Preview))));
    }
}
