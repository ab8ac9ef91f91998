//! `/healthz`, `/readyz` and `/metrics`.
//!
//! What always holds: the recorder is installed once per process, however many routers it has.
//! Gauges of rows are read when they are asked for, past the recorder: never stale, and never
//! another server's of the same process.

use std::fmt::Write;
use std::sync::OnceLock;

use axum::extract::State as Extract;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::error::{Error, Result};
use crate::state::State;

/// Seconds; from a cached read to a long poll.
const BUCKETS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0];

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// The process's recorder; `None` if something else installed its own before us.
pub(crate) fn recorder() -> Option<&'static PrometheusHandle> {
    RECORDER
        .get_or_init(|| {
            PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &BUCKETS)
                .and_then(PrometheusBuilder::install_recorder)
                .map_err(|error| tracing::warn!(%error, "no metrics: no recorder"))
                .ok()
        })
        .as_ref()
}

pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

pub(crate) async fn readyz(Extract(state): Extract<State>) -> Result<&'static str> {
    state.db.ready().await.map_err(|error| {
        tracing::warn!(%error, "not ready");
        Error::Unavailable(
            "the database does not answer, or its schema is not this binary's".into(),
        )
    })?;
    Ok("ready\n")
}

pub(crate) async fn metrics(Extract(state): Extract<State>) -> Result<impl IntoResponse> {
    let recorder =
        recorder().ok_or_else(|| Error::Unavailable("this process keeps no metrics".into()))?;
    let mut conn = state.db.acquire().await?;
    let depth = store::board::queue(&mut conn).await?;
    let mut text = recorder.render();
    for (name, value) in [
        ("greenroom_jobs_queued", depth.queued),
        ("greenroom_jobs_running", depth.running),
        ("greenroom_deliveries_received", depth.received),
        ("greenroom_outbox_pending", depth.unsent),
    ] {
        let _ = writeln!(text, "# TYPE {name} gauge\n{name} {value}\n");
    }
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4")], text))
}
