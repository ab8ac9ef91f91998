//! What a personal stage has of a service: rows of `instance`, told by the commands that ran.
//!
//! What always holds: from the moment a command gets credentials its service is one that a removal
//! looks at, whatever becomes of the command.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::outside::Left;
use model::pipeline::Service;
use model::{AppId, CommitSha, InstanceId, Region, ServiceName, StageId};
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::error::{Result, met};
use crate::instance;

/// A command may deploy this from now on.
pub async fn begun(
    conn: &mut PgConnection,
    id_if_new: InstanceId,
    stage: StageId,
    region: &Region,
    spec: &Service,
    now: DateTime<Utc>,
) -> Result<InstanceId> {
    let id = instance::ensure(conn, id_if_new, stage, &spec.name, region, spec, now).await?;
    let done = sqlx::query(
        "update instance set service_spec = $2, updated_at = $3,
             state = case when state in ('planned', 'removed') then 'deploying' else state end
         where id = $1",
    )
    .bind(id)
    .bind(Json(spec))
    .bind(now)
    .execute(conn)
    .await?;
    met(&done, || format!("instance {id}"))?;
    Ok(id)
}

/// What was found of a service when a command had ended.
#[derive(Debug, Clone)]
pub enum Standing<'a> {
    Deployed {
        stacks: &'a [String],
        commit: &'a CommitSha,
        outputs: &'a BTreeMap<String, String>,
        endpoints: &'a [String],
        parameters_digest: &'a str,
    },
    /// Something is there, or may be. What is known of stacks stays known.
    Failed {
        stacks: &'a [String],
        reason: &'a str,
    },
    Gone,
}

/// The service stands so. One that a removal works on is left to that.
pub async fn settled(
    conn: &mut PgConnection,
    id: InstanceId,
    standing: &Standing<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    match standing {
        Standing::Deployed { stacks, commit, outputs, endpoints, parameters_digest } => {
            sqlx::query(
                "update instance set state = 'deployed', reason = null, stacks = $2,
                     commit_sha = $3, build_number = null, artifact_id = null, outputs = $4,
                     endpoints = $5, parameters_digest = $6, read_at = $7,
                     outputs_changed_at = case when outputs is distinct from $4 then $7
                         else outputs_changed_at end,
                     stacks_left = $8, changed_outside = null, updated_at = $7
                 where id = $1 and state <> 'removing'",
            )
            .bind(id)
            .bind(*stacks)
            .bind(*commit)
            .bind(Json(outputs))
            .bind(Json(endpoints))
            .bind(*parameters_digest)
            .bind(now)
            .bind(Json(Left::Unknown))
            .execute(conn)
            .await?;
        }
        Standing::Failed { stacks, reason } => {
            sqlx::query(
                "update instance set state = 'failed', reason = $3, updated_at = $4,
                     stacks = case when cardinality($2::text[]) > 0 then $2 else stacks end
                 where id = $1 and state <> 'removing'",
            )
            .bind(id)
            .bind(*stacks)
            .bind(*reason)
            .bind(now)
            .execute(conn)
            .await?;
        }
        Standing::Gone => {
            sqlx::query(
                "update instance set reason = null, outputs = '{}', endpoints = '[]',
                     stacks_left = $2, changed_outside = null, updated_at = $3,
                     state = case when commit_sha is null then 'planned' else 'removed' end
                 where id = $1 and state <> 'removing'",
            )
            .bind(id)
            .bind(Json(Left::Unknown))
            .bind(now)
            .execute(conn)
            .await?;
        }
    }
    Ok(())
}

/// A service as it was planned last in any stage of the app, a long-lived one before others.
pub async fn known(
    conn: &mut PgConnection,
    app: AppId,
    service: &ServiceName,
) -> Result<Option<Service>> {
    let found: Option<Json<Service>> = sqlx::query_scalar(
        "select i.service_spec from instance i join stage s on s.id = i.stage_id
         where s.app_id = $1 and i.service = $2
         order by s.kind <> 'long-lived', i.updated_at desc limit 1",
    )
    .bind(app)
    .bind(service)
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|found| found.0))
}

/// The names of all services that an app ever had in a stage.
pub async fn services(conn: &mut PgConnection, app: AppId) -> Result<Vec<ServiceName>> {
    Ok(sqlx::query_scalar(
        "select distinct i.service from instance i join stage s on s.id = i.stage_id
         where s.app_id = $1 order by i.service",
    )
    .bind(app)
    .fetch_all(conn)
    .await?)
}
