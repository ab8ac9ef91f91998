//! The parts of the system page: how each fares, the workers, the queue by app, what GitHub was not
//! told yet.

use chrono::{DateTime, Utc};
use model::reconcile::Health;
use model::system::{Presence, Verdict};
use store::outbox::{OutboxRow, Wish};
use store::system::{AppQueue, WorkerLoad};

use super::super::view::{Badge, Time, short};
use crate::system::Part;

pub(super) struct PartCard {
    pub(super) name: &'static str,
    /// Where the page says more.
    pub(super) anchor: &'static str,
    pub(super) badge: Badge,
    pub(super) reason: String,
    pub(super) remedy: Option<String>,
}

impl PartCard {
    pub(super) fn of(part: Part, verdict: &Verdict) -> Self {
        Self {
            name: match part {
                Part::Workers => "Workers",
                Part::Queue => "Queue",
                Part::Deliveries => "Webhooks from GitHub",
                Part::Outbox => "Telling GitHub",
                Part::Comments => "Asked for in comments",
                Part::Reconcile => "Reconciling",
                Part::Orphans => "Stacks that no stage knows",
                Part::Database => "Database",
            },
            anchor: part.as_str(),
            badge: badge(verdict.health),
            reason: verdict.reason.clone(),
            remedy: verdict.remedy.clone(),
        }
    }
}

pub(super) fn badge(health: Health) -> Badge {
    let class = match health {
        Health::Ok => "ok",
        Health::Off => "off",
        Health::Degraded => "warn",
        Health::Failing => "bad",
    };
    Badge::new(class, health.as_str())
}

pub(super) struct WorkerView {
    pub(super) name: String,
    pub(super) badge: Badge,
    pub(super) busy: i64,
    pub(super) slots: i32,
    pub(super) version: String,
    pub(super) executor: String,
    pub(super) seen: Time,
    pub(super) registered: Time,
}

impl WorkerView {
    pub(super) fn of(worker: WorkerLoad, now: DateTime<Utc>) -> Self {
        let presence = Presence::of(worker.seen_at, now);
        let class = match presence {
            Presence::Here => "ok",
            Presence::Silent => "warn",
            Presence::Gone => "off",
        };
        Self {
            badge: Badge::new(class, presence.as_str()),
            name: worker.name,
            busy: worker.busy,
            slots: worker.slots,
            version: worker.version,
            executor: worker.executor,
            seen: Time::new(worker.seen_at, now),
            registered: Time::new(worker.registered_at, now),
        }
    }
}

pub(super) struct QueueView {
    pub(super) app: String,
    pub(super) queued: i64,
    pub(super) running: i64,
    pub(super) limit: String,
    pub(super) oldest: Option<Time>,
}

impl QueueView {
    pub(super) fn of(queue: AppQueue, now: DateTime<Utc>) -> Self {
        Self {
            app: queue.app.into(),
            queued: queue.queued,
            running: queue.running,
            limit: queue.concurrency.map_or_else(|| "none".to_owned(), |most| most.to_string()),
            oldest: queue.oldest_at.map(|at| Time::new(at, now)),
        }
    }
}

pub(super) struct OutboxView {
    pub(super) repository: String,
    /// The commit, pull request or build that it is about.
    pub(super) about: String,
    pub(super) wanted: String,
    pub(super) error: String,
    pub(super) badge: Badge,
    /// `None`: it is not tried again.
    pub(super) next: Option<Time>,
}

impl OutboxView {
    pub(super) fn of(row: OutboxRow, now: DateTime<Utc>) -> Self {
        let (about, wanted) = wish(&row.wish);
        let rejected = row.rejected_at.is_some();
        Self {
            repository: row.repository.to_string(),
            about,
            wanted,
            error: row.last_error.unwrap_or_default(),
            badge: if rejected {
                Badge::new("bad", "refused")
            } else {
                Badge::new("wait", &format!("try {}", row.attempts + 1))
            },
            next: (!rejected).then(|| Time::new(row.next_attempt_at, now)),
        }
    }
}

/// What GitHub is to show, and where.
fn wish(wish: &Wish) -> (String, String) {
    match wish {
        Wish::Status(wish) => {
            let status = &wish.status;
            (short(&wish.commit), format!("{}: {}", status.context, status.state.as_str()))
        }
        Wish::Comment(wish) => (format!("#{}", wish.pull_request), "comment".to_owned()),
        Wish::Deployment(wish) => {
            let what = format!("deployment to {}: {}", wish.environment, wish.state.as_str());
            (format!("build {}", wish.build), what)
        }
        Wish::Reaction(wish) => {
            (format!("#{}", wish.pull_request), format!("reaction {}", wish.content.as_str()))
        }
    }
}

/// Bytes as people say them.
pub(super) fn size(bytes: i64) -> String {
    const STEP: i64 = 1024;
    match bytes.max(0) {
        bytes @ 0..STEP => format!("{bytes} bytes"),
        bytes if bytes < STEP * STEP => format!("{} KiB", bytes / STEP),
        bytes if bytes < STEP * STEP * STEP => format!("{} MiB", bytes / STEP / STEP),
        bytes => {
            let tenths = bytes / (STEP * STEP * STEP / 10);
            format!("{}.{} GiB", tenths / 10, tenths % 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_one_unit() {
        for (bytes, told) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (20_480, "20 KiB"),
            (9_000_000, "8 MiB"),
            (5_368_709_120, "5.0 GiB"),
        ] {
            assert_eq!(size(bytes), told);
        }
    }
}
