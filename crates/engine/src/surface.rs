//! What a build and its stage want GitHub to show: the commit's statuses, the deployment, and the
//! comment on every pull request that is shown in the stage; and whom else they want told.
//!
//! What always holds: everything is found anew from the rows, in the transaction that settles the
//! build, and written as wishes into the outbox; so whoever changes rows that GitHub shows (a
//! preview's end was said, a removal failed) has the stage's newest build settled once more, and
//! that is all. The same rows want the same, so that a second look sends nothing.

mod comment;
mod deployment;

use std::collections::BTreeSet;

use model::stage::StageState;
use model::status::{End, statuses};
use store::PgConnection;
use store::app::App;
use store::build::Build;
use store::job::Job;
use store::outbox::{StatusWish, Urgency, Want, Wish};
use store::stage::Stage;

use crate::settle::views;
use crate::{Engine, notify};

pub(crate) use comment::{answered, secrets};

/// A build as it has just been settled.
#[derive(Clone, Copy)]
pub(crate) struct Settled<'a> {
    pub(crate) app: &'a App,
    pub(crate) build: &'a Build,
    pub(crate) jobs: &'a [Job],
    /// Why deploys of it wait, if some do.
    pub(crate) held: Option<&'a str>,
}

impl Settled<'_> {
    fn end(&self) -> Option<End<'_>> {
        let reason = self.build.reason.as_deref();
        self.build.outcome.map(|outcome| End { outcome, reason })
    }
}

/// Wants what this build, and through it its stage, has GitHub show.
pub(crate) async fn want(
    engine: &Engine,
    conn: &mut PgConnection,
    settled: Settled<'_>,
) -> anyhow::Result<()> {
    want_statuses(engine, conn, settled).await?;
    let stage = match settled.build.stage_id {
        Some(stage) => Some(store::stage::get(conn, stage).await?),
        None => None,
    };
    if let Some(stage) = &stage {
        deployment::want(engine, conn, settled, stage).await?;
    }
    for pull_request in pull_requests(conn, settled.build, stage.as_ref()).await? {
        comment::want(engine, conn, settled, pull_request).await?;
    }
    notify::want(engine, conn, settled, stage.as_ref()).await
}

async fn want_statuses(
    engine: &Engine,
    conn: &mut PgConnection,
    settled: Settled<'_>,
) -> anyhow::Result<()> {
    let Settled { app, build, jobs, held } = settled;
    let stage = build.stage.as_ref().zip(build.stage_kind);
    let planned = build.planned.as_deref();
    let target_url = build_url(engine, app, build.number);
    let wanted = statuses(build.purpose, stage, planned, &views(jobs), held, settled.end());
    let wish = |status| {
        let commit = build.source.commit.clone();
        Wish::Status(StatusWish { commit, status, target_url: target_url.clone() })
    };
    let wishes: Vec<Wish> = wanted.into_iter().map(wish).collect();
    wished(engine, conn, app, build.number, &wishes, Urgency::Now).await
}

/// The pull requests on which something of the build or its stage is to be read. Those that only
/// share the stage are told of a build's beginning and of its end, not of each step.
async fn pull_requests(
    conn: &mut PgConnection,
    build: &Build,
    stage: Option<&Stage>,
) -> anyhow::Result<BTreeSet<i64>> {
    let mut found: BTreeSet<i64> = build.source.pull_request.into_iter().collect();
    if let Some(stage) = stage.filter(|stage| stage.preview().is_some()) {
        found.extend(stage.pull_request);
        if build.planned.is_none() || build.outcome.is_some() {
            found.extend(sharing(conn, stage).await?);
        }
    }
    Ok(found)
}

/// The other pull requests of a stage: those whose branches are gone hear of its end alone.
async fn sharing(conn: &mut PgConnection, stage: &Stage) -> anyhow::Result<Vec<i64>> {
    Ok(match stage.state {
        StageState::Active => {
            let shown = store::pull_request::shown_in(conn, stage.id).await?;
            shown.into_iter().map(|pull_request| pull_request.number).collect()
        }
        StageState::Removing | StageState::RemoveFailed | StageState::Closed => {
            store::pull_request::ever_shown_in(conn, stage.id).await?
        }
    })
}

async fn wished(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    build: i64,
    wishes: &[Wish],
    urgency: Urgency,
) -> anyhow::Result<()> {
    let want = Want { repository: &app.repository, build, wishes, urgency };
    store::outbox::want(conn, &*engine.ids, &want, engine.now()).await?;
    Ok(())
}

pub(crate) fn build_url(engine: &Engine, app: &App, number: i64) -> String {
    format!("{}/apps/{}/builds/{number}", engine.public_url, app.name)
}

pub(crate) fn stage_url(engine: &Engine, app: &App, stage: &Stage) -> String {
    format!("{}/apps/{}/stages/{}", engine.public_url, app.name, stage.name)
}
