//! How the server fares: each part with its reason, as the system page shows it.

use axum::Json;
use axum::extract::State as Extract;
use chrono::{DateTime, Utc};
use model::reconcile::Health;
use model::system::{Presence, Verdict};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::Result;
use crate::openapi::wire;
use crate::state::State;
use crate::system::{System, look};

#[derive(Serialize, ToSchema)]
#[schema(as = System)]
pub(super) struct SystemView {
    /// As bad as the worst part.
    #[schema(value_type = wire::Health)]
    health: Health,
    version: &'static str,
    parts: Vec<PartView>,
    workers: Vec<WorkerView>,
    queue: QueueView,
    deliveries: DeliveriesView,
    outbox: OutboxView,
    database: DatabaseView,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SystemPart)]
struct PartView {
    part: &'static str,
    #[serde(flatten)]
    #[schema(value_type = wire::Verdict)]
    verdict: Verdict,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Worker)]
struct WorkerView {
    name: String,
    #[schema(value_type = wire::WorkerPresence)]
    presence: &'static str,
    slots: i32,
    busy: i64,
    version: String,
    executor: String,
    seen_at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Queue)]
struct QueueView {
    queued: i64,
    running: i64,
    oldest_at: Option<DateTime<Utc>>,
    apps: Vec<AppView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AppQueue)]
struct AppView {
    app: String,
    queued: i64,
    running: i64,
    oldest_at: Option<DateTime<Utc>>,
    concurrency: Option<i32>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryCounts)]
struct DeliveriesView {
    received: i64,
    failed_within_a_day: i64,
    newest_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OutboxCounts)]
struct OutboxView {
    pending: i64,
    troubled: i64,
    rejected_within_a_day: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = DatabaseFacts)]
struct DatabaseView {
    version: String,
    schema: i64,
    size_bytes: i64,
    connections: i64,
    most_connections: i64,
}

/// How the server fares
///
/// Each part with its reason, workers, queue, database.
#[utoipa::path(
    get,
    path = "/system",
    operation_id = "getSystem",
    tag = "system",
    responses(
        (status = 200, description = "The server", body = SystemView),
    ),
)]
pub(super) async fn show(Extract(state): Extract<State>) -> Result<Json<SystemView>> {
    let mut conn = state.db.acquire().await?;
    let system = look(&state, &mut conn).await?;
    drop(conn);
    Ok(Json(view(system, state.now())))
}

fn view(system: System, now: DateTime<Utc>) -> SystemView {
    SystemView {
        health: system.health(),
        version: env!("CARGO_PKG_VERSION"),
        queue: QueueView {
            queued: system.queued(),
            running: system.running(),
            oldest_at: system.oldest_at(),
            apps: system
                .queues
                .into_iter()
                .map(|app| AppView {
                    app: app.app.into(),
                    queued: app.queued,
                    running: app.running,
                    oldest_at: app.oldest_at,
                    concurrency: app.concurrency,
                })
                .collect(),
        },
        parts: system
            .verdicts
            .into_iter()
            .map(|(part, verdict)| PartView { part: part.as_str(), verdict })
            .collect(),
        workers: system
            .workers
            .into_iter()
            .map(|worker| WorkerView {
                presence: Presence::of(worker.seen_at, now).as_str(),
                name: worker.name,
                slots: worker.slots,
                busy: worker.busy,
                version: worker.version,
                executor: worker.executor,
                seen_at: worker.seen_at,
            })
            .collect(),
        deliveries: DeliveriesView {
            received: system.deliveries.received,
            failed_within_a_day: system.deliveries.failed,
            newest_at: system.deliveries.newest_at,
        },
        outbox: OutboxView {
            pending: system.outbox.pending,
            troubled: system.outbox.troubled,
            rejected_within_a_day: system.outbox.rejected,
        },
        database: DatabaseView {
            version: system.database.version,
            schema: system.database.schema,
            size_bytes: system.database.size_bytes,
            connections: system.database.connections,
            most_connections: system.database.most_connections,
        },
    }
}
