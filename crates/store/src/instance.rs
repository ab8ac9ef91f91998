//! Table `instance`: one service in one stage and region, and what is deployed there now.
//!
//! What always holds: commit, build and artifact are those of the last deployment that succeeded,
//! also while a newer one runs or after it failed; `spec` is what a removal works from.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::deployment::InstanceState;
use model::pipeline::Service;
use model::worker_api::DeployedStack;
use model::{ArtifactId, CommitSha, InstanceId, Region, ServiceName, StageId};
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::error::{Error, Result, met};

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Instance {
    pub id: InstanceId,
    pub stage_id: StageId,
    pub service: ServiceName,
    pub region: Region,
    pub state: InstanceState,
    /// Why it failed.
    pub reason: Option<String>,
    /// Name of the CloudFormation stack, once a deployment saw it.
    pub stack: Option<String>,
    #[sqlx(rename = "commit_sha")]
    pub commit: Option<CommitSha>,
    pub build_number: Option<i64>,
    pub artifact_id: Option<ArtifactId>,
    #[sqlx(json, rename = "service_spec")]
    pub spec: Service,
    #[sqlx(json)]
    pub outputs: BTreeMap<String, String>,
    #[sqlx(json)]
    pub endpoints: Vec<String>,
    pub updated_at: DateTime<Utc>,
}

/// The instance of a service in a stage and region, made (about to be deployed) if it is the first.
pub async fn ensure(
    conn: &mut PgConnection,
    id_if_new: InstanceId,
    stage: StageId,
    service: &ServiceName,
    region: &Region,
    spec: &Service,
    now: DateTime<Utc>,
) -> Result<InstanceId> {
    // the update that changes nothing makes `returning` answer for a row that was there
    Ok(sqlx::query_scalar(
        "insert into instance (id, stage_id, service, region, state, service_spec, updated_at)
         values ($1, $2, $3, $4, 'deploying', $5, $6)
         on conflict on constraint instance_place_key do update set stage_id = excluded.stage_id
         returning id",
    )
    .bind(id_if_new)
    .bind(stage)
    .bind(service)
    .bind(region)
    .bind(Json(spec))
    .bind(now)
    .fetch_one(conn)
    .await?)
}

pub async fn list(conn: &mut PgConnection, stage: StageId) -> Result<Vec<Instance>> {
    Ok(sqlx::query_as("select * from instance where stage_id = $1 order by service, region")
        .bind(stage)
        .fetch_all(conn)
        .await?)
}

pub async fn get(conn: &mut PgConnection, id: InstanceId) -> Result<Instance> {
    sqlx::query_as("select * from instance where id = $1")
        .bind(id)
        .fetch_optional(conn)
        .await?
        .ok_or_else(|| Error::not_found(format!("instance {id}")))
}

/// A change of it begins: `deploying` or `removing`.
pub async fn set_running(
    conn: &mut PgConnection,
    id: InstanceId,
    state: InstanceState,
    now: DateTime<Utc>,
) -> Result<()> {
    match state {
        InstanceState::Deploying | InstanceState::Removing => {}
        InstanceState::Deployed | InstanceState::Failed | InstanceState::Removed => {
            return Err(Error::NotAllowed(format!(
                "an instance that a change begins on is not {}",
                state.as_str()
            )));
        }
    }
    let done =
        sqlx::query("update instance set state = $2, reason = null, updated_at = $3 where id = $1")
            .bind(id)
            .bind(state.as_str())
            .bind(now)
            .execute(conn)
            .await?;
    met(&done, || format!("instance {id}"))
}

/// A deployment succeeded.
#[expect(clippy::too_many_arguments, reason = "the columns of one row")]
pub async fn deployed(
    conn: &mut PgConnection,
    id: InstanceId,
    commit: &CommitSha,
    build_number: i64,
    artifact: ArtifactId,
    spec: &Service,
    stack: &DeployedStack,
    now: DateTime<Utc>,
) -> Result<()> {
    let done = sqlx::query(
        "update instance set state = 'deployed', reason = null, stack = $2, commit_sha = $3,
             build_number = $4, artifact_id = $5, service_spec = $6, outputs = $7, endpoints = $8,
             updated_at = $9
         where id = $1",
    )
    .bind(id)
    .bind(&stack.stack)
    .bind(commit)
    .bind(build_number)
    .bind(artifact)
    .bind(Json(spec))
    .bind(Json(&stack.outputs))
    .bind(Json(&stack.endpoints))
    .bind(now)
    .execute(conn)
    .await?;
    met(&done, || format!("instance {id}"))
}

/// A change of it failed; what is deployed there is not whole.
pub async fn failed(
    conn: &mut PgConnection,
    id: InstanceId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let done = sqlx::query(
        "update instance set state = 'failed', reason = $2, updated_at = $3 where id = $1",
    )
    .bind(id)
    .bind(reason)
    .bind(now)
    .execute(conn)
    .await?;
    met(&done, || format!("instance {id}"))
}

/// Its stack is gone, verified.
pub async fn removed(conn: &mut PgConnection, id: InstanceId, now: DateTime<Utc>) -> Result<()> {
    let done = sqlx::query(
        "update instance set state = 'removed', reason = null, outputs = '{}', endpoints = '[]',
             updated_at = $2
         where id = $1",
    )
    .bind(id)
    .bind(now)
    .execute(conn)
    .await?;
    met(&done, || format!("instance {id}"))
}
