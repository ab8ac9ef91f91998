//! A gate that a step of a test's repository stands before: the test learns that the step has come
//! there, does what it wants (kills the server, say), and opens.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use tokio::sync::watch;

use crate::server::until;

#[derive(Clone, Default)]
struct Shared {
    arrivals: Arc<Mutex<BTreeMap<String, u32>>>,
}

pub(crate) struct Gate {
    address: std::net::SocketAddr,
    shared: Shared,
    open: watch::Sender<bool>,
}

impl Gate {
    /// A closed gate.
    pub(crate) async fn closed() -> Self {
        let (open, opened) = watch::channel(false);
        let shared = Shared::default();
        let router =
            Router::new().route("/{name}", get(arrive)).with_state((shared.clone(), opened));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { address, shared, open }
    }

    /// JavaScript that waits until the gate opens; a gate that is gone lets nobody through.
    pub(crate) fn javascript(&self, name: &str) -> String {
        format!("await fetch('http://{}/{name}').then((answer) => answer.text())", self.address)
    }

    /// How often the place was reached.
    pub(crate) fn arrivals(&self, name: &str) -> u32 {
        self.shared.arrivals.lock().unwrap().get(name).copied().unwrap_or(0)
    }

    pub(crate) async fn arrived(&self, name: &str, times: u32) {
        until(&format!("{name} to be reached {times} times"), async || {
            (self.arrivals(name) >= times).then_some(())
        })
        .await;
    }

    pub(crate) fn open(&self) {
        self.open.send_replace(true);
    }
}

async fn arrive(
    State((shared, mut opened)): State<(Shared, watch::Receiver<bool>)>,
    Path(name): Path<String>,
) -> &'static str {
    *shared.arrivals.lock().unwrap().entry(name).or_default() += 1;
    let _ = opened.wait_for(|open| *open).await;
    "open"
}
