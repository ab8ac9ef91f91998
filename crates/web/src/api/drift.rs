//! Drift: a stage is looked at now, and what the last looks found.

use axum::Json;
use axum::extract::{Extension, Path, State as Extract};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use model::build::BuildEvent;
use model::drift::{DriftSummary, StackDrift};
use model::{Region, ServiceName};
use serde::Serialize;
use store::audit::Deed;
use store::build::Build;
use store::drift::Drift;
use store::instance::Instance;
use store::order::Asked;
use utoipa::ToSchema;

use super::app;
use super::builds::{created, started};
use super::stages::find;
use super::start::open;
use super::view::BuildView;
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::openapi::wire;
use crate::order::moment;
use crate::state::State;

/// Hold the stacks of a stage against their templates
///
/// What is found stands in the stage as `drift`.
#[utoipa::path(
    post,
    path = "/apps/{app}/stages/{stage}/drift",
    operation_id = "lookForDrift",
    tag = "stages",
    responses(
        (status = 201, description = "The build", body = BuildView),
    ),
)]
pub(super) async fn look(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
) -> Result<(StatusCode, Json<BuildView>)> {
    let build = look_at_stage(&state, &caller, &name, &stage).await?;
    created(&state, build).await
}

/// Begins a build that holds each stack of a stage against its template.
pub(crate) async fn look_at_stage(
    state: &State,
    caller: &Caller,
    name: &str,
    stage: &str,
) -> Result<Build> {
    let mut tx = state.db.begin().await?;
    let app = app(&mut tx, name).await?;
    let stage = find(&mut tx, &app, stage).await?;
    open(&stage)?;
    if let Some(number) = store::build::inspecting(&mut tx, app.id, Some(stage.id)).await? {
        return Err(Error::Conflict(format!(
            "build {number} looks at {} already: wait for its end",
            stage.name
        )));
    }
    let asked = Asked { event: BuildEvent::Manual, author: &caller.name };
    let build = store::order::drift(&mut tx, &app, &stage, asked, moment(state)).await?;
    let Some(build) = build else {
        return Err(Error::Conflict(format!(
            "nothing with a stack is deployed to {}: there is nothing to look at",
            stage.name
        )));
    };
    let did = Did::new(Deed::Drift, &app.name).stage(&stage.name).build(build.number);
    audit::record(state, &mut tx, caller, did).await?;
    tx.commit().await.map_err(Error::internal)?;
    started(state, &build);
    Ok(build)
}

/// What the last looks at a stage found; a stage that nobody looked at has none.
#[derive(Serialize, ToSchema)]
#[schema(as = Drift)]
pub(super) struct DriftView {
    #[schema(value_type = wire::DriftSummary)]
    status: &'static str,
    /// Of what was looked at longest ago.
    looked_at: DateTime<Utc>,
    instances: Vec<InstanceDriftView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = InstanceDrift)]
struct InstanceDriftView {
    #[schema(value_type = wire::ServiceName)]
    service: ServiceName,
    #[schema(value_type = wire::Region)]
    region: Region,
    #[schema(value_type = wire::DriftSummary)]
    status: &'static str,
    looked_at: DateTime<Utc>,
    build: i64,
    #[schema(value_type = Vec<wire::StackDrift>)]
    stacks: Vec<StackDrift>,
}

impl DriftView {
    pub(super) fn of(instances: &[Instance], looks: Vec<Drift>) -> Option<Self> {
        let looked_at = looks.iter().map(|look| look.looked_at).min()?;
        let status = DriftSummary::of(looks.iter().flat_map(|look| &look.stacks)).as_str();
        let shown = |look: Drift| {
            let instance = instances.iter().find(|instance| instance.id == look.instance_id)?;
            Some(InstanceDriftView {
                service: instance.service.clone(),
                region: instance.region.clone(),
                status: DriftSummary::of(&look.stacks).as_str(),
                looked_at: look.looked_at,
                build: look.build_number,
                stacks: look.stacks,
            })
        };
        Some(Self { status, looked_at, instances: looks.into_iter().filter_map(shown).collect() })
    }
}
