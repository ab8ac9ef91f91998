//! Who is told of what happens, as the settings page shows it: never an address that is secret.

use model::ReceiverName;
use model::app::{RefPattern, SecretSource};
use model::notification::{Address, Channel, Kind, Receiver, Slack};

pub(super) struct ReceiverRow {
    pub(super) name: String,
    pub(super) channel: &'static str,
    pub(super) place: String,
    pub(super) stages: String,
    pub(super) events: String,
}

impl ReceiverRow {
    pub(super) fn of((name, receiver): (&ReceiverName, &Receiver)) -> Self {
        let told = Kind::ALL.into_iter().filter(|(_, kind)| receiver.asks_for(*kind));
        Self {
            name: name.to_string(),
            channel: receiver.channel_name(),
            place: place(&receiver.channel),
            stages: stages(receiver),
            events: told.map(|(word, _)| word).collect::<Vec<_>>().join(", "),
        }
    }
}

fn place(channel: &Channel) -> String {
    match channel {
        Channel::Slack(Slack::Incoming { url }) => hidden(url),
        Channel::Slack(Slack::Bot { channel, .. }) => channel.clone(),
        Channel::Webhook(webhook) => match &webhook.url {
            Address::Plain(url) => url.clone(),
            Address::Secret(source) => hidden(source),
        },
        Channel::Email(email) => {
            email.to.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
    }
}

fn hidden(source: &SecretSource) -> String {
    match source {
        SecretSource::Given(()) => "a secret address".to_owned(),
        SecretSource::SecretEnv(name) => format!("a secret address, from the variable {name}"),
    }
}

fn stages(receiver: &Receiver) -> String {
    let names = receiver.stages.iter().map(RefPattern::as_str);
    let kinds = receiver.kinds.iter().map(|kind| kind.as_str());
    let (names, kinds): (Vec<_>, Vec<_>) = (names.collect(), kinds.collect());
    match (names.is_empty(), kinds.is_empty()) {
        (true, true) => "all".to_owned(),
        (false, true) => names.join(", "),
        (true, false) => format!("{} ones", kinds.join(", ")),
        (false, false) => format!("{}, of {} ones", names.join(", "), kinds.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_shown_without_its_secrets() {
        let read = |value| serde_json::from_value::<Receiver>(value).unwrap();
        let team: ReceiverName = "team".parse().unwrap();
        let slack = serde_json::json!({
            "slack": { "url": { "secret_env": "TEAM_SLACK" } }, "stages": ["prod", "release-*"],
        });
        let row = ReceiverRow::of((&team, &read(slack)));
        assert_eq!(row.place, "a secret address, from the variable TEAM_SLACK");
        assert_eq!(row.stages, "prod, release-*");
        assert_eq!(row.events, "failed, fixed, waiting, expiring, leftover, drift");
        let mail = serde_json::json!({
            "email": { "to": ["a@b.c", "d@e.f"] }, "kinds": ["preview"], "events": ["expiring"],
        });
        let row = ReceiverRow::of((&team, &read(mail)));
        assert_eq!((row.channel, row.place.as_str()), ("email", "a@b.c, d@e.f"));
        assert_eq!((row.stages.as_str(), row.events.as_str()), ("preview ones", "expiring"));
    }
}
