//! What the worker API counts and times, for the metrics.
//!
//! What always holds: a label is one of a few words of ours. What a process counted ends with it,
//! and a repeated call may be counted twice: the rows know better, and the gauges are read of them.

use chrono::{DateTime, Utc};
use model::job::JobKind;
use model::worker_api::{GroupKind, LogHead};
use store::job::Job;

/// What a look at the queue came to.
pub(crate) fn claim(result: &'static str) {
    metrics::counter!("greenroom_claims_total", "result" => result).increment(1);
}

/// From when it could run until a worker took it.
pub(crate) fn job_waited(job: &Job, now: DateTime<Utc>) {
    let Some(since) = job.queued_at else { return };
    metrics::histogram!("greenroom_job_wait_seconds", "kind" => job.kind.as_str())
        .record(seconds(since, now));
}

pub(crate) fn job_finished(job: &Job, outcome: &'static str, now: DateTime<Utc>) {
    let labels = [("kind", job.kind.as_str()), ("outcome", outcome)];
    metrics::counter!("greenroom_jobs_finished_total", &labels).increment(1);
    if let Some(since) = job.started_at {
        metrics::histogram!("greenroom_job_duration_seconds", &labels).record(seconds(since, now));
    }
}

/// The commands that ended with a chunk of a log.
pub(crate) fn steps(kind: JobKind, head: &LogHead) {
    for group in &head.groups {
        if let (GroupKind::Step, Some(end)) = (group.kind, &group.end) {
            let labels = [("kind", kind.as_str()), ("outcome", end.outcome.as_str())];
            metrics::histogram!("greenroom_step_duration_seconds", &labels)
                .record(std::time::Duration::from_millis(end.took_ms).as_secs_f64());
        }
    }
}

/// A clock may have been set back between two moments.
fn seconds(since: DateTime<Utc>, now: DateTime<Utc>) -> f64 {
    (now - since).as_seconds_f64().max(0.0)
}
