//! From a delivery to builds.
//!
//! What always holds: a delivery's effects and its end are one transaction, so it has them once
//! or not at all. One that cannot be understood ends as `failed` with the reason, and may be
//! replayed; it never stands in the way of those behind it.

mod comment;

use chrono::{DateTime, Utc};
use github::Event;
use github::event::{RepositoryAction, RepositoryChange};
use model::RepositoryName;
use model::rule::{Decision, PullRequestAction, PullRequestEvent, RepositoryEvent, decide};
use store::PgConnection;
use store::app::App;
use store::delivery::{Delivery, DeliveryEnd};
use store::pull_request::{Heard, News, PullRequestState};

use crate::event::{Meaning, meaning};
use crate::reconcile::{self, Noticed};
use crate::{Engine, Progress, drain, order};

/// Deliveries taken in one turn, so that the other passes get theirs.
const PER_TURN: usize = 100;
/// Faults of ours (not of the delivery) after which it is set aside.
const MAX_ATTEMPTS: i32 = 5;

pub(crate) async fn pass(engine: &Engine) -> anyhow::Result<Progress> {
    drain(PER_TURN, || one(engine)).await
}

async fn one(engine: &Engine) -> anyhow::Result<Progress> {
    let mut tx = engine.db.begin_repeatable().await?;
    let Some(delivery) = store::delivery::received(&mut tx, 1).await?.pop() else {
        return Ok(Progress::None);
    };
    let end = match take(engine, &mut tx, &delivery).await {
        Ok(end) => end,
        Err(error) if delivery.attempts + 1 < MAX_ATTEMPTS => {
            tx.rollback().await?;
            let mut conn = engine.db.acquire().await?;
            store::delivery::count_attempt(&mut conn, &delivery.guid).await?;
            return Err(error.context(format!("delivery {}", delivery.guid)));
        }
        Err(error) => {
            tx.rollback().await?;
            tx = engine.db.begin().await?;
            tracing::error!(guid = delivery.guid, %error, "a delivery is set aside");
            DeliveryEnd::Failed(format!("an error of the server's own: {error:#}"))
        }
    };
    let (now, outcome) = (engine.now(), end.as_str());
    store::delivery::end(&mut tx, &delivery.guid, end, now).await?;
    tx.commit().await?;
    handled(&delivery, outcome, now);
    engine.signals.wake_workers();
    engine.asked.notify_one();
    Ok(Progress::Made)
}

/// A replay counts from when it first came: nothing tells it from one that lay for so long.
fn handled(delivery: &Delivery, outcome: &'static str, now: DateTime<Utc>) {
    metrics::counter!("greenroom_deliveries_handled_total", "outcome" => outcome).increment(1);
    let lag = (now - delivery.received_at).as_seconds_f64().max(0.0);
    metrics::histogram!("greenroom_delivery_lag_seconds").record(lag);
}

async fn take(
    engine: &Engine,
    conn: &mut PgConnection,
    delivery: &Delivery,
) -> anyhow::Result<DeliveryEnd> {
    if reconcile::is_notice(delivery) {
        return noticed(engine, conn, delivery).await;
    }
    let event = match Event::parse(&delivery.event, &delivery.body) {
        Ok(event) => event,
        Err(error) => return Ok(DeliveryEnd::Failed(error.to_string())),
    };
    let repository = event.repository().map(|found| (found.name.clone(), found.id));
    let meaning = match meaning(event) {
        Ok(meaning) => meaning,
        Err(invalid) => return Ok(DeliveryEnd::Failed(invalid.to_string())),
    };
    match meaning {
        Meaning::Nothing(reason) => Ok(DeliveryEnd::Ignored(reason)),
        Meaning::Installation { id, added, removed } => install(conn, id, &added, &removed).await,
        Meaning::Repository(change) => repository_changed(conn, change).await,
        Meaning::Comment(said) => {
            let app = match addressed(conn, delivery, repository).await? {
                Ok(app) => app,
                Err(end) => return Ok(end),
            };
            comment::take(conn, &app, said, engine.now()).await
        }
        Meaning::Event(event) => {
            let app = match addressed(conn, delivery, repository).await? {
                Ok(app) => app,
                Err(end) => return Ok(end),
            };
            happened(engine, conn, &app, &event, delivery).await
        }
        Meaning::PullRequest { event, number, changed_at } => {
            let app = match addressed(conn, delivery, repository).await? {
                Ok(app) => app,
                Err(end) => return Ok(end),
            };
            let changed_at = changed_at.unwrap_or_else(|| engine.now());
            proposed(engine, conn, &app, event, number, changed_at, delivery).await
        }
    }
}

/// What a look at GitHub saw, treated as the webhook that never came.
async fn noticed(
    engine: &Engine,
    conn: &mut PgConnection,
    delivery: &Delivery,
) -> anyhow::Result<DeliveryEnd> {
    let Noticed { app, meaning } = match reconcile::take(conn, delivery).await? {
        Ok(noticed) => noticed,
        Err(overtaken) => return Ok(DeliveryEnd::Ignored(overtaken)),
    };
    if let Some(end) = replayed(conn, &app, delivery).await? {
        return Ok(end);
    }
    match meaning {
        Meaning::Event(event) => happened(engine, conn, &app, &event, delivery).await,
        Meaning::PullRequest { event, number, changed_at } => {
            let changed_at = changed_at.unwrap_or_else(|| engine.now());
            proposed(engine, conn, &app, event, number, changed_at, delivery).await
        }
        Meaning::Repository(_)
        | Meaning::Installation { .. }
        | Meaning::Comment(_)
        | Meaning::Nothing(_) => {
            anyhow::bail!("a notice is about branches and pull requests")
        }
    }
}

/// Something happened to a branch or a tag.
async fn happened(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    event: &RepositoryEvent,
    delivery: &Delivery,
) -> anyhow::Result<DeliveryEnd> {
    match event {
        RepositoryEvent::BranchDeleted { branch } => {
            store::pull_request::branch_gone(conn, app.id, branch).await?;
        }
        RepositoryEvent::Pushed { .. } | RepositoryEvent::PullRequest(_) => {}
    }
    decided(engine, conn, app, event, delivery).await
}

/// Something happened to a pull request.
async fn proposed(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    event: PullRequestEvent,
    number: i64,
    changed_at: DateTime<Utc>,
    delivery: &Delivery,
) -> anyhow::Result<DeliveryEnd> {
    if let Some(heard) = heard(&event, number, changed_at) {
        match store::pull_request::note(conn, app.id, &heard).await? {
            News::Fresh => used(engine, conn, app, number, &event.action).await?,
            News::Stale => {
                return Ok(DeliveryEnd::Ignored(format!(
                    "it came late: what happened to pull request #{number} after it is known \
                     already"
                )));
            }
        }
    }
    decided(engine, conn, app, &RepositoryEvent::PullRequest(event), delivery).await
}

/// The app that a delivery is for; or how the delivery ends without one, or as a replay.
async fn addressed(
    conn: &mut PgConnection,
    delivery: &Delivery,
    repository: Option<(RepositoryName, u64)>,
) -> anyhow::Result<Result<App, DeliveryEnd>> {
    let Some((name, id)) = repository else {
        return Ok(Err(DeliveryEnd::Ignored("it names no repository".into())));
    };
    let Some(app) = registered(conn, name.as_str(), i64::try_from(id)?).await? else {
        return Ok(Err(DeliveryEnd::Ignored(format!(
            "{name} is not registered here: `greenroom apply` its app file"
        ))));
    };
    Ok(match replayed(conn, &app, delivery).await? {
        Some(end) => Err(end),
        None => Ok(app),
    })
}

/// What a replayed delivery set in motion is there, and it has no second effect.
async fn replayed(
    conn: &mut PgConnection,
    app: &App,
    delivery: &Delivery,
) -> anyhow::Result<Option<DeliveryEnd>> {
    let made = store::build::made_by(conn, app.id, &delivery.guid).await?;
    Ok(match made[..] {
        [first, ..] => Some(DeliveryEnd::Done(format!("replayed: build {first} exists already"))),
        [] => None,
    })
}

async fn decided(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    event: &RepositoryEvent,
    delivery: &Delivery,
) -> anyhow::Result<DeliveryEnd> {
    let wanted = match decide(&app.settings, event) {
        Decision::Start(wanted) => wanted,
        Decision::Nothing { reason } => return Ok(DeliveryEnd::Ignored(reason)),
    };
    let about = match event {
        RepositoryEvent::PullRequest(event) => event.source.pull_request,
        RepositoryEvent::Pushed { .. } | RepositoryEvent::BranchDeleted { .. } => None,
    };
    let mut done = Vec::new();
    for wanted in wanted {
        done.extend(order::carry_out(engine, conn, app, wanted, about, &delivery.guid).await?);
    }
    Ok(DeliveryEnd::Done(done.join("; ")))
}

/// What is to be noted of a pull request; nothing of a fork's, which has no preview.
fn heard(event: &PullRequestEvent, number: i64, changed_at: DateTime<Utc>) -> Option<Heard> {
    let branch = event.source.branch.clone().filter(|_| !event.fork)?;
    let state = match &event.action {
        PullRequestAction::Closed => PullRequestState::Closed,
        PullRequestAction::Opened
        | PullRequestAction::Reopened
        | PullRequestAction::Synchronized
        | PullRequestAction::ReadyForReview
        | PullRequestAction::ConvertedToDraft
        | PullRequestAction::BaseEdited { .. } => PullRequestState::Open,
    };
    Some(Heard {
        number,
        branch,
        base: event.base.clone(),
        commit: event.source.commit.clone(),
        title: event.source.title.clone(),
        author: event.source.author.clone(),
        draft: event.draft,
        state,
        changed_at,
    })
}

/// Whoever changes a pull request needs its preview, also when nothing is built for it.
async fn used(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    number: i64,
    action: &PullRequestAction,
) -> anyhow::Result<()> {
    match action {
        PullRequestAction::Closed => return Ok(()),
        PullRequestAction::Opened
        | PullRequestAction::Reopened
        | PullRequestAction::Synchronized
        | PullRequestAction::ReadyForReview
        | PullRequestAction::ConvertedToDraft
        | PullRequestAction::BaseEdited { .. } => {}
    }
    let known = store::pull_request::find(conn, app.id, number).await?;
    if let Some(stage) = known.and_then(|known| known.stage_id) {
        store::order::use_stage(conn, app, stage, engine.now()).await?;
    }
    Ok(())
}

/// The app of a repository, by GitHub's number of it if we know that, else by name. A first
/// sighting teaches us the number.
async fn registered(conn: &mut PgConnection, name: &str, id: i64) -> anyhow::Result<Option<App>> {
    if let Some(app) = store::app::find_by_repository_id(conn, id).await? {
        return Ok(Some(app));
    }
    let Ok(name) = name.parse::<RepositoryName>() else { return Ok(None) };
    let Some(app) = store::app::find_by_repository(conn, &name).await? else { return Ok(None) };
    // another repository of the same name: the registered one was deleted and made anew
    store::app::set_repository(conn, app.id, &name, Some(id)).await?;
    Ok(Some(app))
}

async fn install(
    conn: &mut PgConnection,
    installation: i64,
    added: &[String],
    removed: &[String],
) -> anyhow::Result<DeliveryEnd> {
    let mut known = Vec::new();
    let with = added.iter().map(|name| (name, Some(installation)));
    for (name, installation) in with.chain(removed.iter().map(|name| (name, None))) {
        let Ok(name) = name.parse::<RepositoryName>() else { continue };
        if store::app::find_by_repository(conn, &name).await?.is_some() {
            store::app::set_installation(conn, &name, installation).await?;
            known.push(name.to_string());
        }
    }
    Ok(if known.is_empty() {
        DeliveryEnd::Ignored("none of the installation's repositories is registered here".into())
    } else {
        DeliveryEnd::Done(format!("installation noted for {}", known.join(", ")))
    })
}

async fn repository_changed(
    conn: &mut PgConnection,
    change: RepositoryChange,
) -> anyhow::Result<DeliveryEnd> {
    let id = i64::try_from(change.repository.id)?;
    let (known_as, now) = match &change.action {
        RepositoryAction::Renamed { from } => (from.as_str(), change.repository.name.as_str()),
        RepositoryAction::Created
        | RepositoryAction::Deleted
        | RepositoryAction::Archived
        | RepositoryAction::Unarchived
        | RepositoryAction::Edited
        | RepositoryAction::Privatized
        | RepositoryAction::Publicized => {
            return Ok(DeliveryEnd::Ignored(
                "of changes to a repository only a new name matters here".into(),
            ));
        }
    };
    let by_name = known_as.parse::<RepositoryName>().ok();
    let app = match store::app::find_by_repository_id(conn, id).await? {
        Some(app) => Some(app),
        None => match &by_name {
            Some(name) => store::app::find_by_repository(conn, name).await?,
            None => None,
        },
    };
    let Some(app) = app else {
        return Ok(DeliveryEnd::Ignored(format!("{known_as} is not registered here")));
    };
    let Ok(name) = now.parse::<RepositoryName>() else {
        return Ok(DeliveryEnd::Failed(format!("{now:?} is no repository's name")));
    };
    store::app::set_repository(conn, app.id, &name, Some(id)).await?;
    Ok(DeliveryEnd::Done(format!("{} is now {name}: put that into its app file too", app.name)))
}
