//! Table `deployment`: one change of one instance, and who asked for it.
//!
//! What always holds: an instance has one running change; an artifact is deployed only to the
//! stage and region it was packaged for. Both are constraints of the database.
//!
//! After a crash: a new attempt of the job goes on with the row of the old one; a job that ends
//! without its worker's word ends its deployment with it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::deployment::{DeploymentKind, DeploymentState};
use model::job::Outcome;
use model::outside::Left;
use model::{
    ArtifactId, BuildId, CommitSha, DeploymentId, InstanceId, JobId, Region, ServiceName, StageId,
    StageName,
};
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::error::{Error, Result};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDeployment {
    pub id: DeploymentId,
    pub instance_id: InstanceId,
    pub stage_id: StageId,
    pub region: Region,
    pub job_id: JobId,
    pub build_id: BuildId,
    pub kind: DeploymentKind,
    /// Of a deploy; a removal has none.
    pub artifact_id: Option<ArtifactId>,
    pub commit: CommitSha,
    pub started_at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Deployment {
    pub id: DeploymentId,
    pub instance_id: InstanceId,
    pub stage_id: StageId,
    pub service: ServiceName,
    pub region: Region,
    pub job_id: JobId,
    pub build_id: BuildId,
    pub build_number: i64,
    pub kind: DeploymentKind,
    pub artifact_id: Option<ArtifactId>,
    #[sqlx(rename = "commit_sha")]
    pub commit: CommitSha,
    pub state: DeploymentState,
    pub reason: Option<String>,
    #[sqlx(json)]
    pub outputs: BTreeMap<String, String>,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// Begins a change, or finds the one that an earlier attempt of the same job began. Another
/// running change is a conflict on `deployment_one_running`; an artifact of another stage or
/// region is not allowed.
pub async fn begin(conn: &mut PgConnection, new: &NewDeployment) -> Result<DeploymentId> {
    let inserted: std::result::Result<Option<DeploymentId>, Error> = sqlx::query_scalar(
        "insert into deployment (id, instance_id, stage_id, region, job_id, build_id, kind,
             artifact_id, commit_sha, state, started_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'running', $10)
         on conflict on constraint deployment_job_key do nothing
         returning id",
    )
    .bind(new.id)
    .bind(new.instance_id)
    .bind(new.stage_id)
    .bind(&new.region)
    .bind(new.job_id)
    .bind(new.build_id)
    .bind(new.kind.as_str())
    .bind(new.artifact_id)
    .bind(&new.commit)
    .bind(new.started_at)
    .fetch_optional(&mut *conn)
    .await
    .map_err(Error::from);
    match inserted {
        Ok(Some(id)) => Ok(id),
        Ok(None) => Ok(sqlx::query_scalar("select id from deployment where job_id = $1")
            .bind(new.job_id)
            .fetch_one(conn)
            .await?),
        Err(error) if error.constraint() == Some("deployment_artifact_place_fkey") => {
            Err(Error::NotAllowed(format!(
                "artifact {} was packaged for another stage or region than stage {} in {}: \
                 package it for this stage",
                new.artifact_id.map(|id| id.to_string()).unwrap_or_default(),
                new.stage_id,
                new.region
            )))
        }
        Err(error) => Err(error),
    }
}

/// Refuses an artifact that was packaged for another stage or region, with the names of both: the
/// same answer as [`begin`]'s, before anything is done.
pub async fn check_place(
    conn: &mut PgConnection,
    artifact: ArtifactId,
    stage: StageId,
    region: &Region,
) -> Result<()> {
    let (made_for, made_in): (StageId, Region) =
        sqlx::query_as("select stage_id, region from artifact where id = $1")
            .bind(artifact)
            .fetch_optional(&mut *conn)
            .await?
            .ok_or_else(|| Error::not_found(format!("artifact {artifact}")))?;
    if made_for == stage && made_in == *region {
        return Ok(());
    }
    let names: Vec<(StageId, StageName)> =
        sqlx::query_as("select id, name from stage where id = any($1)")
            .bind(vec![made_for, stage])
            .fetch_all(conn)
            .await?;
    let name = |wanted: StageId| {
        names.iter().find(|(id, _)| *id == wanted).map_or("?", |(_, name)| name.as_str())
    };
    Err(Error::NotAllowed(format!(
        "artifact {artifact} was packaged for stage {} in {made_in}: it cannot be deployed to \
         stage {} in {region}",
        name(made_for),
        name(stage)
    )))
}

/// Ends the change that a job began. Ending it again the same way does no harm.
pub async fn end(
    conn: &mut PgConnection,
    job: JobId,
    state: DeploymentState,
    reason: Option<&str>,
    outputs: &BTreeMap<String, String>,
    now: DateTime<Utc>,
) -> Result<()> {
    if state == DeploymentState::Running {
        return Err(Error::NotAllowed("a deployment does not end as running".into()));
    }
    let done = sqlx::query(
        "update deployment set state = $2, reason = $3, outputs = $4, finished_at = $5
         where job_id = $1 and state = 'running'",
    )
    .bind(job)
    .bind(state.as_str())
    .bind(reason)
    .bind(Json(outputs))
    .bind(now)
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() > 0 {
        return Ok(());
    }
    let known: Option<DeploymentState> =
        sqlx::query_scalar("select state from deployment where job_id = $1")
            .bind(job)
            .fetch_optional(conn)
            .await?;
    match known {
        Some(known) if known == state => Ok(()),
        Some(known) => Err(Error::NotAllowed(format!(
            "the deployment of job {job} ended as {} already",
            known.as_str()
        ))),
        None => Err(Error::not_found(format!("deployment of job {job}"))),
    }
}

/// A job that changes a stack ended without its worker's word: so did its change, if one was
/// begun. What stands on the instance is unknown, so it is failed and the next deploy looks.
pub(crate) async fn abandon(
    conn: &mut PgConnection,
    job: JobId,
    outcome: &Outcome,
    now: DateTime<Utc>,
) -> Result<()> {
    let state = match outcome {
        Outcome::Canceled { .. } | Outcome::Skipped { .. } | Outcome::Unneeded { .. } => {
            DeploymentState::Canceled
        }
        Outcome::Succeeded | Outcome::Failed(_) => DeploymentState::Failed,
    };
    sqlx::query(
        "with ended as (
             update deployment set state = $2, reason = $3, finished_at = $4
             where job_id = $1 and state = 'running'
             returning instance_id)
         update instance set state = 'failed', reason = $3, stacks_left = $5, updated_at = $4
         from ended where instance.id = ended.instance_id",
    )
    .bind(job)
    .bind(state.as_str())
    .bind(outcome.reason().unwrap_or("ended without its worker's word"))
    .bind(now)
    .bind(Json(Left::Unknown))
    .execute(conn)
    .await?;
    Ok(())
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "select d.id, d.instance_id, d.stage_id, i.service, d.region, d.job_id, d.build_id, \
             b.number as build_number, d.kind, d.artifact_id, d.commit_sha, d.state, d.reason, \
             d.outputs, d.started_at, d.finished_at from deployment d \
             join instance i on i.id = d.instance_id join build b on b.id = d.build_id ",
            $tail
        )
    };
}

/// The history of a stage, newest first.
pub async fn list(
    conn: &mut PgConnection,
    stage: StageId,
    before: Option<DeploymentId>,
    limit: i64,
) -> Result<Vec<Deployment>> {
    Ok(sqlx::query_as(select!(
        "where d.stage_id = $1 and d.id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
         order by d.id desc limit $3"
    ))
    .bind(stage)
    .bind(before)
    .bind(limit)
    .fetch_all(conn)
    .await?)
}

/// A deployment of this stage.
pub async fn find(
    conn: &mut PgConnection,
    stage: StageId,
    id: DeploymentId,
) -> Result<Option<Deployment>> {
    Ok(sqlx::query_as(select!("where d.stage_id = $1 and d.id = $2"))
        .bind(stage)
        .bind(id)
        .fetch_optional(conn)
        .await?)
}

/// For each instance of a stage the last change that went well up to and with this build: what was
/// there when the build had ended. Builds of a stage that are for the same service come one after
/// the other, so the number says what was before and what after.
pub async fn standing_after(
    conn: &mut PgConnection,
    stage: StageId,
    build: i64,
) -> Result<Vec<Deployment>> {
    Ok(sqlx::query_as(concat!(
        "select distinct on (instance_id) * from (",
        select!("where d.stage_id = $1 and d.state = 'succeeded' and b.number <= $2"),
        ") as done order by instance_id, finished_at desc, id desc"
    ))
    .bind(stage)
    .bind(build)
    .fetch_all(conn)
    .await?)
}
