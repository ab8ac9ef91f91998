//! A program that takes POSTs: any path, any body.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;

use super::{Running, serve};
use crate::Error;

/// How it answers from now on.
#[derive(Clone, Debug, Default)]
pub enum Answers {
    #[default]
    Fine,
    /// With this status, and this `Retry-After`.
    Status(u16, Option<u64>),
    Redirect(String),
    /// With a body that never ends.
    Endless,
    /// Not at all.
    Silence,
}

/// A request as it came, whatever it was answered.
#[derive(Clone, Debug)]
pub struct Posted {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub status: u16,
}

#[derive(Default)]
struct Kept {
    answers: Answers,
    posted: Vec<Posted>,
}

struct Shared {
    kept: Mutex<Kept>,
    count: watch::Sender<usize>,
}

pub struct Hook {
    url: String,
    shared: Arc<Shared>,
    _running: Running,
}

impl Hook {
    pub async fn start() -> Result<Self, Error> {
        let shared = Arc::new(Shared { kept: Mutex::default(), count: watch::Sender::new(0) });
        let router = Router::new().fallback(take).with_state(Arc::clone(&shared));
        let (address, running) = serve(router).await?;
        Ok(Self { url: format!("http://{address}/hook"), shared, _running: running })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn answer(&self, answers: Answers) {
        self.shared.kept().answers = answers;
    }

    /// Every request, oldest first.
    pub fn posted(&self) -> Vec<Posted> {
        self.shared.kept().posted.clone()
    }

    /// Those that it took.
    pub fn taken(&self) -> Vec<Posted> {
        let mut posted = self.posted();
        posted.retain(|posted| posted.status < 300);
        posted
    }

    /// Waits until so many requests have come.
    pub async fn wait_for(&self, requests: usize) {
        let mut count = self.shared.count.subscribe();
        // the sender lives as long as this receiver does
        let _ = count.wait_for(|count| *count >= requests).await;
    }
}

impl Shared {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn take(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    let (answers, count) = {
        let mut kept = shared.kept();
        let answers = kept.answers.clone();
        let status = match &answers {
            Answers::Fine => 200,
            Answers::Status(status, _) => *status,
            Answers::Redirect(_) => 307,
            Answers::Endless => 500,
            Answers::Silence => 504,
        };
        let headers = headers.iter().map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let headers = headers.collect();
        kept.posted.push(Posted { path: uri.path().to_owned(), headers, body, status });
        (answers, kept.posted.len())
    };
    shared.count.send_replace(count);
    match answers {
        Answers::Fine => "ok".into_response(),
        Answers::Status(status, after) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
            match after {
                Some(after) => (status, [("retry-after", after.to_string())]).into_response(),
                None => status.into_response(),
            }
        }
        Answers::Redirect(to) => {
            (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response()
        }
        Answers::Endless => {
            let chunk = || Ok::<_, std::io::Error>(axum::body::Bytes::from(vec![b'x'; 8192]));
            let chunks = futures_util::stream::repeat_with(chunk);
            (StatusCode::INTERNAL_SERVER_ERROR, axum::body::Body::from_stream(chunks))
                .into_response()
        }
        Answers::Silence => std::future::pending().await,
    }
}
