//! Table `artifact`: what package jobs produced, by digest; the bytes lie in [`crate::objects`].
//!
//! What always holds: a package job has one artifact. A new attempt of it replaces the digest,
//! which nothing can have deployed yet: a deploy needs the package job to have succeeded.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::build::Source;
use model::pipeline::Service;
use model::{ArtifactId, BuildId, JobId, Region, ServiceName, StageId};
use sqlx::PgConnection;

use crate::error::{Error, Result};
use crate::job::Work;
use crate::{build, job};

/// An artifact; a new one is written as it will be read.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Artifact {
    pub id: ArtifactId,
    pub job_id: JobId,
    pub build_id: BuildId,
    pub service: ServiceName,
    pub stage_id: StageId,
    pub region: Region,
    /// SHA-256 of the plain bytes, lowercase hexadecimal.
    pub digest: String,
    pub size_bytes: i64,
    /// The key of the vault it was encrypted with.
    pub key_id: String,
    /// `model::app::digest_of` the parameters it was made with; `None`: they changed meanwhile.
    pub parameters_digest: Option<String>,
    pub created_at: DateTime<Utc>,
}

pub type NewArtifact = Artifact;

/// Answers the id that the job's artifact has: the first attempt's, when there were several.
pub async fn insert(conn: &mut PgConnection, new: &NewArtifact) -> Result<ArtifactId> {
    Ok(sqlx::query_scalar(
        "insert into artifact (id, job_id, build_id, service, stage_id, region, digest, size_bytes,
             key_id, parameters_digest, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         on conflict on constraint artifact_job_key do update set digest = excluded.digest,
             size_bytes = excluded.size_bytes, key_id = excluded.key_id,
             parameters_digest = excluded.parameters_digest, created_at = excluded.created_at
         returning id",
    )
    .bind(new.id)
    .bind(new.job_id)
    .bind(new.build_id)
    .bind(&new.service)
    .bind(new.stage_id)
    .bind(&new.region)
    .bind(&new.digest)
    .bind(new.size_bytes)
    .bind(&new.key_id)
    .bind(&new.parameters_digest)
    .bind(new.created_at)
    .fetch_one(conn)
    .await?)
}

/// What the build packaged of a service for one of its regions.
pub async fn of_build(
    conn: &mut PgConnection,
    build: BuildId,
    service: &ServiceName,
    region: &Region,
) -> Result<Option<Artifact>> {
    Ok(sqlx::query_as(
        "select * from artifact where build_id = $1 and service = $2 and region = $3
         order by id desc limit 1",
    )
    .bind(build)
    .bind(service)
    .bind(region)
    .fetch_optional(conn)
    .await?)
}

/// All that a build packaged.
pub async fn list(conn: &mut PgConnection, build: BuildId) -> Result<Vec<Artifact>> {
    Ok(sqlx::query_as("select * from artifact where build_id = $1 order by service, region, id")
        .bind(build)
        .fetch_all(conn)
        .await?)
}

pub async fn get(conn: &mut PgConnection, id: ArtifactId) -> Result<Artifact> {
    sqlx::query_as("select * from artifact where id = $1")
        .bind(id)
        .fetch_optional(conn)
        .await?
        .ok_or_else(|| Error::not_found(format!("artifact {id}")))
}

/// What an artifact was made from: all that it takes to deploy it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub artifact: Artifact,
    /// The service as the commit had it.
    pub spec: Service,
    /// Of the build that packaged it.
    pub source: Source,
    pub build_number: i64,
}

pub async fn origin(conn: &mut PgConnection, id: ArtifactId) -> Result<Origin> {
    let artifact = get(conn, id).await?;
    let made_by = job::get(conn, artifact.job_id).await?;
    let spec = made_by.work.as_ref().and_then(Work::service).cloned();
    let spec = spec.ok_or_else(|| Error::Inconsistent {
        table: "job",
        column: "spec",
        id: artifact.job_id.to_string(),
    })?;
    let build = build::get(conn, artifact.build_id).await?;
    Ok(Origin { artifact, spec, source: build.source, build_number: build.number })
}

/// The SHA-256 of each artifact of a build, by service and region.
pub async fn digests_of_build(
    conn: &mut PgConnection,
    build: BuildId,
) -> Result<BTreeMap<(ServiceName, Region), String>> {
    let rows: Vec<(ServiceName, Region, String)> = sqlx::query_as(
        "select service, region, digest from artifact where build_id = $1
         order by service, region, id",
    )
    .bind(build)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(service, region, digest)| ((service, region), digest)).collect())
}
