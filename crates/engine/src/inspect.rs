//! Looks at what is deployed, on a schedule: drift of each long-lived stage, stacks in each account
//! that no stage knows.
//!
//! What always holds: a look is a build of its own that changes nothing; one stage or account is
//! looked at once at a time. When a look is due is told by the last one, whatever came of it, so
//! one that fails is not begun again at once. Only the newest looks are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use model::app::Profile;
use model::build::BuildEvent;
use model::job::JobKind;
use model::stage::StageKind;
use model::{AppId, BuildId, ProfileName, Region};
use store::PgConnection;
use store::app::App;
use store::job::NewJob;
use store::order::{self, Asked, Moment};
use store::stage::Stage;

use crate::Engine;

/// Looks begun in one turn: they share the workers with those who wait for their builds.
const PER_TURN: usize = 20;
/// Looks that are kept of each stage, and of the accounts of each app.
const KEPT: i64 = 5;
const FORGOTTEN_PER_TURN: i64 = 500;

/// What AWS notes as the one who asked, too.
const SERVER: Asked<'static> = Asked { event: BuildEvent::Schedule, author: "greenroom" };

pub(crate) async fn pass(engine: &Engine) -> anyhow::Result<()> {
    let apps: BTreeMap<AppId, App> = {
        let mut conn = engine.db.acquire().await?;
        let apps = store::app::list(&mut conn).await?;
        apps.into_iter().map(|app| (app.id, app)).collect()
    };
    let drifts = drift(engine, &apps).await?;
    let sweeps = sweep(engine, &apps).await?;
    if drifts + sweeps > 0 {
        engine.signals.wake_engine();
        engine.signals.wake_workers();
    }
    let mut conn = engine.db.acquire().await?;
    store::build::forget_inspections(&mut conn, KEPT, FORGOTTEN_PER_TURN).await?;
    Ok(())
}

async fn drift(engine: &Engine, apps: &BTreeMap<AppId, App>) -> anyhow::Result<usize> {
    let stages = {
        let mut conn = engine.db.acquire().await?;
        store::build::inspected(&mut conn).await?
    };
    let mut begun = 0;
    for found in stages {
        let Some(app) = apps.get(&found.stage.app_id) else { continue };
        let Some((_, settings)) = app.settings.stage(&found.stage.name) else { continue };
        let Some(every) = settings.drift_interval() else { continue };
        let last = found.inspected_at.unwrap_or(found.stage.created_at);
        if found.inspecting || !is_due(last, every.duration(), engine.now()) {
            continue;
        }
        let mut tx = engine.db.begin().await?;
        order::drift(&mut tx, app, &found.stage, SERVER, at(engine)).await?;
        tx.commit().await?;
        begun += 1;
        if begun == PER_TURN {
            break;
        }
    }
    Ok(begun)
}

async fn sweep(engine: &Engine, apps: &BTreeMap<AppId, App>) -> anyhow::Result<usize> {
    let Some(every) = engine.reconcile.sweep_every else { return Ok(0) };
    let mut ordered = {
        let mut conn = engine.db.acquire().await?;
        store::sweep::ordered(&mut conn).await?
    };
    let mut begun = 0;
    for app in apps.values() {
        for (name, profile) in &app.settings.profiles {
            let now = engine.now();
            let due = due(engine, app, name, profile, &ordered, every, now).await?;
            if due.is_empty() {
                continue;
            }
            let account = profile.role_arn.account();
            ordered.extend(due.iter().map(|region| ((account.to_owned(), region.clone()), now)));
            let mut tx = engine.db.begin().await?;
            order::sweep(&mut tx, app, (name, profile), due, SERVER, at(engine)).await?;
            tx.commit().await?;
            begun += 1;
            if begun == PER_TURN {
                return Ok(begun);
            }
        }
    }
    Ok(begun)
}

/// The regions of a profile that nobody has looked through for so long.
async fn due(
    engine: &Engine,
    app: &App,
    name: &ProfileName,
    profile: &Profile,
    ordered: &BTreeMap<(String, Region), DateTime<Utc>>,
    every: Duration,
    now: DateTime<Utc>,
) -> anyhow::Result<BTreeSet<Region>> {
    let account = profile.role_arn.account().to_owned();
    let mut conn = engine.db.acquire().await?;
    let mut regions = order::regions(&mut conn, app, name).await?;
    regions.retain(|region| {
        let last = ordered.get(&(account.clone(), region.clone()));
        is_due(*last.unwrap_or(&app.created_at), every, now)
    });
    Ok(regions)
}

fn is_due(last: DateTime<Utc>, every: Duration, now: DateTime<Utc>) -> bool {
    TimeDelta::from_std(every).is_ok_and(|every| now - last >= every)
}

fn at(engine: &Engine) -> Moment<'_> {
    Moment { now: engine.now(), ids: &*engine.ids }
}

/// The jobs that look at what a build is about to change, where people decide whether it may: what
/// somebody did by hand belongs to what they have to know. They hold up nothing.
pub(crate) async fn beside(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    build: BuildId,
    jobs: &[NewJob],
) -> anyhow::Result<Vec<NewJob>> {
    let asks = match stage.kind {
        StageKind::LongLived => {
            app.settings.stage(&stage.name).is_some_and(|(_, stage)| !stage.approvers.is_empty())
        }
        StageKind::Preview | StageKind::Personal => false,
    };
    let mut looks = Vec::new();
    for job in jobs.iter().filter(|job| asks && job.kind == JobKind::Deploy) {
        let Some(instance) = job.instance_id else { continue };
        let instance = store::instance::get(conn, instance).await?;
        if order::has_stacks(&instance) {
            looks.push(order::look(build, &instance, at(engine)));
        }
    }
    Ok(looks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_due_when_its_time_has_passed_since_the_last_one() {
        let last = DateTime::UNIX_EPOCH;
        let day = Duration::from_secs(24 * 60 * 60);
        assert!(!is_due(last, day, last + TimeDelta::hours(23)));
        assert!(is_due(last, day, last + TimeDelta::hours(24)));
    }
}
