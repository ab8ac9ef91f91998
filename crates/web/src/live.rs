//! Server-sent events from rows: read, send, wait for a signal, read again.
//!
//! What always holds: the stream listens before it reads, so nothing is missed in between; a lost
//! signal only delays (it looks by itself too); no database connection is held while it waits. A
//! stream that fails ends, and the browser comes back with the id it saw last.

use std::convert::Infallible;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use axum::http::HeaderValue;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use store::signals::Topic;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::error::Result;
use crate::state::State;

/// How often it looks without a signal.
const POLL: Duration = Duration::from_secs(3);
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a page's stream lasts: as long as it is before GitHub is asked again who may what.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// A number that differs when what is shown differs.
pub(crate) fn version(shown: &impl Debug) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{shown:?}").hash(&mut hasher);
    hasher.finish()
}

/// What a read brought.
pub(crate) enum Next {
    Event(Event),
    Nothing,
    /// The last event.
    End(Event),
}

/// Where events come from.
pub(crate) trait Source: Send + Sync + 'static {
    fn concerns(&self, topic: Topic) -> bool;

    fn next(&mut self, state: &State) -> impl Future<Output = Result<Next>> + Send;
}

struct Stream<S> {
    state: State,
    source: S,
    signals: broadcast::Receiver<Topic>,
    ended: bool,
}

/// For a page. It ends now and then, and the browser comes back by itself: whoever may not see this
/// any more is refused then.
pub(crate) fn stream<S: Source>(state: State, source: S) -> Response {
    respond(events(state, source).take_until(tokio::time::sleep(LONGEST)))
}

/// For a program, which need not know how to come back.
pub(crate) fn whole<S: Source>(state: State, source: S) -> Response {
    respond(events(state, source))
}

fn events<S: Source>(
    state: State,
    source: S,
) -> impl futures_util::Stream<Item = std::result::Result<Event, Infallible>> + Send + 'static {
    let signals = state.signals.subscribe();
    let stream = Stream { state, source, signals, ended: false };
    stream::unfold(stream, |mut stream| async {
        let event = stream.event().await?;
        Some((Ok::<_, Infallible>(event), stream))
    })
}

fn respond(
    events: impl futures_util::Stream<Item = std::result::Result<Event, Infallible>> + Send + 'static,
) -> Response {
    let mut response =
        Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    // nginx would hold events back
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

impl<S: Source> Stream<S> {
    async fn event(&mut self) -> Option<Event> {
        loop {
            if self.ended {
                return None;
            }
            self.forget();
            match self.source.next(&self.state).await {
                Ok(Next::Event(event)) => return Some(event),
                Ok(Next::End(event)) => {
                    self.ended = true;
                    return Some(event);
                }
                Ok(Next::Nothing) => self.wait().await,
                Err(error) => {
                    tracing::warn!(%error, "a live stream ended");
                    return None;
                }
            }
        }
    }

    /// What was signalled before this read is seen by it.
    fn forget(&mut self) {
        loop {
            match self.signals.try_recv() {
                Ok(_) | Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    async fn wait(&mut self) {
        let signalled = async {
            loop {
                match self.signals.recv().await {
                    Ok(topic) if self.source.concerns(topic) => return,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending::<()>().await,
                }
            }
        };
        // a time-out only means to look again
        let _ = tokio::time::timeout(POLL, signalled).await;
    }
}
