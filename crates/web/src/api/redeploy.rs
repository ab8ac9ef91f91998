//! What runs with other parameters than its stage has now is deployed again with them.
//!
//! What always holds: no code goes forward or back by it. A service is deployed from the newest
//! commit that a build for it has left it alone at, or else from its own: one that was rolled back
//! stays rolled back. Services of different commits get a build each; those are for different
//! services, so none takes the place of another.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::{Extension, Path, State as Extract};
use axum::http::StatusCode;
use model::app::PreviewDeploy;
use model::build::{Purpose, Source};
use model::stage::StageKind;
use model::{CommitSha, ServiceName};
use serde_json::json;
use store::PgConnection;
use store::app::App;
use store::audit::Deed;
use store::build::Build;
use store::instance::Instance;
use store::stage::Stage;

use super::app;
use super::builds::{created, started};
use super::stages::{find, parameters_digest};
use super::start::open;
use super::view::BuildView;
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::order::{self, Order};
use crate::state::State;

/// Deploy a stage again with the parameters it has now
///
/// What runs with other parameters is deployed again from the commit it has.
#[utoipa::path(
    post,
    path = "/apps/{app}/stages/{stage}/redeploy",
    operation_id = "redeployStage",
    tag = "stages",
    responses(
        (status = 201, description = "The build", body = BuildView),
    ),
)]
pub(super) async fn redeploy(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
) -> Result<(StatusCode, Json<BuildView>)> {
    let build = redeploy_stage(&state, &caller, &name, &stage).await?;
    created(&state, build).await
}

/// Answers the build of the newest commit, if there are several.
pub(crate) async fn redeploy_stage(
    state: &State,
    caller: &Caller,
    name: &str,
    stage: &str,
) -> Result<Build> {
    let mut tx = state.db.begin().await?;
    let app = app(&mut tx, name).await?;
    let stage = find(&mut tx, &app, stage).await?;
    open(&stage)?;
    if stage.kind == StageKind::Personal {
        return Err(Error::Conflict(format!(
            "{} is a personal stage: its owner deploys it, with `greenroom exec`",
            stage.name
        )));
    }
    // it may bring a newer commit, and is packaged with the new parameters anyway
    if let Some(other) = store::build::unfinished_on(&mut tx, stage.id).await?.first() {
        return Err(Error::Conflict(format!(
            "build {} of {} is under way: redeploy when it has ended",
            other.number, stage.name
        )));
    }
    let mut builds = Vec::new();
    for group in groups(&mut tx, &app, &stage).await? {
        let order = Order {
            purpose: Purpose::Deploy,
            stage: Some(stage.id),
            source: Source {
                title: format!("Deploy {} with changed parameters", stage.name),
                author: caller.name.clone(),
                ..group.source
            },
            forced: true,
            services: Some(group.services),
            preview_deploy: group.preview_deploy,
        };
        let build = order::build(state, &mut tx, &app, order).await?;
        let did = Did::new(Deed::Redeploy, &app.name)
            .stage(&stage.name)
            .build(build.number)
            .detail(json!({ "commit": build.source.commit, "services": build.services }));
        audit::record(state, &mut tx, caller, did).await?;
        builds.push(build);
    }
    tx.commit().await.map_err(Error::internal)?;
    builds.iter().for_each(|build| started(state, build));
    builds.pop().ok_or_else(|| {
        Error::Conflict(format!(
            "everything in {} runs with the parameters that the stage has now",
            stage.name
        ))
    })
}

/// Services that are deployed again from one commit.
struct Group {
    source: Source,
    preview_deploy: PreviewDeploy,
    services: BTreeSet<ServiceName>,
}

/// Those of the newest builds last.
async fn groups(conn: &mut PgConnection, app: &App, stage: &Stage) -> Result<Vec<Group>> {
    let digest = parameters_digest(conn, app, stage).await?;
    let instances = store::instance::list(conn, stage.id).await?;
    let mut groups: BTreeMap<(i64, CommitSha), Group> = BTreeMap::new();
    let mut of_service: BTreeMap<ServiceName, CommitSha> = BTreeMap::new();
    for instance in instances.iter().filter(|instance| instance.parameters_changed(&digest)) {
        let Some((source, from)) = source(conn, app, stage, instance).await? else { continue };
        let service = &instance.service;
        let other = of_service.insert(service.clone(), source.commit.clone());
        if let Some(other) = other.filter(|other| *other != source.commit) {
            return Err(Error::Conflict(format!(
                "{service} runs at {} in one region and at {} in another: bring both to one \
                 commit first, by a push or a rollback",
                other.short(),
                source.commit.short()
            )));
        }
        let group = groups.entry((from.number, source.commit.clone())).or_insert_with(|| Group {
            source,
            preview_deploy: from.preview_deploy,
            services: BTreeSet::new(),
        });
        group.services.insert(service.clone());
    }
    Ok(groups.into_values().collect())
}

/// What an instance is deployed from, and the build that says so; nothing for a service that the
/// stage's newest commit no longer has.
async fn source(
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    instance: &Instance,
) -> Result<Option<(Source, Build)>> {
    let (Some(commit), Some(number)) = (&instance.commit, instance.build_number) else {
        return Ok(None);
    };
    let newest = store::build::latest_whole_for(conn, stage.id, &instance.service).await?;
    if let Some(newest) = newest.filter(|newest| newest.number >= number) {
        let planned = newest.planned.iter().flatten();
        let is_there = planned.into_iter().any(|one| one.service.name == instance.service);
        return Ok(is_there.then(|| (newest.source.clone(), newest)));
    }
    let own = store::build::find(conn, app.id, number).await?;
    Ok(own.map(|own| (Source { commit: commit.clone(), ..own.source.clone() }, own)))
}
