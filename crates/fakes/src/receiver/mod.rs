//! Receivers of notifications: a program with a webhook, a chat that speaks Slack's interface, a mail
//! server. Each listens on loopback, keeps what it took, and refuses on demand.

mod hook;
mod slack;
mod smtp;

use std::future::IntoFuture;
use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

pub use hook::{Answers, Hook, Posted};
pub use slack::{Slack, SlackMessage};
pub use smtp::{Mail, Mood, Smtp};

use crate::Error;

/// Ends the task behind a receiver with it.
struct Running(AbortHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn listen() -> Result<(TcpListener, SocketAddr), Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(Error::io("listen"))?;
    let address = listener.local_addr().map_err(Error::io("listen"))?;
    Ok((listener, address))
}

async fn serve(router: Router) -> Result<(SocketAddr, Running), Error> {
    let (listener, address) = listen().await?;
    let task = tokio::spawn(axum::serve(listener, router).into_future());
    Ok((address, Running(task.abort_handle())))
}
