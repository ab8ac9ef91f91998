//! Table `artifact`: what package jobs produced, by digest; the bytes lie in [`crate::objects`].
//!
//! What always holds: a package job has one artifact. A new attempt of it replaces the digest,
//! which nothing can have deployed yet: a deploy needs the package job to have succeeded.

use chrono::{DateTime, Utc};
use model::{ArtifactId, BuildId, JobId, Region, ServiceName, StageId};
use sqlx::PgConnection;

use crate::error::{Error, Result};

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
    pub created_at: DateTime<Utc>,
}

pub type NewArtifact = Artifact;

/// Answers the id that the job's artifact has: the first attempt's, when there were several.
pub async fn insert(conn: &mut PgConnection, new: &NewArtifact) -> Result<ArtifactId> {
    Ok(sqlx::query_scalar(
        "insert into artifact (id, job_id, build_id, service, stage_id, region, digest, size_bytes,
             key_id, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict on constraint artifact_job_key do update set digest = excluded.digest,
             size_bytes = excluded.size_bytes, key_id = excluded.key_id,
             created_at = excluded.created_at
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

pub async fn get(conn: &mut PgConnection, id: ArtifactId) -> Result<Artifact> {
    sqlx::query_as("select * from artifact where id = $1")
        .bind(id)
        .fetch_optional(conn)
        .await?
        .ok_or_else(|| Error::not_found(format!("artifact {id}")))
}
