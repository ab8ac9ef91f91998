//! System: workers, queue, deliveries (with replay) and what GitHub was not told yet.

use askama::Template;
use axum::extract::{Extension, Path, Query, State as Extract};
use axum::response::{Html, Redirect};
use chrono::TimeDelta;
use model::permission::Action;
use serde::Deserialize;
use store::delivery::DeliveryState;

use super::view::{Badge, Time, short};
use super::{Shell, html};
use crate::auth::Caller;
use crate::error::Result;
use crate::state::State;

const DELIVERIES: i64 = 30;
const TROUBLED: i64 = 30;
/// A worker that was not heard of for this long is away.
const SILENT: TimeDelta = TimeDelta::minutes(2);

#[derive(Template)]
#[template(path = "system.html")]
struct SystemPage {
    shell: Shell,
    queue: Vec<(&'static str, i64)>,
    workers: Vec<WorkerView>,
    deliveries: Vec<DeliveryView>,
    next: Option<String>,
    outbox: Vec<OutboxView>,
    may_configure: bool,
}

struct WorkerView {
    name: String,
    badge: Badge,
    slots: i32,
    version: String,
    executor: String,
    seen: Time,
}

struct DeliveryView {
    guid: String,
    event: String,
    badge: Badge,
    reason: String,
    received: Time,
}

struct OutboxView {
    repository: String,
    commit: String,
    context: String,
    wanted: String,
    error: String,
    attempts: i32,
    rejected: bool,
    next: Time,
}

#[derive(Deserialize)]
pub(super) struct Page {
    before: Option<i64>,
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Query(page): Query<Page>,
) -> Result<Html<String>> {
    let now = state.now();
    let mut conn = state.db.acquire().await?;
    let queue = store::board::queue(&mut conn).await?;
    let workers = store::worker::list(&mut conn).await?;
    let mut deliveries = store::delivery::list(&mut conn, page.before, DELIVERIES + 1).await?;
    let troubled = store::outbox::troubled(&mut conn, TROUBLED).await?;
    drop(conn);
    let shown = usize::try_from(DELIVERIES).unwrap_or(usize::MAX);
    let more = deliveries.len() > shown;
    deliveries.truncate(shown);
    let next =
        deliveries.last().filter(|_| more).map(|last| format!("/system?before={}", last.seq));
    let page = SystemPage {
        shell: Shell::new("System", "system"),
        queue: vec![
            ("jobs queued", queue.queued),
            ("jobs running", queue.running),
            ("deliveries to act on", queue.received),
            ("statuses to send", queue.unsent),
        ],
        workers: workers
            .into_iter()
            .map(|worker| {
                let away = now - worker.seen_at > SILENT;
                WorkerView {
                    name: worker.name,
                    badge: if away {
                        Badge::new("off", "silent")
                    } else {
                        Badge::new("ok", "here")
                    },
                    slots: worker.slots,
                    version: worker.version,
                    executor: worker.executor,
                    seen: Time::new(worker.seen_at, now),
                }
            })
            .collect(),
        deliveries: deliveries
            .into_iter()
            .map(|delivery| DeliveryView {
                badge: Badge::new(
                    match delivery.state {
                        DeliveryState::Received => "wait",
                        DeliveryState::Done => "ok",
                        DeliveryState::Ignored => "off",
                        DeliveryState::Failed => "bad",
                    },
                    delivery.state.as_str(),
                ),
                guid: delivery.guid,
                event: delivery.event,
                reason: delivery.reason.unwrap_or_default(),
                received: Time::new(delivery.received_at, now),
            })
            .collect(),
        next,
        outbox: troubled
            .into_iter()
            .map(|row| OutboxView {
                repository: row.repository.to_string(),
                commit: short(&row.commit),
                context: row.wanted.status.context,
                wanted: row.wanted.status.state.as_str().to_owned(),
                error: row.last_error.unwrap_or_default(),
                attempts: row.attempts,
                rejected: row.rejected_at.is_some(),
                next: Time::new(row.next_attempt_at, now),
            })
            .collect(),
        may_configure: caller.role.allows(Action::Configure),
    };
    html(&page)
}

pub(super) async fn replay(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(guid): Path<String>,
) -> Result<Redirect> {
    caller.may(Action::Configure)?;
    let mut conn = state.db.acquire().await?;
    store::delivery::replay(&mut conn, &guid).await?;
    drop(conn);
    state.signals.wake_engine();
    Ok(Redirect::to("/system"))
}
