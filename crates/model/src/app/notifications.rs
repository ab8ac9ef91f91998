//! The `notifications:` of an app file: receivers by their names.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;

use super::file::{Parts, Secrets};
use super::parameter::{secret_value, variable_name};
use super::{SecretInput, SecretPlace, SecretSource};
use crate::ReceiverName;
use crate::document::Cursor;
use crate::notification::{
    Address, Channel, Email, Kind, Mailbox, Receiver, SLACK_TOKEN, SLACK_URL, Slack,
    WEBHOOK_SECRET, WEBHOOK_URL, Webhook,
};
use crate::stage::StageKind;

const CHANNELS: [&str; 3] = ["slack", "webhook", "email"];
const KINDS: [(&str, StageKind); 3] = [
    ("long-lived", StageKind::LongLived),
    ("preview", StageKind::Preview),
    ("personal", StageKind::Personal),
];
/// Of one mail. Whoever wants more has a list for it.
const MOST_MAILBOXES: usize = 50;
/// Bytes. Standard Webhooks wants 24 to 64 for a key; the text of one is longer.
const SHORTEST_KEY: usize = 24;
const LONGEST_ADDRESS: usize = 2000;

/// What the file says of the secrets of one receiver, by their keys.
type Found = BTreeMap<&'static str, SecretInput>;

pub(super) fn notifications(
    cursor: &Cursor<'_>,
    secrets: &mut Secrets,
) -> Parts<ReceiverName, Receiver> {
    let mut found = Parts::new();
    for entry in cursor.entries().unwrap_or_default() {
        let name = entry.value.parsed::<ReceiverName>(entry.key);
        let mut own = Found::new();
        let receiver = receiver(&entry.value, &mut own);
        let Some(name) = name else { continue };
        let place = SecretPlace::Receiver(name.clone());
        secrets.extend(
            own.into_iter()
                .map(|(key, input)| ((place.clone(), key.parse().expect("a key of ours")), input)),
        );
        found.insert(name, receiver);
    }
    found
}

fn receiver(cursor: &Cursor<'_>, secrets: &mut Found) -> Option<Receiver> {
    let fields = cursor.fields(&["slack", "webhook", "email", "stages", "kinds", "events"])?;
    let given: Vec<&str> =
        CHANNELS.into_iter().filter(|name| fields.given(name).is_some()).collect();
    let channel = match given.as_slice() {
        ["slack"] => fields.given("slack").and_then(|at| slack(at, secrets)).map(Channel::Slack),
        ["webhook"] => {
            fields.given("webhook").and_then(|at| webhook(at, secrets)).map(Channel::Webhook)
        }
        ["email"] => fields.given("email").and_then(email).map(Channel::Email),
        _none_or_several => {
            cursor.problem(
                "a receiver has exactly one of `slack`, `webhook` and `email`; give each channel a \
                 receiver of its own",
            );
            None
        }
    };
    let stages = fields.optional("stages").map_or(Some(Vec::new()), Cursor::list);
    let kinds = fields.optional("kinds").map_or(Some(Vec::new()), |place| words(place, &KINDS));
    let events = match fields.optional("events") {
        Some(place) => words(place, &Kind::ALL).map(Some),
        None => Some(None),
    };
    Some(Receiver { channel: channel?, stages: stages?, kinds: kinds?, events: events? })
}

fn words<T: Copy>(place: &Cursor<'_>, known: &[(&str, T)]) -> Option<Vec<T>> {
    let items = place.items()?;
    if items.is_empty() {
        place.problem("the list is empty, so nothing would be told; remove the key for the usual");
        return None;
    }
    let items: Vec<Option<T>> = items.iter().map(|item| item.choice(known)).collect();
    items.into_iter().collect()
}

fn slack(place: &Cursor<'_>, secrets: &mut Found) -> Option<Slack> {
    let fields = place.fields(&["url", "token", "channel"])?;
    match (fields.optional("url"), fields.optional("token"), fields.optional("channel")) {
        (Some(url), None, None) => {
            Some(Slack::Incoming { url: secret(url, SLACK_URL, secrets, address)? })
        }
        (None, Some(token), Some(channel)) => {
            let (token, channel) = (secret(token, SLACK_TOKEN, secrets, token_text), room(channel));
            Some(Slack::Bot { token: token?, channel: channel? })
        }
        (None, None, None)
        | (None, Some(_), None)
        | (None, None, Some(_))
        | (Some(_), Some(_), _)
        | (Some(_), _, Some(_)) => {
            place.problem(
                "write `url` (an incoming webhook), or `token` and `channel` (a bot, which can \
                 change its messages and answer in threads)",
            );
            None
        }
    }
}

fn webhook(place: &Cursor<'_>, secrets: &mut Found) -> Option<Webhook> {
    let fields = place.fields(&["url", "secret"])?;
    let url = fields.required("url", "write the address that messages are posted to");
    let url = url.and_then(|place| match place.scalar() {
        Some(text) => address(place, text).map(|()| Address::Plain(text.to_owned())),
        None => secret(place, WEBHOOK_URL, secrets, address).map(Address::Secret),
    });
    let key = fields
        .required("secret", "each message is signed with it; write { secret_env: VARIABLE }")
        .and_then(|place| secret(place, WEBHOOK_SECRET, secrets, signing_key));
    Some(Webhook { url: url?, secret: key? })
}

fn email(place: &Cursor<'_>) -> Option<Email> {
    let fields = place.fields(&["to"])?;
    let place = fields.required("to", "list the addresses that are written to")?;
    let to: Vec<Mailbox> = place.list()?;
    if to.is_empty() || to.len() > MOST_MAILBOXES {
        place.problem(format!("list 1 to {MOST_MAILBOXES} addresses"));
        return None;
    }
    Some(Email { to })
}

/// `{ secret_env: VARIABLE }` or `{ secret: "value" }`; a value that is given passes `check`.
fn secret(
    place: &Cursor<'_>,
    key: &'static str,
    secrets: &mut Found,
    check: fn(&Cursor<'_>, &str) -> Option<()>,
) -> Option<SecretSource> {
    if place.scalar().is_some() {
        place.problem(
            "this is a secret and is kept encrypted; write { secret_env: VARIABLE } or \
             { secret: \"value\" }",
        );
        return None;
    }
    let fields = place.fields(&["secret_env", "secret"])?;
    let (source, input) = match (fields.given("secret_env"), fields.given("secret")) {
        (Some(variable), None) => {
            let name = variable_name(variable)?;
            (SecretSource::SecretEnv(name.clone()), SecretInput::Env(name))
        }
        (None, Some(value)) if value.is_null() => (SecretSource::Given(()), SecretInput::Keep),
        (None, Some(value)) => {
            let text = secret_value(value)?;
            check(value, text.expose_secret())?;
            (SecretSource::Given(()), SecretInput::Given(text))
        }
        (None, None) | (Some(_), Some(_)) => {
            place.problem("write { secret_env: VARIABLE } or { secret: \"value\" }");
            return None;
        }
    };
    secrets.insert(key, input);
    Some(source)
}

/// What is wrong with it is told without the address, which may be secret.
fn address(place: &Cursor<'_>, text: &str) -> Option<()> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let right = text.len() <= LONGEST_ADDRESS
        && text.chars().all(|c| c.is_ascii_graphic())
        && host.is_some_and(|host| !host.is_empty() && !host.contains('@'));
    if !right {
        place.problem(
            "this must be an address like https://hooks.example.com/deploys, without a user's name \
             in it",
        );
    }
    right.then_some(())
}

fn token_text(place: &Cursor<'_>, text: &str) -> Option<()> {
    let right = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
    if !right {
        place.problem("this must be the bot's token, which begins with xoxb-");
    }
    right.then_some(())
}

fn signing_key(place: &Cursor<'_>, text: &str) -> Option<()> {
    let right = text.len() >= SHORTEST_KEY;
    if !right {
        place.problem(format!(
            "this is too short to sign with; take at least {SHORTEST_KEY} characters, like those \
             of: echo whsec_$(openssl rand -base64 32)"
        ));
    }
    right.then_some(())
}

fn room(place: &Cursor<'_>) -> Option<String> {
    let room = place.text()?;
    let right = (1..=80).contains(&room.len()) && !room.contains(char::is_whitespace);
    if !right {
        place.problem("this must be a channel of Slack, as '#deploys' or by its id like C0123ABCD");
    }
    right.then(|| room.to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::app::{AppFile, Problem, parse_json, parse_yaml, write};

    fn parsed(receiver: &Value) -> Result<AppFile, Vec<Problem>> {
        parse_json(&json!({
            "app": "workshop", "repository": "acme/workshop", "default_profile": "dev",
            "profiles": {
                "dev": { "role_arn": "arn:aws:iam::111111111111:role/r", "region": "us-east-1" },
            },
            "notifications": { "team": receiver },
        }))
    }

    fn key() -> Value {
        json!({ "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" })
    }

    #[test]
    fn each_channel_is_read_and_its_secrets_leave_the_settings() {
        let hook = "https://hooks.slack.com/services/T0/B0/abc";
        for (receiver, keys) in [
            (json!({ "slack": { "url": { "secret": hook } } }), vec![SLACK_URL]),
            (
                json!({ "slack": { "token": { "secret": "xoxb-1" }, "channel": "#deploys" } }),
                vec![SLACK_TOKEN],
            ),
            (
                json!({ "webhook": { "url": "https://a.example.com/x", "secret": key() } }),
                vec![WEBHOOK_SECRET],
            ),
            (
                json!({ "webhook": { "url": { "secret": hook }, "secret": key() } }),
                vec![WEBHOOK_SECRET, WEBHOOK_URL],
            ),
            (json!({ "email": { "to": ["team@example.com"] }, "kinds": ["preview"] }), vec![]),
        ] {
            let file = parsed(&receiver).unwrap_or_else(|problems| panic!("{problems:?}"));
            let stored: Vec<String> = file.secrets.keys().map(|(_, key)| key.to_string()).collect();
            assert_eq!(stored, keys, "{receiver}");
            let settings = serde_json::to_string(&file.settings).unwrap();
            for secret in [hook, "xoxb-1", "whsec_"] {
                assert!(!settings.contains(secret), "{settings}");
            }
            let again = parse_yaml(&write(&file.settings)).expect("what is written is read");
            assert_eq!(again.settings, file.settings);
            let body = serde_json::to_value(&file.settings).unwrap();
            assert_eq!(parse_json(&body).expect("so is the body").settings, file.settings);
            let name = "team".parse().unwrap();
            let named = file.settings.notifications[&name].secrets();
            assert_eq!(named.len(), stored.len(), "{named:?}");
        }
    }

    #[rstest]
    #[case(json!({}), "notifications.team", "exactly one of")]
    #[case(json!({ "email": { "to": ["a@b.c"] }, "slack": {} }), "notifications.team", "exactly one")]
    #[case(json!({ "email": { "to": ["a b"] } }), "notifications.team.email.to[0]", "no e-mail address")]
    #[case(json!({ "email": { "to": [] } }), "notifications.team.email.to", "1 to 50")]
    #[case(json!({ "email": { "to": ["a@b.c"] }, "on": [] }), "notifications.team.on", "not known")]
    #[case(json!({ "email": { "to": ["a@b.c"] }, "events": ["died"] }), "notifications.team.events[0]", "failed, fixed")]
    #[case(json!({ "email": { "to": ["a@b.c"] }, "events": [] }), "notifications.team.events", "empty")]
    #[case(json!({ "email": { "to": ["a@b.c"] }, "stages": ["a["] }), "notifications.team.stages[0]", "no pattern")]
    #[case(json!({ "slack": { "url": "https://x" } }), "notifications.team.slack.url", "secret_env")]
    #[case(json!({ "slack": { "url": { "secret": "ftp://x" } } }), "notifications.team.slack.url.secret", "https://")]
    #[case(json!({ "slack": { "token": { "secret": "x" } } }), "notifications.team.slack", "channel")]
    #[case(json!({ "webhook": { "url": "https://u:p@x.example.com" } }), "notifications.team.webhook.url", "user's name")]
    #[case(json!({ "webhook": { "url": "https://x.example.com", "secret": { "secret": "short" } } }), "notifications.team.webhook.secret.secret", "too short")]
    fn a_mistake_is_named_with_its_place(
        #[case] receiver: Value,
        #[case] key: &str,
        #[case] message: &str,
    ) {
        let problems = parsed(&receiver).expect_err("it is wrong");
        let found = problems.iter().any(|it| it.key == key && it.message.contains(message));
        assert!(found, "{problems:?}");
        assert!(problems.iter().all(|it| !it.message.contains("u:p@")), "{problems:?}");
    }
}
