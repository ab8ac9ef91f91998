//! A chat with the part of Slack's interface that bots use to speak: `chat.postMessage` and
//! `chat.update`, its errors (with status 200), and its limit of calls.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{Running, serve};
use crate::Error;

/// A message as it stands in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlackMessage {
    pub channel: String,
    pub ts: String,
    pub text: String,
    pub thread_ts: Option<String>,
    pub reply_broadcast: bool,
    /// How often it was changed.
    pub edits: usize,
}

#[derive(Default)]
struct Kept {
    messages: Vec<SlackMessage>,
    calls: usize,
    /// Calls that are answered with 429 from now on.
    limited: usize,
    error: Option<String>,
}

struct Shared {
    token: String,
    kept: Mutex<Kept>,
    calls: watch::Sender<usize>,
}

pub struct Slack {
    url: String,
    shared: Arc<Shared>,
    _running: Running,
}

impl Slack {
    /// One that knows the channel `#deploys` and this bot.
    pub async fn start(token: &str) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            token: token.to_owned(),
            kept: Mutex::default(),
            calls: watch::Sender::new(0),
        });
        let router = Router::new()
            .route("/api/chat.postMessage", post(say))
            .route("/api/chat.update", post(change))
            .with_state(Arc::clone(&shared));
        let (address, running) = serve(router).await?;
        Ok(Self { url: format!("http://{address}/api"), shared, _running: running })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn messages(&self) -> Vec<SlackMessage> {
        self.shared.kept().messages.clone()
    }

    /// The next calls are too many.
    pub fn limit(&self, calls: usize) {
        self.shared.kept().limited = calls;
    }

    /// Every call is answered with this error, or none any more.
    pub fn fail(&self, error: Option<&str>) {
        self.shared.kept().error = error.map(str::to_owned);
    }

    /// Somebody deletes every message.
    pub fn clear(&self) {
        self.shared.kept().messages.clear();
    }

    /// Waits until so many calls have come.
    pub async fn wait_for(&self, calls: usize) {
        let mut count = self.shared.calls.subscribe();
        // the sender lives as long as this chat does
        let _ = count.wait_for(|count| *count >= calls).await;
    }
}

impl Shared {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What every call is refused for, if it is.
    fn refusal(&self, headers: &HeaderMap) -> Option<Response> {
        let mut kept = self.kept();
        kept.calls += 1;
        self.calls.send_replace(kept.calls);
        if kept.limited > 0 {
            kept.limited -= 1;
            let body = Json(json!({ "ok": false, "error": "ratelimited" }));
            return Some(
                (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")], body).into_response(),
            );
        }
        let given = headers.get("authorization").and_then(|value| value.to_str().ok());
        if given != Some(&format!("Bearer {}", self.token)) {
            return Some(error("invalid_auth"));
        }
        kept.error.as_deref().map(error)
    }
}

fn error(code: &str) -> Response {
    Json(json!({ "ok": false, "error": code })).into_response()
}

fn text(body: &Value, key: &str) -> String {
    body[key].as_str().unwrap_or_default().to_owned()
}

const CHANNEL: &str = "C0DEPLOYS";

async fn say(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if let Some(refusal) = shared.refusal(&headers) {
        return refusal;
    }
    if !["#deploys", CHANNEL].contains(&text(&body, "channel").as_str()) {
        return error("channel_not_found");
    }
    let mut kept = shared.kept();
    let ts = format!("1700000000.{:06}", kept.messages.len() + 1);
    kept.messages.push(SlackMessage {
        channel: CHANNEL.to_owned(),
        ts: ts.clone(),
        text: text(&body, "text"),
        thread_ts: body["thread_ts"].as_str().map(str::to_owned),
        reply_broadcast: body["reply_broadcast"].as_bool().unwrap_or_default(),
        edits: 0,
    });
    Json(json!({ "ok": true, "channel": CHANNEL, "ts": ts })).into_response()
}

async fn change(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if let Some(refusal) = shared.refusal(&headers) {
        return refusal;
    }
    if text(&body, "channel") != CHANNEL {
        return error("channel_not_found");
    }
    let ts = text(&body, "ts");
    let mut kept = shared.kept();
    let Some(message) = kept.messages.iter_mut().find(|message| message.ts == ts) else {
        return error("message_not_found");
    };
    message.text = text(&body, "text");
    message.edits += 1;
    Json(json!({ "ok": true, "channel": CHANNEL, "ts": ts })).into_response()
}
