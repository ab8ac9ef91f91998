//! System: how each part of the server fares, in words; its workers, queue, deliveries, what GitHub
//! was not told yet, what people elsewhere are told, how reconciling fares, stacks that no stage knows, and the database.

mod delivery;
mod notification;
mod parts;

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Extension, Form, State as Extract};
use axum::response::{Html, Redirect};
use model::permission::{Action, Scope};
use serde::Deserialize;
use store::app::App;

use self::delivery::DeliveryRow;
use self::notification::NotificationRow;
use self::parts::{OutboxView, PartCard, QueueView, WorkerView, size};
use super::build::to;
use super::orphans::OrphanView;
use super::reconcile::{PartView, parts};
use super::view::Badge;
use super::{Shell, html};
use crate::api;
use crate::auth::Caller;
use crate::error::Result;
use crate::rights::{Needs, Routes};
use crate::state::State;
use crate::system::look;

const DELIVERIES: i64 = 10;
const TROUBLED: i64 = 30;
const NOTIFICATIONS: i64 = 20;

pub(super) fn routes() -> Routes {
    let (read, build) = (Needs::OnServer(Action::Read), Needs::OnServer(Action::Build));
    let configure = Needs::OnServer(Action::Configure);
    Routes::new()
        .get("/system", read, show)
        .post("/system/sweep", build, sweep)
        .post("/system/outbox/hurry", configure, hurry)
        .post("/system/notifications/{id}/replay", configure, notification::replay)
        .get("/system/deliveries", read, delivery::list)
        .get("/system/deliveries/{guid}", read, delivery::show)
        .get("/system/deliveries/{guid}/body", read, delivery::body)
        .get("/system/deliveries/{guid}/replay", configure, delivery::ask)
        .post("/system/deliveries/{guid}/replay", configure, delivery::replay)
}

#[derive(Template)]
#[template(path = "system.html")]
struct SystemPage {
    shell: Shell,
    overall: Badge,
    cards: Vec<PartCard>,
    workers: Vec<WorkerView>,
    queues: Vec<QueueView>,
    deliveries: Vec<DeliveryRow>,
    outbox: Vec<OutboxView>,
    /// Something would be sent at once.
    may_hurry: bool,
    notifications: Vec<NotificationRow>,
    reconciled: Vec<PartView>,
    orphans: Vec<OrphanView>,
    /// Those whose accounts can be looked through, and these.
    apps: Vec<(String, String)>,
    database: Vec<(&'static str, String)>,
    may_build: bool,
    may_configure: bool,
}

async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Html<String>> {
    let now = state.now();
    let mut conn = state.db.acquire().await?;
    let system = look(&state, &mut conn).await?;
    let filter = store::delivery::Filter { limit: DELIVERIES, ..Default::default() };
    let deliveries = store::delivery::search(&mut conn, &filter).await?;
    let troubled = store::outbox::troubled(&mut conn, TROUBLED).await?;
    let notifications = store::notification::newest(&mut conn, NOTIFICATIONS).await?;
    let apps = store::app::list(&mut conn).await?;
    drop(conn);
    let may_configure = caller.rights.allows(Action::Configure, Scope::Server);
    let (queued, running) = (system.queued(), system.running());
    let database = &system.database;
    let page = SystemPage {
        shell: Shell::new("System", "system").of(&caller),
        overall: parts::badge(system.health()),
        cards: system.verdicts.iter().map(|(part, verdict)| PartCard::of(*part, verdict)).collect(),
        database: vec![
            ("PostgreSQL", database.version.clone()),
            ("Schema", format!("{} of {}", database.schema, database.known)),
            ("Size", size(database.size_bytes)),
            ("Connections", format!("{} of {}", database.connections, database.most_connections)),
            ("Jobs", format!("{queued} queued, {running} running")),
            ("This server", env!("CARGO_PKG_VERSION").to_owned()),
        ],
        workers: system.workers.into_iter().map(|one| WorkerView::of(one, now)).collect(),
        queues: system.queues.into_iter().map(|one| QueueView::of(one, now)).collect(),
        deliveries: deliveries.into_iter().map(|one| DeliveryRow::of(one, now)).collect(),
        may_hurry: may_configure && system.outbox.troubled > 0,
        outbox: troubled.into_iter().map(|one| OutboxView::of(one, now)).collect(),
        notifications: notifications.into_iter().map(|one| NotificationRow::of(one, now)).collect(),
        reconciled: parts(&system.fares, state.settings.reconcile_every, now),
        apps: apps.iter().map(|app| (app.name.to_string(), accounts(app))).collect(),
        may_build: caller.rights.allows(Action::Build, Scope::Server),
        orphans: system.orphans.into_iter().map(|one| OrphanView::of(one, now)).collect(),
        may_configure,
    };
    html(&page)
}

/// Those that the profiles of an app lead to.
fn accounts(app: &App) -> String {
    let accounts: BTreeSet<&str> =
        app.settings.profiles.values().map(|profile| profile.role_arn.account()).collect();
    accounts.into_iter().collect::<Vec<_>>().join(", ")
}

#[derive(Deserialize)]
struct Swept {
    app: String,
}

/// Looks through the accounts of an app now.
async fn sweep(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Form(swept): Form<Swept>,
) -> Result<Redirect> {
    let builds = api::orphans::sweep_app(&state, &caller, swept.app.trim()).await?;
    Ok(builds.first().map_or_else(|| Redirect::to("/system#orphans"), to))
}

/// Tells GitHub at once what waits for its next try.
async fn hurry(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Redirect> {
    api::outbox::hurry_up(&state, &caller).await?;
    Ok(Redirect::to("/system#outbox"))
}
