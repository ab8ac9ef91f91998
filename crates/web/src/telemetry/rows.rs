//! The gauges that are read of rows. Pure: the rows are given.
//!
//! What always holds: a kind, a part or a state of which there is nothing has a zero, so that a
//! graph has no holes; an age is zero when nothing waits.

use chrono::{DateTime, TimeDelta, Utc};
use model::build::BuildOutcome;
use model::job::JobKind;
use model::reconcile::Part;
use model::system::Presence;
use store::gauges::{Gauges, Jobs};
use store::monitor::Standing;

use super::text::Family;

pub(super) fn families(gauges: &Gauges, standings: &[Standing], now: DateTime<Utc>) -> Vec<Family> {
    let mut all = jobs(&gauges.jobs, now);
    let single = |name, help, count: i64| Family::single(name, help, of(count));
    all.extend([
        single("greenroom_builds_running", "Builds that are under way.", gauges.builds.running),
        single(
            "greenroom_builds_waiting",
            "Builds that wait for an approval or for the end of a freeze.",
            gauges.builds.waiting,
        ),
        single(
            "greenroom_deliveries_received",
            "Webhook deliveries that were not acted on yet.",
            gauges.deliveries.count,
        ),
        Family::single(
            "greenroom_delivery_oldest_age_seconds",
            "How long the oldest delivery waits that was not acted on yet.",
            age(gauges.deliveries.oldest_at, now),
        ),
        single(
            "greenroom_outbox_pending",
            "Statuses, comments and deployments that GitHub was not told yet.",
            gauges.outbox.count,
        ),
        single(
            "greenroom_outbox_troubled",
            "Those of them that were tried without success.",
            gauges.troubled,
        ),
        Family::single(
            "greenroom_outbox_oldest_age_seconds",
            "How long the oldest of them is owed.",
            age(gauges.outbox.oldest_at, now),
        ),
        single(
            "greenroom_orphan_stacks",
            "Stacks with Greenroom's tags that no stage knows.",
            gauges.orphans,
        ),
        single(
            "greenroom_database_connections",
            "Connections to the server's database, of whatever process.",
            gauges.connections,
        ),
    ]);
    all.extend(workers(gauges, now));
    all.extend(reconcile(gauges, now));
    all.extend(stages(gauges, standings));
    all
}

fn jobs(rows: &[Jobs], now: DateTime<Utc>) -> Vec<Family> {
    let mut depth =
        Family::new("greenroom_queue_jobs", "Jobs that wait for a worker or have one, by kind.");
    let mut oldest = Family::new(
        "greenroom_queue_oldest_age_seconds",
        "How long the job of this kind waits for a worker that waits longest.",
    );
    for kind in JobKind::ALL {
        let row = rows.iter().find(|row| row.kind == kind);
        let (queued, running) = row.map_or((0, 0), |row| (row.queued, row.running));
        depth.add([("kind", kind.as_str()), ("state", "queued")], of(queued));
        depth.add([("kind", kind.as_str()), ("state", "running")], of(running));
        let since = row.and_then(|row| row.oldest_at);
        oldest.add([("kind", kind.as_str())], age(since, now));
    }
    let sum = |count: fn(&Jobs) -> i64| of(rows.iter().map(count).sum());
    vec![
        Family::single(
            "greenroom_jobs_queued",
            "Jobs that wait for a worker.",
            sum(|row| row.queued),
        ),
        Family::single("greenroom_jobs_running", "Jobs that a worker has.", sum(|row| row.running)),
        depth,
        oldest,
    ]
}

fn workers(gauges: &Gauges, now: DateTime<Utc>) -> [Family; 3] {
    let (mut here, mut silent, mut slots, mut busy) = (0, 0, 0, 0);
    for worker in &gauges.workers {
        match Presence::of(worker.seen_at, now) {
            Presence::Here => {
                here += 1;
                slots += i64::from(worker.slots);
                busy += worker.busy;
            }
            Presence::Silent => silent += 1,
            Presence::Gone => {}
        }
    }
    let mut workers = Family::new(
        "greenroom_workers",
        "Workers by presence; one that was silent for a day counts no more.",
    );
    workers.add([("presence", "here")], of(here));
    workers.add([("presence", "silent")], of(silent));
    [
        workers,
        Family::single(
            "greenroom_worker_slots",
            "How many jobs the workers that are here take at once.",
            of(slots),
        ),
        Family::single(
            "greenroom_worker_slots_used",
            "How many of these slots have a job.",
            of(busy),
        ),
    ]
}

fn reconcile(gauges: &Gauges, now: DateTime<Utc>) -> [Family; 2] {
    let mut ages = Family::new(
        "greenroom_reconcile_age_seconds",
        "How long ago the last look at GitHub began that went well, of the app where that is longest \
         ago.",
    );
    let mut failing = Family::new(
        "greenroom_reconcile_failing",
        "In how many apps the last look at GitHub failed.",
    );
    for part in Part::ALL {
        let row = gauges.reconcile.iter().find(|row| row.part == part);
        let since = row.and_then(|row| row.succeeded_at);
        ages.add([("part", part.as_str())], age(since, now));
        failing.add([("part", part.as_str())], of(row.map_or(0, |row| row.failed)));
    }
    [ages, failing]
}

fn stages(gauges: &Gauges, standings: &[Standing]) -> [Family; 2] {
    let mut open =
        Family::new("greenroom_stages", "Stages that are not closed, by kind and state.");
    for row in &gauges.stages {
        let labels = [("kind", row.kind.as_str()), ("state", row.state.as_str())];
        open.add(labels, of(row.count));
    }
    let mut failed = Family::new(
        "greenroom_stage_failed",
        "Whether the last build of a long-lived stage failed.",
    );
    for standing in standings {
        let last = standing.last.as_ref();
        let is_failed = last.is_some_and(|last| last.outcome == BuildOutcome::Failed);
        let labels = [("app", standing.app.as_str()), ("stage", standing.stage.as_str())];
        failed.add(labels, f64::from(u8::from(is_failed)));
    }
    [open, failed]
}

fn of(count: i64) -> f64 {
    count as f64
}

fn age(since: Option<DateTime<Utc>>, now: DateTime<Utc>) -> f64 {
    since.map_or(TimeDelta::zero(), |since| now - since).as_seconds_f64().max(0.0)
}
