//! A stack whose rollback failed is brought on.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use model::stuck::is_logical_id;
use model::{Region, ServiceName};
use serde::Deserialize;
use serde_json::json;
use store::audit::Deed;
use store::build::Build;
use utoipa::ToSchema;

use super::app;
use super::builds::{created, started};
use super::stages::find;
use super::start::open;
use super::view::BuildView;
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Mistake, Result};
use crate::extract;
use crate::openapi::wire;
use crate::order::moment;
use crate::state::State;

/// More would be a template of its own.
const MOST_SKIPPED: usize = 200;

#[derive(Deserialize, ToSchema)]
#[schema(as = RecoverWish)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    #[schema(value_type = wire::ServiceName)]
    pub(crate) service: ServiceName,
    #[schema(value_type = Option<wire::Region>)]
    pub(crate) region: Option<Region>,
    /// Resources, by their logical ids, that are left as they are.
    #[serde(default)]
    pub(crate) skip: Vec<String>,
}

/// Bring on a stack whose rollback failed
#[utoipa::path(
    post,
    path = "/apps/{app}/stages/{stage}/recover",
    operation_id = "recoverStage",
    tag = "stages",
    request_body = Wanted,
    responses(
        (status = 201, description = "The build", body = BuildView),
    ),
)]
pub(super) async fn recover(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<BuildView>)> {
    let wanted = extract::json(&headers, &body)?;
    let build = recover_stage(&state, &caller, &name, &stage, wanted).await?;
    created(&state, build).await
}

pub(crate) async fn recover_stage(
    state: &State,
    caller: &Caller,
    name: &str,
    stage: &str,
    wanted: Wanted,
) -> Result<Build> {
    let skip = skipped(wanted.skip)?;
    let mut tx = state.db.begin().await?;
    let app = app(&mut tx, name).await?;
    let stage = find(&mut tx, &app, stage).await?;
    open(&stage)?;
    let instance =
        store::order::recoverable(&mut tx, &stage, &wanted.service, wanted.region.as_ref()).await?;
    let detail = json!({
        "service": instance.service, "region": instance.region, "skip": skip,
    });
    let build =
        store::order::recovery(&mut tx, &app, &stage, &instance, skip, &caller.name, moment(state))
            .await?;
    let did = Did::new(Deed::Recover, &app.name).stage(&stage.name).build(build.number);
    audit::record(state, &mut tx, caller, did.detail(detail)).await?;
    tx.commit().await.map_err(Error::internal)?;
    tracing::info!(app = %app.name, stage = %stage.name, service = %instance.service,
        by = caller.name, "a stack is to be recovered");
    started(state, &build);
    Ok(build)
}

fn skipped(mut ids: Vec<String>) -> Result<Vec<String>> {
    if ids.len() > MOST_SKIPPED {
        return Err(Error::invalid("skip", format!("name at most {MOST_SKIPPED} resources")));
    }
    let wrong = |id: &&String| !is_logical_id(id);
    let mistakes: Vec<Mistake> = ids
        .iter()
        .filter(wrong)
        .map(|id| {
            Mistake::new(
                "skip",
                format!("{id:?} is no logical id of a resource: letters and digits, as in Table"),
            )
        })
        .collect();
    if !mistakes.is_empty() {
        return Err(Error::Invalid(mistakes));
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
