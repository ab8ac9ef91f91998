//! `/healthz`, `/readyz` and `/metrics`; each metric stands in a table of `docs/monitoring.md`.
//!
//! What always holds: the recorder is installed once per process, however many routers it has.
//! Gauges of rows are read when they are asked for, past the recorder: never stale, and never
//! another server's of the same process. Each metric is there from the beginning, with zeros, so
//! that an alert sees the first of anything. What was counted ends with the process.

mod known;
mod rows;
mod text;

use std::sync::OnceLock;
use std::time::Duration;

use axum::extract::State as Extract;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use self::known::{KNOWN, Kind};
use self::text::Family;
use crate::error::{Error, Result};
use crate::state::State;

/// How often what was timed is put into buckets: until then each value is kept, and nobody may ask.
const UPKEEP: Duration = Duration::from_secs(5);

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// The process's recorder; `None` if something else installed its own before us.
fn recorder() -> Option<&'static PrometheusHandle> {
    RECORDER
        .get_or_init(|| {
            install().map_err(|error| tracing::warn!(%error, "no metrics: no recorder")).ok()
        })
        .as_ref()
}

/// Before it what is counted counts for nothing.
pub fn begin() {
    recorder();
}

/// Runs until it is dropped.
pub async fn upkeep() {
    loop {
        tokio::time::sleep(UPKEEP).await;
        if let Some(recorder) = recorder() {
            recorder.run_upkeep();
        }
    }
}

fn install() -> std::result::Result<PrometheusHandle, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for metric in KNOWN {
        if let Kind::Histogram(buckets) = metric.kind {
            let name = Matcher::Full(metric.name.into());
            builder = builder.set_buckets_for_metric(name, buckets)?;
        }
    }
    let recorder = builder.install_recorder()?;
    for metric in KNOWN {
        metric.begin();
    }
    Ok(recorder)
}

/// Whether the process is alive
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "isAlive",
    tag = "server",
    responses((status = 200, description = "It is", body = String, content_type = "text/plain")),
)]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the server can work
///
/// The database answers, and its schema is this program's.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "isReady",
    tag = "server",
    responses(
        (status = 200, description = "It can", body = String, content_type = "text/plain"),
        (status = 503, description = "It cannot"),
    ),
)]
pub(crate) async fn readyz(Extract(state): Extract<State>) -> Result<&'static str> {
    state.db.ready().await.map_err(|error| {
        tracing::warn!(%error, "not ready");
        Error::Unavailable(
            "the database does not answer, or its schema is not this binary's".into(),
        )
    })?;
    Ok("ready\n")
}

/// Metrics, as Prometheus reads them
///
/// Who may read the whole server gets them: by a token, or by one as the password of basic
/// authentication.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "getMetrics",
    tag = "server",
    security(("token" = [])),
    responses(
        (status = 200, description = "The metrics", body = String, content_type = "text/plain"),
        (status = 401, description = "No token, or one that is not known here"),
        (status = 403, description = "The token's role does not allow it"),
        (status = 503, description = "This process keeps none"),
    ),
)]
pub(crate) async fn metrics(Extract(state): Extract<State>) -> Result<impl IntoResponse> {
    let recorder =
        recorder().ok_or_else(|| Error::Unavailable("this process keeps no metrics".into()))?;
    let mut conn = state.db.acquire().await?;
    let gauges = store::gauges::read(&mut conn).await?;
    let standings = store::monitor::standings(&mut conn, None).await?;
    drop(conn);
    let mut all = recorder.render();
    for metric in KNOWN.iter().filter(|metric| metric.may_have_no_value()) {
        if !all.contains(&format!("# TYPE {} ", metric.name)) {
            Family::new(metric.name, metric.help).write(&mut all);
        }
    }
    for family in rows::families(&gauges, &standings, state.now()) {
        family.write(&mut all);
    }
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], all))
}
