//! What the server knows of itself, gathered from the rows in a few queries and judged by
//! [`model::system`]: for the system page and for `GET /api/v1/system` alike.
//!
//! What always holds: the whole is as bad as its worst part; nothing here asks another machine.

use chrono::{DateTime, TimeDelta, Utc};
use model::reconcile::Health;
use model::system::{
    CommentFacts, DatabaseHealthFacts, DeliveryFacts, OutboxFacts, Presence, QueueFacts, Verdict,
    WorkerFacts,
};
use store::PgConnection;
use store::issue_comment::Troubled;
use store::orphan::Orphan;
use store::reconcile::Fare;
use store::system::{AppQueue, DatabaseFacts, Deliveries, Outbox, WorkerLoad};

use crate::error::Result;
use crate::state::State;

/// What counts as lately.
const LATELY: TimeDelta = TimeDelta::days(1);
/// As many comments that cannot be acted upon are counted.
const COMMENTS: i64 = 100;

/// The parts, in the order in which a page shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Workers,
    Queue,
    Deliveries,
    Outbox,
    /// Only if some cannot be acted upon.
    Comments,
    Reconcile,
    Orphans,
    Database,
}

impl Part {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Workers => "workers",
            Self::Queue => "queue",
            Self::Deliveries => "deliveries",
            Self::Outbox => "outbox",
            Self::Comments => "comments",
            Self::Reconcile => "reconcile",
            Self::Orphans => "orphans",
            Self::Database => "database",
        }
    }
}

pub(crate) struct System {
    pub(crate) verdicts: Vec<(Part, Verdict)>,
    pub(crate) workers: Vec<WorkerLoad>,
    pub(crate) queues: Vec<AppQueue>,
    pub(crate) deliveries: Deliveries,
    pub(crate) outbox: Outbox,
    /// Comments that cannot be acted upon, the oldest first.
    pub(crate) comments: Vec<Troubled>,
    pub(crate) fares: Vec<Fare>,
    pub(crate) orphans: Vec<Orphan>,
    pub(crate) database: DatabaseFacts,
}

impl System {
    pub(crate) fn health(&self) -> Health {
        model::system::overall(self.verdicts.iter().map(|(_, verdict)| verdict))
    }

    pub(crate) fn queued(&self) -> i64 {
        self.queues.iter().map(|app| app.queued).sum()
    }

    pub(crate) fn running(&self) -> i64 {
        self.queues.iter().map(|app| app.running).sum()
    }

    pub(crate) fn oldest_at(&self) -> Option<DateTime<Utc>> {
        self.queues.iter().filter_map(|app| app.oldest_at).min()
    }
}

/// How one part of reconciling fares.
pub(crate) fn fares(state: &State, fare: &Fare) -> Health {
    if fare.off {
        return Health::Off;
    }
    Health::of(fare.succeeded_at, fare.failed_at, state.settings.reconcile_every)
}

pub(crate) async fn look(state: &State, conn: &mut PgConnection) -> Result<System> {
    let now = state.now();
    let mut system = System {
        verdicts: Vec::new(),
        workers: store::system::workers(conn).await?,
        queues: store::system::queues(conn).await?,
        deliveries: store::system::deliveries(conn, now - LATELY).await?,
        outbox: store::system::outbox(conn, now - LATELY).await?,
        comments: store::issue_comment::troubled(conn, COMMENTS).await?,
        fares: store::reconcile::list(conn).await?,
        orphans: store::orphan::list(conn).await?,
        database: store::system::database(conn).await?,
    };
    system.verdicts = judge(state, &system, now);
    Ok(system)
}

fn judge(state: &State, system: &System, now: DateTime<Utc>) -> Vec<(Part, Verdict)> {
    let workers: Vec<WorkerFacts> = system
        .workers
        .iter()
        .map(|worker| WorkerFacts {
            name: worker.name.clone(),
            slots: worker.slots.into(),
            busy: worker.busy,
            seen_at: worker.seen_at,
        })
        .collect();
    let here = workers.iter().filter(|one| Presence::of(one.seen_at, now) == Presence::Here);
    let queue = QueueFacts {
        queued: system.queued(),
        running: system.running(),
        oldest_at: system.oldest_at(),
        free: here.map(|one| (one.slots - one.busy).max(0)).sum(),
    };
    let Deliveries { received, oldest_at, failed, newest_at } = system.deliveries;
    let deliveries = DeliveryFacts { received, oldest_at, failed, newest_at };
    let Outbox { pending, troubled, troubled_since, rejected } = system.outbox;
    let outbox = OutboxFacts { pending, troubled, troubled_since, rejected };
    let looks: Vec<Health> = system.fares.iter().map(|fare| fares(state, fare)).collect();
    let failed = looks.iter().filter(|health| **health > Health::Off).count();
    let kept = system.orphans.iter().filter(|one| one.kept_because.is_some()).count();
    let database = DatabaseHealthFacts {
        schema: system.database.schema,
        known: system.database.known,
        connections: system.database.connections,
        most_connections: system.database.most_connections,
    };
    let comments = system.comments.first().map(|oldest| CommentFacts {
        troubled: system.comments.len(),
        oldest_at: oldest.taken_at,
        why: &oldest.error,
    });
    let comments = comments.map(|facts| model::system::comments(&facts, now));
    let mut parts = vec![
        (Part::Workers, model::system::workers(&workers, queue.queued, now)),
        (Part::Queue, model::system::queue(queue, now)),
        (Part::Deliveries, model::system::deliveries(deliveries, now)),
        (Part::Outbox, model::system::outbox(outbox, now)),
        (Part::Reconcile, model::system::reconcile(looks.iter().max().copied(), failed)),
        (Part::Orphans, model::system::orphans(system.orphans.len(), kept)),
        (Part::Database, model::system::database(database)),
    ];
    parts.extend(comments.map(|verdict| (Part::Comments, verdict)));
    parts
}
