//! The deployment of a build to its stage, and the end of those before it.
//!
//! What always holds: a deployment of a stage that is gone is inactive, and so is one in whose place
//! a newer one stands. GitHub does that by itself for some environments only.

use model::build::Purpose;
use model::comment::Secrets;
use model::stage::StageState;
use model::status::deployment::{
    Deployment, DeploymentState, Environment, deployment, environment,
};
use store::PgConnection;
use store::outbox::{DeploymentWish, Retire, Urgency, Wish};
use store::stage::Stage;

use super::{Settled, build_url, comment, stage_url, wished};
use crate::Engine;
use crate::settle::views;

pub(super) async fn want(
    engine: &Engine,
    conn: &mut PgConnection,
    settled: Settled<'_>,
    stage: &Stage,
) -> anyhow::Result<()> {
    let Settled { app, build, jobs, held } = settled;
    let Some(Environment { name, lasting }) = environment(&stage.name, stage.kind) else {
        return Ok(());
    };
    let now = engine.now();
    if build.purpose == Purpose::Remove {
        if is_gone(conn, settled, stage).await? {
            let which = Retire::AllUpTo(build.number);
            let why = "the stage was removed";
            store::outbox::retire(conn, &app.repository, &name, which, why, now).await?;
        }
        return Ok(());
    }
    let wanted = deployment(build.purpose, &views(jobs), held, settled.end());
    let Some(Deployment { state, description }) = wanted else { return Ok(()) };
    if state == DeploymentState::Inactive {
        let which = Retire::Only(build.number);
        store::outbox::retire(conn, &app.repository, &name, which, &description, now).await?;
        return Ok(());
    }
    let environment_url = match state {
        DeploymentState::Success => Some(where_it_is(engine, conn, settled, stage).await?),
        DeploymentState::Queued
        | DeploymentState::InProgress
        | DeploymentState::Failure
        | DeploymentState::Error
        | DeploymentState::Inactive => None,
    };
    let wish = Wish::Deployment(DeploymentWish {
        build: build.number,
        commit: build.source.commit.clone(),
        environment: name.clone(),
        lasting,
        state,
        description,
        environment_url,
        log_url: build_url(engine, app, build.number),
    });
    wished(engine, conn, app, build.number, &[wish], Urgency::Now).await?;
    if state == DeploymentState::Success {
        let which = Retire::OlderThan(build.number);
        let why = format!("build {} was deployed in its place", build.number);
        store::outbox::retire(conn, &app.repository, &name, which, &why, now).await?;
    }
    Ok(())
}

/// Whether the removal has left nothing behind.
async fn is_gone(
    conn: &mut PgConnection,
    settled: Settled<'_>,
    stage: &Stage,
) -> anyhow::Result<bool> {
    if stage.state == StageState::Closed {
        return Ok(true);
    }
    let ended = settled.build.outcome.is_some();
    Ok(ended && store::instance::standing(conn, stage.id).await?.is_empty())
}

/// The first address of the stage that may be shown, else its page.
async fn where_it_is(
    engine: &Engine,
    conn: &mut PgConnection,
    settled: Settled<'_>,
    stage: &Stage,
) -> anyhow::Result<String> {
    let instances = store::instance::list(conn, stage.id).await?;
    let secrets: Secrets = comment::secrets(engine, conn, settled.app).await?;
    let mut endpoints = instances.into_iter().flat_map(|instance| instance.endpoints);
    let shown = endpoints.find(|url| url.starts_with("http") && !secrets.hides_value(url));
    Ok(shown.unwrap_or_else(|| stage_url(engine, settled.app, stage)))
}
