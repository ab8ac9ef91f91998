//! Sends what is wanted, each receiver by itself.
//!
//! After a crash between the call and its note the same version is sent twice, under the same id.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ::notify::{Destination, Parcel, Sent, Unsent};
use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use model::app::{SecretPlace, Settings};
use model::notification::{
    Address, Channel, SLACK_TOKEN, SLACK_URL, Slack, Volume, WEBHOOK_SECRET, WEBHOOK_URL, Webhook,
};
use model::{AppId, ReceiverName};
use secrecy::SecretString;
use store::notification::Notification;
use store::secret::Secrets;
use tokio::task::JoinSet;

use crate::{Engine, Progress};

/// Things that one receiver is told in a turn, so that a slow one holds nobody up for long.
const PER_RECEIVER: i64 = 3;
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60 * 60);
/// How long a message is tried before it is given up.
const PATIENCE: TimeDelta = TimeDelta::days(1);
/// As long as a message has failed no oftener, the receiver is thought to be away and later messages
/// wait behind it. Then it may be the message that is at fault.
const TRIES_IN_FRONT: i32 = 6;

pub(crate) async fn pass(engine: &Engine) -> anyhow::Result<Progress> {
    let due = {
        let mut conn = engine.db.acquire().await?;
        store::notification::due(&mut conn, engine.now(), PER_RECEIVER, TRIES_IN_FRONT).await?
    };
    let mut apps: BTreeMap<AppId, BTreeMap<ReceiverName, Vec<Notification>>> = BTreeMap::new();
    for row in due {
        let receivers = apps.entry(row.app_id).or_default();
        receivers.entry(row.receiver.clone()).or_default().push(row);
    }
    if apps.is_empty() {
        return Ok(Progress::None);
    }
    let mut tasks = JoinSet::new();
    for (app, receivers) in apps {
        let ground = Arc::new(Ground::load(engine, app).await?);
        for (name, rows) in receivers {
            let (engine, ground) = (engine.clone(), Arc::clone(&ground));
            tasks.spawn(async move { tell(&engine, &ground, &name, rows).await });
        }
    }
    while let Some(told) = tasks.join_next().await {
        told.context("a receiver's task was ended")??;
    }
    Ok(Progress::Made)
}

/// Tells one receiver, in order, until it takes no more.
async fn tell(
    engine: &Engine,
    ground: &Ground,
    name: &ReceiverName,
    rows: Vec<Notification>,
) -> anyhow::Result<()> {
    let to = ground.destination(name);
    for row in rows {
        let sent = match &to {
            Ok(to) => deliver(engine, to, &row).await?,
            Err(why) => Err(why.clone()),
        };
        match sent {
            Ok(sent) => {
                let handle = match &sent {
                    Sent::Taken(handle) => handle.as_ref(),
                    Sent::Spared => None,
                };
                let mut conn = engine.db.acquire().await?;
                store::notification::sent(&mut conn, row.id, row.version, handle).await?;
            }
            Err(unsent) => {
                if put_off(engine, &row, &unsent).await? == Others::Wait {
                    break;
                }
            }
        }
    }
    Ok(())
}

async fn deliver(
    engine: &Engine,
    to: &Destination,
    row: &Notification,
) -> anyhow::Result<Result<Sent, Unsent>> {
    let answers = match &row.message.answers {
        Some(subject) => {
            let mut conn = engine.db.acquire().await?;
            store::notification::handle(&mut conn, row.app_id, &row.receiver, subject).await?
        }
        None => None,
    };
    // builds come once; what happens to a stage again is another thing
    let thing = match row.episode {
        1 => row.subject.clone(),
        episode => format!("{}/{episode}", row.subject),
    };
    let parcel = Parcel {
        id: &row.id.simple().to_string(),
        version: row.version,
        app: &row.app,
        thing: &thing,
        message: &row.message,
        volume: if row.loud { Volume::Loud } else { Volume::Quiet },
        handle: row.handle.as_ref(),
        answers: answers.as_ref(),
        was_told: row.sent_version > 0,
    };
    Ok(engine.notify.send(to, &parcel, engine.now()).await)
}

/// What becomes of what else the receiver is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    GoOn,
    Wait,
}

async fn put_off(engine: &Engine, row: &Notification, unsent: &Unsent) -> anyhow::Result<Others> {
    let text = unsent.to_string();
    tracing::warn!(
        app = %row.app,
        receiver = %row.receiver,
        thing = row.subject,
        error = text,
        "a receiver was not told"
    );
    let now = engine.now();
    let mut conn = engine.db.acquire().await?;
    match after(unsent, row.attempts, row.failing_since, now) {
        After::Retry(at, others) => {
            store::notification::retry(&mut conn, row.id, &text, at, now).await?;
            Ok(others)
        }
        After::GiveUp => {
            store::notification::give_up(&mut conn, row.id, &text, now).await?;
            Ok(Others::GoOn)
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum After {
    Retry(DateTime<Utc>, Others),
    GiveUp,
}

/// The receiver's own word on when to come back, else twice the last wait.
fn after(
    unsent: &Unsent,
    attempts: i32,
    failing_since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> After {
    let wait = match unsent {
        Unsent::Never { .. } => return After::GiveUp,
        Unsent::Later { after, .. } => {
            let doubled = FIRST_RETRY.saturating_mul(1 << attempts.clamp(0, 16));
            after.unwrap_or(doubled).min(LAST_RETRY)
        }
    };
    if failing_since.is_some_and(|since| now - since >= PATIENCE) {
        return After::GiveUp;
    }
    let others = if attempts < TRIES_IN_FRONT { Others::Wait } else { Others::GoOn };
    After::Retry(now + wait, others)
}

/// An app's settings as they are now, and its secrets: opened once a turn, whoever is told in it.
struct Ground {
    settings: Settings,
    secrets: Result<Secrets, Unsent>,
}

impl Ground {
    async fn load(engine: &Engine, app: AppId) -> anyhow::Result<Self> {
        let mut conn = engine.db.acquire().await?;
        let settings = store::app::get(&mut conn, app).await?.settings;
        let secrets = match store::secret::all(&mut conn, &engine.vault, app).await {
            Ok(secrets) => Ok(secrets),
            Err(store::Error::Vault(error)) => {
                let why = format!("its secrets cannot be read: {error}");
                Err(Unsent::Later { why, after: None })
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { settings, secrets })
    }

    /// Where a receiver is told.
    fn destination(&self, name: &ReceiverName) -> Result<Destination, Unsent> {
        match &self.secrets {
            Ok(secrets) => found(&self.settings, name, secrets),
            Err(unsent) => Err(unsent.clone()),
        }
    }
}

fn found(
    settings: &Settings,
    name: &ReceiverName,
    secrets: &Secrets,
) -> Result<Destination, Unsent> {
    let Some(receiver) = settings.notifications.get(name) else {
        let why = format!("the app's settings have no receiver {name} any more");
        return Err(Unsent::Never { why });
    };
    let secret = |key: &str| -> Result<SecretString, Unsent> {
        let place = (
            SecretPlace::Receiver(name.clone()),
            key.parse().map_err(|error| Unsent::Never { why: format!("{error}") })?,
        );
        let none = || Unsent::Never { why: format!("the secret {key} of {name} is not stored") };
        secrets.get(&place).cloned().ok_or_else(none)
    };
    Ok(match &receiver.channel {
        Channel::Slack(Slack::Incoming { .. }) => {
            Destination::SlackIncoming { url: secret(SLACK_URL)? }
        }
        Channel::Slack(Slack::Bot { channel, .. }) => {
            Destination::SlackBot { token: secret(SLACK_TOKEN)?, channel: channel.clone() }
        }
        Channel::Webhook(Webhook { url, .. }) => Destination::Webhook {
            url: match url {
                Address::Plain(url) => SecretString::from(url.clone()),
                Address::Secret(_) => secret(WEBHOOK_URL)?,
            },
            secret: secret(WEBHOOK_SECRET)?,
        },
        Channel::Email(email) => {
            Destination::Mail { to: email.to.iter().map(ToString::to_string).collect() }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away(after: Option<Duration>) -> Unsent {
        Unsent::Later { why: "it answers 503".into(), after }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn who_is_away_is_asked_ever_more_seldom_and_then_no_more() {
        assert_eq!(after(&away(None), 0, None, at(0)), After::Retry(at(1), Others::Wait));
        assert_eq!(after(&away(None), 3, Some(at(0)), at(7)), After::Retry(at(15), Others::Wait));
        let late = after(&away(None), 30, Some(at(0)), at(60));
        assert_eq!(late, After::Retry(at(60 + 3600), Others::GoOn));
        assert_eq!(after(&away(None), 30, Some(at(0)), at(24 * 3600)), After::GiveUp);
    }

    #[test]
    fn the_receiver_says_when_to_come_back() {
        let wait = away(Some(Duration::from_secs(90)));
        assert_eq!(after(&wait, 0, None, at(0)), After::Retry(at(90), Others::Wait));
        let for_ever = away(Some(Duration::from_secs(1 << 40)));
        assert_eq!(after(&for_ever, 0, None, at(0)), After::Retry(at(3600), Others::Wait));
    }

    #[test]
    fn what_will_never_be_taken_is_given_up_at_once() {
        let never = Unsent::Never { why: "no_service".into() };
        assert_eq!(after(&never, 0, None, at(0)), After::GiveUp);
    }
}
