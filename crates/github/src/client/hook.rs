//! What GitHub has delivered to us, or tried to: so that a delivery that failed while we were away
//! is asked for again. GitHub never repeats one by itself and keeps them for a few days only
//! ("Handling failed webhook deliveries", docs.github.com).

use chrono::{DateTime, Utc};
use http::Method;
use serde::Deserialize;

use super::{Credentials, GitHub, NO_BODY, PER_PAGE, is_not_found};
use crate::api::{Answer, escape_all};
use crate::error::Error;
use model::RepositoryName;

/// The hook that sends us webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hook {
    /// The GitHub App's own: one for all repositories that it is installed on.
    App,
    Repository {
        repo: RepositoryName,
        id: u64,
    },
}

/// One attempt of GitHub's to deliver an event.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct HookDelivery {
    /// Of this attempt: what a redelivery is asked for by.
    pub id: u64,
    /// Of the event: all attempts share it, and it is the key of our own table of deliveries.
    pub guid: String,
    pub delivered_at: DateTime<Utc>,
    pub redelivery: bool,
    /// What we answered; 0 where no answer came.
    pub status_code: u16,
    /// `OK`, or what went wrong.
    pub status: String,
    pub event: String,
    #[serde(default)]
    pub action: Option<String>,
    /// GitHub's number of the repository, where the event is about one.
    #[serde(default)]
    pub repository_id: Option<u64>,
}

impl HookDelivery {
    /// True if we said that we have it.
    pub fn arrived(&self) -> bool {
        (200..300).contains(&self.status_code)
    }
}

/// One page of deliveries, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookDeliveries {
    pub deliveries: Vec<HookDelivery>,
    /// Where the next page begins; None after the last one that is young enough.
    pub next: Option<Cursor>,
}

/// A place in the list of deliveries, in GitHub's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

/// What came of asking for a delivery again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redelivery {
    /// GitHub will send it, as a new attempt with the same GUID.
    Asked,
    /// GitHub does not have it any more.
    Gone,
}

#[derive(Deserialize)]
struct WireHook {
    id: u64,
    active: bool,
    config: Config,
}

#[derive(Deserialize)]
struct WireDelivery {
    request: WireRequest,
}

#[derive(Deserialize)]
struct WireRequest {
    payload: serde_json::Value,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    url: Option<String>,
}

impl GitHub {
    /// The hook whose deliveries `repo` sends us: as an App the App's own, else the repository's
    /// active hook that points to `webhook_url`. None if there is none.
    pub async fn hook(
        &self,
        repo: &RepositoryName,
        webhook_url: &str,
    ) -> Result<Option<Hook>, Error> {
        match self.credentials.as_ref() {
            Credentials::App(_) => Ok(Some(Hook::App)),
            Credentials::Token(_) => {
                let same = |hook: &&WireHook| {
                    hook.active
                        && hook.config.url.as_deref().map(|url| url.trim_end_matches('/'))
                            == Some(webhook_url.trim_end_matches('/'))
                };
                let hooks: Vec<WireHook> = self.list(repo, "/hooks").await?;
                Ok(hooks
                    .iter()
                    .find(same)
                    .map(|hook| Hook::Repository { repo: repo.clone(), id: hook.id }))
            }
        }
    }

    /// One page of what the hook delivered since `since`, newest first.
    pub async fn hook_deliveries(
        &self,
        hook: &Hook,
        since: DateTime<Utc>,
        at: Option<&Cursor>,
    ) -> Result<HookDeliveries, Error> {
        let mut query = format!("?per_page={PER_PAGE}");
        if let Some(Cursor(cursor)) = at {
            query.push_str(&format!("&cursor={}", escape_all(cursor)));
        }
        let answer = self.send_to_hook(Method::GET, hook, &query).await?;
        let mut deliveries: Vec<HookDelivery> = answer.json()?;
        let whole = deliveries.len();
        deliveries.retain(|delivery| delivery.delivered_at >= since);
        let next = answer
            .next_page()
            .filter(|_| whole > 0 && deliveries.len() == whole)
            .and_then(cursor_of);
        Ok(HookDeliveries { deliveries, next })
    }

    /// What a delivery said; None if GitHub does not have it any more.
    pub async fn hook_delivery_payload(
        &self,
        hook: &Hook,
        delivery: u64,
    ) -> Result<Option<serde_json::Value>, Error> {
        match self.send_to_hook(Method::GET, hook, &format!("/{delivery}")).await {
            Ok(answer) => answer.json::<WireDelivery>().map(|wire| Some(wire.request.payload)),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks GitHub to send one delivery again. Asked twice it is sent twice, with the same GUID.
    pub async fn redeliver(&self, hook: &Hook, delivery: u64) -> Result<Redelivery, Error> {
        let path = format!("/{delivery}/attempts");
        match self.send_to_hook(Method::POST, hook, &path).await {
            Ok(_) => Ok(Redelivery::Asked),
            Err(error) if is_not_found(&error) => Ok(Redelivery::Gone),
            Err(error) => Err(error),
        }
    }

    /// Sends one request about a hook's deliveries; `tail` ends the path.
    async fn send_to_hook(&self, method: Method, hook: &Hook, tail: &str) -> Result<Answer, Error> {
        match (hook, self.credentials.as_ref()) {
            (Hook::App, Credentials::App(tokens)) => {
                let path = format!("/app/hook/deliveries{tail}");
                self.api.send(method, &path, &tokens.jwt(), NO_BODY).await
            }
            (Hook::App, Credentials::Token(_)) => Err(Error::Forbidden {
                message: "only a GitHub App has deliveries of its own".to_owned(),
            }),
            (Hook::Repository { repo, id }, Credentials::App(_) | Credentials::Token(_)) => {
                let path = format!("/hooks/{id}/deliveries{tail}");
                self.send(method, repo, &path, NO_BODY).await
            }
        }
    }
}

/// The cursor of a link of GitHub's to another page.
fn cursor_of(url: &str) -> Option<Cursor> {
    let (_, query) = url.split_once('?')?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix("cursor="))?;
    Some(Cursor(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_taken_from_the_link_to_the_next_page() {
        let url = "https://api.github.com/app/hook/deliveries?per_page=100&cursor=v1_17323292984";
        assert_eq!(cursor_of(url), Some(Cursor("v1_17323292984".to_owned())));
        assert_eq!(cursor_of("https://api.github.com/app/hook/deliveries?per_page=1"), None);
    }
}
