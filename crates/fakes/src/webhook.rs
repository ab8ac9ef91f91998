//! Sends webhooks as GitHub does: signed, one at a time in the order of events, once. A delivery
//! that failed stays failed until somebody asks for it again; a redelivery keeps the GUID.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::clock::{self, now};
use crate::error::Error;
use crate::state::{APP_ID, INSTALLATION_ID, Repo, Shared, Stand};

/// GitHub gives a receiver this long to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The id of the one hook.
pub(crate) const HOOK_ID: u64 = 292_430_182;

/// Where webhooks go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hook {
    pub url: String,
    /// Signs the payload; without it there is no signature header.
    #[serde(default)]
    pub secret: Option<String>,
    #[serde(default)]
    pub owner: HookOwner,
}

/// Whether the App's hook or a repository's own hook sends the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookOwner {
    /// Payloads carry `installation`.
    #[default]
    App,
    Repository,
}

/// One webhook, sent or about to be.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    pub id: u64,
    pub guid: String,
    pub event: String,
    pub action: Option<String>,
    pub repository_id: Option<u64>,
    pub redelivery: bool,
    pub url: String,
    pub headers: BTreeMap<String, String>,
    /// The exact text that is signed and sent.
    pub payload: String,
    /// Nothing while it waits for its turn.
    pub outcome: Option<Outcome>,
}

/// How a delivery ended.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub delivered_at: DateTime<Utc>,
    pub duration_seconds: f64,
    /// `OK`, or why not.
    pub status: String,
    /// 0 when no answer came.
    pub status_code: u16,
    pub response: String,
}

impl Delivery {
    pub(crate) fn payload_json(&self) -> Value {
        serde_json::from_str(&self.payload).unwrap_or(Value::Null)
    }
}

/// The queue between whoever causes an event and the one task that sends.
pub(crate) struct Outgoing {
    queue: mpsc::UnboundedSender<u64>,
    unsent: watch::Sender<usize>,
}

impl Outgoing {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<u64>) {
        let (queue, receiver) = mpsc::unbounded_channel();
        let unsent = watch::Sender::new(0);
        (Self { queue, unsent }, receiver)
    }

    fn push(&self, delivery: u64) {
        self.unsent.send_modify(|count| *count += 1);
        if self.queue.send(delivery).is_err() {
            self.unsent.send_modify(|count| *count -= 1);
        }
    }

    /// Waits until every delivery so far has its outcome.
    pub(crate) async fn settle(&self) {
        let mut unsent = self.unsent.subscribe();
        // An error would mean that the sender is gone, and it lives in `self`.
        let _ = unsent.wait_for(|count| *count == 0).await;
    }
}

/// What goes wrong with the next deliveries, and how many of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mishaps {
    /// Fail without being sent.
    pub(crate) lost: u32,
    /// Arrive, but count as failed: the answer did not come back.
    pub(crate) unanswered: u32,
    /// Arrive twice.
    pub(crate) doubled: u32,
}

/// How one delivery goes out.
enum Way {
    Well,
    Lost,
    Unanswered,
    Doubled,
}

impl Mishaps {
    fn next(&mut self) -> Way {
        for (left, way) in [
            (&mut self.lost, Way::Lost),
            (&mut self.unanswered, Way::Unanswered),
            (&mut self.doubled, Way::Doubled),
        ] {
            if *left > 0 {
                *left -= 1;
                return way;
            }
        }
        Way::Well
    }
}

pub(crate) fn client() -> Result<reqwest::Client, Error> {
    Ok(reqwest::Client::builder()
        .timeout(ANSWER_WITHIN)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()?)
}

/// `sha256=` and the HMAC of the payload, in hexadecimal.
pub fn signature(secret: &str, payload: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    format!("sha256={}", hex::encode(hmac::sign(&key, payload)))
}

/// A webhook that a test words itself.
#[derive(Clone, Debug, Deserialize)]
pub struct Crafted {
    pub event: String,
    pub payload: Value,
    /// A new one when absent.
    #[serde(default)]
    pub guid: Option<String>,
    /// The hook's own when absent.
    #[serde(default)]
    pub secret: Option<String>,
}

impl Shared {
    /// Sends an event of a repository, if there is a hook and the hook may see the repository.
    pub(crate) fn emit(&self, event: &str, mut payload: Value, repo: &Repo) {
        let hook = self.state().hook.clone();
        let Some(hook) = hook.filter(|_| repo.granted) else {
            return;
        };
        match hook.owner {
            HookOwner::App => payload["installation"] = installation(),
            HookOwner::Repository => {}
        }
        self.enqueue(&hook, event, payload.to_string(), None, None);
    }

    /// Sends a webhook as worded; its delivery id.
    pub(crate) fn send_crafted(&self, crafted: Crafted) -> Result<u64, Error> {
        let hook = self.hook()?;
        let payload = crafted.payload.to_string();
        let Crafted { event, guid, secret, .. } = crafted;
        let hook = Hook { secret: secret.or(hook.secret), ..hook };
        Ok(self.enqueue(&hook, &event, payload, guid, None))
    }

    /// Sends a delivery again, to where the hook points now; the new delivery's id.
    pub(crate) fn redeliver(&self, id: u64) -> Result<u64, Error> {
        let hook = self.hook()?;
        let earlier = self
            .state()
            .deliveries
            .iter()
            .find(|delivery| delivery.id == id)
            .cloned()
            .ok_or_else(|| Error::not_found("delivery", id.to_string()))?;
        Ok(self.enqueue(&hook, &earlier.event, earlier.payload, Some(earlier.guid), Some(id)))
    }

    fn hook(&self) -> Result<Hook, Error> {
        self.state().hook.clone().ok_or_else(|| Error::Refused("no webhook is set".to_owned()))
    }

    fn enqueue(
        &self,
        hook: &Hook,
        event: &str,
        payload: String,
        guid: Option<String>,
        again: Option<u64>,
    ) -> u64 {
        let guid = guid.unwrap_or_else(|| clock::guid().to_string());
        let parsed: Value = serde_json::from_str(&payload).unwrap_or(Value::Null);
        let repository_id = parsed["repository"]["id"].as_u64();
        let (target_type, target) = match hook.owner {
            HookOwner::App => ("integration", APP_ID),
            HookOwner::Repository => ("repository", repository_id.unwrap_or_default()),
        };
        let mut headers = BTreeMap::from([
            ("Accept", "*/*".to_owned()),
            ("Content-Type", "application/json".to_owned()),
            ("User-Agent", "GitHub-Hookshot/044aadd".to_owned()),
            ("X-GitHub-Delivery", guid.clone()),
            ("X-GitHub-Event", event.to_owned()),
            ("X-GitHub-Hook-ID", HOOK_ID.to_string()),
            ("X-GitHub-Hook-Installation-Target-ID", target.to_string()),
            ("X-GitHub-Hook-Installation-Target-Type", target_type.to_owned()),
        ]);
        if let Some(secret) = &hook.secret {
            headers.insert("X-Hub-Signature-256", signature(secret, payload.as_bytes()));
        }
        let mut state = self.state();
        let id = state.next_id();
        state.deliveries.push(Delivery {
            id,
            guid,
            event: event.to_owned(),
            action: parsed["action"].as_str().map(str::to_owned),
            repository_id,
            redelivery: again.is_some(),
            url: hook.url.clone(),
            headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            payload,
            outcome: None,
        });
        // While the lock is held, so that the queue has the order of the record.
        self.outgoing.push(id);
        id
    }
}

pub(crate) fn installation() -> Value {
    json!({
        "id": INSTALLATION_ID,
        "node_id": "MDIzOkludGVncmF0aW9uSW5zdGFsbGF0aW9uODE1",
    })
}

/// Sends what is queued, for ever.
pub(crate) async fn send_all(stand: Stand, mut queue: mpsc::UnboundedReceiver<u64>) {
    while let Some(id) = queue.recv().await {
        let (delivery, way) = {
            let mut state = stand.state();
            let way = state.mishaps.next();
            let delivery = state.deliveries.iter().find(|d| d.id == id).cloned();
            (delivery, way)
        };
        if let Some(delivery) = delivery {
            let outcome = match way {
                Way::Well => send(&stand.client, &delivery).await,
                Way::Lost => unheard("failed to connect to host"),
                Way::Unanswered => {
                    send(&stand.client, &delivery).await;
                    unheard("timed out")
                }
                Way::Doubled => {
                    send(&stand.client, &delivery).await;
                    send(&stand.client, &delivery).await
                }
            };
            tracing::debug!(delivery = id, event = %delivery.event, status = %outcome.status, "webhook sent");
            let mut state = stand.state();
            if let Some(delivery) = state.deliveries.iter_mut().find(|d| d.id == id) {
                delivery.outcome = Some(outcome);
            }
        }
        stand.outgoing.unsent.send_modify(|count| *count -= 1);
    }
}

fn unheard(status: &str) -> Outcome {
    Outcome {
        delivered_at: now(),
        duration_seconds: 0.0,
        status: status.to_owned(),
        status_code: 0,
        response: String::new(),
    }
}

async fn send(client: &reqwest::Client, delivery: &Delivery) -> Outcome {
    let delivered_at = now();
    let started = Instant::now();
    let mut request = client.post(&delivery.url).body(delivery.payload.clone());
    for (name, value) in &delivery.headers {
        request = request.header(name, value);
    }
    let (status, status_code, response) = match request.send().await {
        Ok(answer) => {
            let code = answer.status();
            let body = answer.text().await.unwrap_or_default();
            let status = if code.is_success() {
                "OK".to_owned()
            } else {
                format!("Invalid HTTP Response: {}", code.as_u16())
            };
            (status, code.as_u16(), body)
        }
        Err(error) if error.is_timeout() => ("timed out".to_owned(), 0, String::new()),
        Err(_) => ("failed to connect to host".to_owned(), 0, String::new()),
    };
    Outcome {
        delivered_at,
        duration_seconds: started.elapsed().as_secs_f64(),
        status,
        status_code,
        response,
    }
}
