//! System: workers, queue, deliveries (with replay), what GitHub was not told yet, how reconciling
//! fares, and stacks that no stage knows.

use askama::Template;
use axum::extract::{Extension, Form, Path, Query, State as Extract};
use axum::response::{Html, Redirect};
use chrono::TimeDelta;
use model::permission::Action;
use serde::Deserialize;
use serde_json::json;
use store::audit::Deed;
use store::delivery::DeliveryState;
use store::outbox::Wish;

use super::build::to;
use super::orphans::OrphanView;
use super::reconcile::{PartView, parts};
use super::view::{Badge, Time, short};
use super::{Shell, html};
use crate::api;
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
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
    reconciled: Vec<PartView>,
    orphans: Vec<OrphanView>,
    /// Those whose accounts can be looked through.
    apps: Vec<String>,
    may_build: bool,
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
    /// The commit, pull request or build that it is about.
    about: String,
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
    let fares = store::reconcile::list(&mut conn).await?;
    let orphans = store::orphan::list(&mut conn).await?;
    let apps = store::app::list(&mut conn).await?;
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
            .map(|row| {
                let (about, wanted) = wish(&row.wish);
                OutboxView {
                    repository: row.repository.to_string(),
                    about,
                    wanted,
                    error: row.last_error.unwrap_or_default(),
                    attempts: row.attempts,
                    rejected: row.rejected_at.is_some(),
                    next: Time::new(row.next_attempt_at, now),
                }
            })
            .collect(),
        reconciled: parts(&fares, state.settings.reconcile_every, now),
        apps: apps.into_iter().map(|app| app.name.into()).collect(),
        may_build: caller.role.allows(Action::Build),
        orphans: orphans.into_iter().map(|one| OrphanView::of(one, now)).collect(),
        may_configure: caller.role.allows(Action::Configure),
    };
    html(&page)
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
    }
}

pub(super) async fn replay(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(guid): Path<String>,
) -> Result<Redirect> {
    caller.may(Action::Configure)?;
    let mut tx = state.db.begin().await?;
    store::delivery::replay(&mut tx, &guid).await?;
    let did = Did::of_server(Deed::Replay).detail(json!({ "delivery": guid }));
    audit::record(&state, &mut tx, &caller, did).await?;
    tx.commit().await.map_err(Error::internal)?;
    state.signals.wake_engine();
    Ok(Redirect::to("/system"))
}

#[derive(Deserialize)]
pub(super) struct Swept {
    app: String,
}

/// Looks through the accounts of an app now.
pub(super) async fn sweep(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Form(swept): Form<Swept>,
) -> Result<Redirect> {
    let builds = api::orphans::sweep_app(&state, &caller, swept.app.trim()).await?;
    Ok(builds.first().map_or_else(|| Redirect::to("/system#orphans"), to))
}
