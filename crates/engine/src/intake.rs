//! From a delivery to builds.
//!
//! What always holds: a delivery's effects and its end are one transaction, so it has them once
//! or not at all. One that cannot be understood ends as `failed` with the reason, and may be
//! replayed; it never stands in the way of those behind it.

use github::Event;
use github::event::{RepositoryAction, RepositoryChange};
use model::RepositoryName;
use model::rule::{Decision, decide};
use store::PgConnection;
use store::app::App;
use store::delivery::{Delivery, DeliveryEnd};

use crate::event::{Meaning, meaning};
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
    store::delivery::end(&mut tx, &delivery.guid, end, engine.now()).await?;
    tx.commit().await?;
    engine.signals.wake_workers();
    Ok(Progress::Made)
}

async fn take(
    engine: &Engine,
    conn: &mut PgConnection,
    delivery: &Delivery,
) -> anyhow::Result<DeliveryEnd> {
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
        Meaning::Event(event) => {
            let Some((name, id)) = repository else {
                return Ok(DeliveryEnd::Ignored("it names no repository".into()));
            };
            let Some(app) = registered(conn, name.as_str(), i64::try_from(id)?).await? else {
                return Ok(DeliveryEnd::Ignored(format!(
                    "{name} is not registered here: `greenroom apply` its app file"
                )));
            };
            // replayed: what it set in motion is there, and it has no second effect
            let made = store::build::made_by(conn, app.id, &delivery.guid).await?;
            if let [first, ..] = made[..] {
                return Ok(DeliveryEnd::Done(format!("replayed: build {first} exists already")));
            }
            let wanted = match decide(&app.settings, &event) {
                Decision::Start(wanted) => wanted,
                Decision::Nothing { reason } => return Ok(DeliveryEnd::Ignored(reason)),
            };
            let mut done = Vec::new();
            for wanted in wanted {
                done.push(order::carry_out(engine, conn, &app, wanted, &delivery.guid).await?);
            }
            Ok(DeliveryEnd::Done(done.join("; ")))
        }
    }
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
