//! A stage, or one service of it, goes back to what it had.
//!
//! What always holds: an artifact that is no longer kept is refused before anything is written; the
//! freeze that is wanted along with a rollback is there exactly when the rollback is.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Utc};
use model::freeze::Frozen;
use model::stage::StageKind;
use model::{ArtifactId, DeploymentId, ServiceName};
use serde::Deserialize;
use serde_json::json;
use store::audit::Deed;
use store::build::Build;
use store::order::{Back, Rollback};
use utoipa::ToSchema;

use super::app;
use super::builds::{created, started};
use super::freeze::freeze_along;
use super::stages::find;
use super::start::open;
use super::view::BuildView;
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract;
use crate::openapi::wire;
use crate::order::moment;
use crate::state::State;

#[derive(Deserialize, ToSchema)]
#[schema(as = RollbackWish)]
#[serde(deny_unknown_fields)]
struct Wanted {
    build: Option<i64>,
    #[schema(value_type = Option<wire::ServiceName>)]
    service: Option<ServiceName>,
    #[schema(value_type = Option<uuid::Uuid>)]
    deployment: Option<DeploymentId>,
    freeze: Option<Along>,
}

/// The stage takes no deploy from then on, so that the next push does not undo the rollback.
#[derive(Deserialize, ToSchema)]
#[schema(as = FreezeAlong)]
#[serde(deny_unknown_fields)]
pub(crate) struct Along {
    pub(crate) reason: String,
    /// `null`: until somebody ends it.
    #[serde(default, deserialize_with = "extract::some_moment")]
    pub(crate) until: Option<DateTime<Utc>>,
}

/// Roll a stage back, or one service of it
///
/// To a `build`, or a `service` to one of its deployments; by artifacts that are kept.
#[utoipa::path(
    post,
    path = "/apps/{app}/stages/{stage}/rollback",
    operation_id = "rollBackStage",
    tag = "stages",
    request_body = Wanted,
    responses(
        (status = 201, description = "The build", body = BuildView),
    ),
)]
pub(super) async fn rollback(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<BuildView>)> {
    let wanted: Wanted = extract::json(&headers, &body)?;
    let back = back(&wanted)?;
    let build = roll_back(&state, &caller, &name, &stage, &back, wanted.freeze).await?;
    created(&state, build).await
}

fn back(wanted: &Wanted) -> Result<Back> {
    match (wanted.build, &wanted.service, wanted.deployment) {
        (Some(build), None, None) => Ok(Back::Build(build)),
        (None, Some(service), Some(deployment)) => {
            Ok(Back::Deployment { service: service.clone(), deployment })
        }
        (None, None, Some(_)) => {
            Err(Error::invalid("service", "name the service that the deployment is of"))
        }
        (None, Some(_), None) => {
            Err(Error::invalid("deployment", "name the deployment that the service goes back to"))
        }
        (None, None, None) => Err(Error::invalid(
            "build",
            "name a `build`, for the whole stage, or a `service` and one of its deployments",
        )),
        (Some(_), _, _) => Err(Error::invalid(
            "build",
            "name either a `build`, for the whole stage, or a `service` and its `deployment`",
        )),
    }
}

pub(crate) async fn roll_back(
    state: &State,
    caller: &Caller,
    name: &str,
    stage: &str,
    back: &Back,
    freeze: Option<Along>,
) -> Result<Build> {
    let frozen = freeze.map(|along| frozen(state, caller, &along)).transpose()?;
    let kept = kept(state, name, stage, back).await?;
    let mut tx = state.db.begin().await?;
    let app = app(&mut tx, name).await?;
    let stage = find(&mut tx, &app, stage).await?;
    open(&stage)?;
    if frozen.is_some() && stage.kind != StageKind::LongLived {
        return Err(Error::Conflict(format!(
            "{} is a {} stage: only long-lived ones are frozen",
            stage.name,
            stage.kind.as_str()
        )));
    }
    let rollback = store::order::rollback(&mut tx, &app, &stage, back).await?;
    if artifacts(&rollback).any(|artifact| !kept.contains(&artifact)) {
        return Err(Error::Conflict(format!(
            "{} changed while the rollback was asked for: look again",
            stage.name
        )));
    }
    let build = rollback.order(&mut tx, &app, &stage, &caller.name, moment(state)).await?;
    let did = Did::new(Deed::Rollback, &app.name).stage(&stage.name).build(build.number);
    let to = match back {
        Back::Build(number) => json!({ "to_build": number }),
        Back::Deployment { service, deployment } => {
            json!({ "service": service, "deployment": deployment, "commit": build.source.commit })
        }
    };
    audit::record(state, &mut tx, caller, did.detail(to)).await?;
    if let Some(frozen) = &frozen {
        freeze_along(state, &mut tx, caller, &app, &stage, frozen).await?;
    }
    tx.commit().await.map_err(Error::internal)?;
    tracing::info!(app = %app.name, stage = %stage.name, build = build.number, by = caller.name,
        "a stage is to be rolled back");
    started(state, &build);
    Ok(build)
}

fn frozen(state: &State, caller: &Caller, along: &Along) -> Result<Frozen> {
    let (reason, since) = (along.reason.trim().to_owned(), state.now());
    if reason.is_empty() {
        let message = "say why nothing is deployed meanwhile; whoever waits will read it";
        return Err(Error::invalid("freeze.reason", message));
    }
    if along.until.is_some_and(|until| until <= since) {
        return Err(Error::invalid("freeze.until", "this time is over already"));
    }
    Ok(Frozen { reason, by: caller.name.clone(), since, until: along.until })
}

/// The artifacts that the rollback is of, each of them seen in the object store. It may be another
/// machine's: no transaction is open meanwhile.
async fn kept(state: &State, name: &str, stage: &str, back: &Back) -> Result<Vec<ArtifactId>> {
    let rollback = {
        let mut conn = state.db.acquire().await?;
        let app = app(&mut conn, name).await?;
        let stage = find(&mut conn, &app, stage).await?;
        open(&stage)?;
        store::order::rollback(&mut conn, &app, &stage, back).await?
    };
    for step in &rollback.steps {
        if !state.objects.has(&step.to.artifact.digest).await? {
            return Err(Error::Conflict(format!(
                "the artifact of {} of build {} is no longer kept: build commit {} again instead",
                step.service(),
                step.to.build_number,
                step.commit()
            )));
        }
    }
    Ok(artifacts(&rollback).collect())
}

fn artifacts(rollback: &Rollback) -> impl Iterator<Item = ArtifactId> {
    rollback.steps.iter().map(|step| step.to.artifact.id)
}
