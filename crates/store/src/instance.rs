//! Table `instance`: one service in one stage and region, and what is deployed there now.
//!
//! What always holds: commit, build, artifact, outputs and parameters are those of the last
//! deployment that succeeded, also while a newer one runs or after it failed; `spec` is what a
//! removal works from. An instance that no deploy has begun on is `planned` and holds nothing. What
//! somebody else did to its stacks is told until a deploy succeeds.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::deployment::InstanceState;
use model::outside::{Left, Outside};
use model::pipeline::Service;
use model::worker_api::DeployedStack;
use model::{
    AppId, ArtifactId, BuildId, CommitSha, InstanceId, Region, ServiceName, StageId, StageName,
};
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
    /// Names of its stacks, the main one first, once a deployment saw them.
    pub stacks: Vec<String>,
    #[sqlx(rename = "commit_sha")]
    pub commit: Option<CommitSha>,
    pub build_number: Option<i64>,
    pub artifact_id: Option<ArtifactId>,
    /// When the deployment was told its parameters and what others publish.
    pub read_at: Option<DateTime<Utc>>,
    /// Of the parameters it was told; `None`: they changed while it was under way.
    pub parameters_digest: Option<String>,
    /// When what it publishes last became something else.
    pub outputs_changed_at: Option<DateTime<Utc>>,
    #[sqlx(json, rename = "service_spec")]
    pub spec: Service,
    #[sqlx(json)]
    pub outputs: BTreeMap<String, String>,
    #[sqlx(json)]
    pub endpoints: Vec<String>,
    /// How the last change of ours left its stacks.
    #[sqlx(json)]
    pub stacks_left: Left,
    /// What somebody else did to them since.
    #[sqlx(json(nullable))]
    pub changed_outside: Option<Outside>,
    pub updated_at: DateTime<Utc>,
}

impl Instance {
    /// Whether it runs with other parameters than those with this digest.
    pub fn parameters_changed(&self, now: &str) -> bool {
        match self.state {
            InstanceState::Planned | InstanceState::Removing | InstanceState::Removed => false,
            InstanceState::Deploying | InstanceState::Deployed | InstanceState::Failed => {
                self.commit.is_some() && self.parameters_digest.as_deref() != Some(now)
            }
        }
    }

    /// What its stacks can be held against: nothing while a change of ours goes on.
    pub fn left(&self) -> Left {
        match self.state {
            InstanceState::Deploying | InstanceState::Removing => Left::Unknown,
            InstanceState::Planned
            | InstanceState::Deployed
            | InstanceState::Failed
            | InstanceState::Removed => self.stacks_left.clone(),
        }
    }

    /// The names of the outputs that `new` has otherwise: new ones, other values, missing ones.
    pub fn changed_outputs(&self, new: &BTreeMap<String, String>) -> Vec<String> {
        let missing = self.outputs.keys().filter(|key| !new.contains_key(*key));
        let other = new.iter().filter(|(key, value)| self.outputs.get(*key) != Some(*value));
        let mut changed: Vec<String> =
            other.map(|(key, _)| key).chain(missing).map(String::clone).collect();
        changed.sort_unstable();
        changed
    }
}

/// The instance of a service in a stage and region, made (to be deployed) if it is the first.
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
         values ($1, $2, $3, $4, 'planned', $5, $6)
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

/// The instances of a stage of which something is there, or may be: the first deploy of one that
/// is called planned can be with a worker already.
pub async fn standing(conn: &mut PgConnection, stage: StageId) -> Result<Vec<Instance>> {
    Ok(sqlx::query_as(
        "select * from instance i
         where stage_id = $1 and (state not in ('planned', 'removed') or exists (
             select 1 from job j where j.instance_id = i.id and j.state <> 'finished'
                 and j.kind in ('deploy', 'remove', 'rollback', 'recover')))
         order by service, region",
    )
    .bind(stage)
    .fetch_all(conn)
    .await?)
}

/// The services that a rollback which is older than this build is about to take back: what stands
/// of them now is not what the build will find.
pub async fn returning(
    conn: &mut PgConnection,
    stage: StageId,
    build: BuildId,
) -> Result<Vec<(ServiceName, Region)>> {
    Ok(sqlx::query_as(
        "select i.service, i.region from instance i
         where i.stage_id = $1 and exists (
             select 1 from job j where j.instance_id = i.id and j.state <> 'finished'
                 and j.kind = 'rollback' and j.build_id < $2)",
    )
    .bind(stage)
    .bind(build)
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

/// The instance of a service in a stage and region, if it was ever planned to be there.
pub async fn find(
    conn: &mut PgConnection,
    stage: StageId,
    service: &ServiceName,
    region: &Region,
) -> Result<Option<Instance>> {
    let query = "select * from instance where stage_id = $1 and service = $2 and region = $3";
    Ok(sqlx::query_as(query).bind(stage).bind(service).bind(region).fetch_optional(conn).await?)
}

/// The services that are deployed as they should be in a long-lived stage, with their commits.
pub async fn whole(
    conn: &mut PgConnection,
    app: AppId,
    stage: &StageName,
) -> Result<BTreeMap<(ServiceName, Region), CommitSha>> {
    let rows: Vec<(ServiceName, Region, CommitSha)> = sqlx::query_as(
        "select i.service, i.region, i.commit_sha from instance i join stage s on s.id = i.stage_id
         where s.app_id = $1 and lower(s.name) = lower($2) and s.state <> 'closed'
             and s.kind = 'long-lived' and i.state = 'deployed'",
    )
    .bind(app)
    .bind(stage)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(service, region, commit)| ((service, region), commit)).collect())
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
        InstanceState::Planned
        | InstanceState::Deployed
        | InstanceState::Failed
        | InstanceState::Removed => {
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

/// A deployment that succeeded, for its instance.
#[derive(Debug, Clone, Copy)]
pub struct Success<'a> {
    pub commit: &'a CommitSha,
    pub build_number: i64,
    pub artifact: ArtifactId,
    pub spec: &'a Service,
    pub stack: &'a DeployedStack,
    /// When its package was told parameters and outputs.
    pub read_at: Option<DateTime<Utc>>,
    pub parameters_digest: Option<&'a str>,
    /// Some of what it publishes is not what it was.
    pub outputs_changed: bool,
}

/// A deployment succeeded.
pub async fn deployed(
    conn: &mut PgConnection,
    id: InstanceId,
    success: &Success<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    let (build, changed_at) = (success.build_number, success.stack.left_at.clone());
    let left = Left::Deployed { build, changed_at };
    let done = sqlx::query(
        "update instance set state = 'deployed', reason = null, stacks = $2, commit_sha = $3,
             build_number = $4, artifact_id = $5, service_spec = $6, outputs = $7, endpoints = $8,
             read_at = $9, parameters_digest = $10,
             outputs_changed_at = case when $11 then $12 else outputs_changed_at end,
             stacks_left = $13, changed_outside = null, updated_at = $12
         where id = $1",
    )
    .bind(id)
    .bind(&success.stack.stacks)
    .bind(success.commit)
    .bind(success.build_number)
    .bind(success.artifact)
    .bind(Json(success.spec))
    .bind(Json(&success.stack.outputs))
    .bind(Json(&success.stack.endpoints))
    .bind(success.read_at)
    .bind(success.parameters_digest)
    .bind(success.outputs_changed)
    .bind(now)
    .bind(Json(left))
    .execute(conn)
    .await?;
    met(&done, || format!("instance {id}"))
}

/// How a change that did not end well left its stacks.
pub async fn set_left(conn: &mut PgConnection, id: InstanceId, left: &Left) -> Result<()> {
    let done = sqlx::query("update instance set stacks_left = $2 where id = $1")
        .bind(id)
        .bind(Json(left))
        .execute(conn)
        .await?;
    met(&done, || format!("instance {id}"))
}

/// Somebody else changed its stacks.
pub async fn set_changed_outside(
    conn: &mut PgConnection,
    id: InstanceId,
    outside: &Outside,
) -> Result<()> {
    let done = sqlx::query("update instance set changed_outside = $2 where id = $1")
        .bind(id)
        .bind(Json(outside))
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

/// Its stacks are gone, verified.
pub async fn removed(conn: &mut PgConnection, id: InstanceId, now: DateTime<Utc>) -> Result<()> {
    let done = sqlx::query(
        "update instance set state = 'removed', reason = null, outputs = '{}', endpoints = '[]',
             stacks_left = $3, changed_outside = null, updated_at = $2
         where id = $1",
    )
    .bind(id)
    .bind(now)
    .bind(Json(Left::Unknown))
    .execute(conn)
    .await?;
    met(&done, || format!("instance {id}"))
}
