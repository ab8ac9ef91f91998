//! Artifacts on their way from a package job to the object store, and from there to a deploy job.
//!
//! What always holds: a worker stores only for a package job it holds, and reads only the artifact
//! that its deploy or rollback job deploys. The bytes are encrypted at rest, under the digest of the plain
//! ones; storing them twice is storing them once.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State as Extract};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use model::job::JobKind;
use model::worker_api::{Held, StoredArtifact};
use model::{JobId, Region, ServiceName};
use store::job::{Job, Work};

use crate::error::{Error, Result};
use crate::extract::segment;
use crate::state::State;

pub(super) async fn store(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    Query(held): Query<Held>,
    bytes: Bytes,
) -> Result<Json<StoredArtifact>> {
    let id: JobId = segment("job", &id)?;
    let mut conn = state.db.acquire().await?;
    let (job, ..) =
        held_job(store::job::held(&mut conn, id, held.attempt).await?, JobKind::Package)?;
    drop(conn);
    let (stored, _key) = state.objects.put(&state.vault, bytes).await?;
    tracing::debug!(%job, digest = stored.digest, "an artifact is stored");
    Ok(Json(stored))
}

pub(super) async fn load(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    Query(held): Query<Held>,
) -> Result<impl IntoResponse> {
    let id: JobId = segment("job", &id)?;
    let digest = {
        let mut conn = state.db.acquire().await?;
        let job = store::job::held(&mut conn, id, held.attempt).await?;
        if let Some(Work::Rollback { artifact, .. }) = &job.work {
            store::artifact::get(&mut conn, *artifact).await?.digest
        } else {
            let build = job.build_id;
            let (_, service, region) = held_job(job, JobKind::Deploy)?;
            let artifact = store::artifact::of_build(&mut conn, build, &service, &region).await?;
            let missing = || format!("the build has no artifact of {service} in {region}");
            artifact.ok_or_else(|| Error::NotFound(missing()))?.digest
        }
    };
    let bytes = state.objects.get(&state.vault, &digest).await?;
    Ok(([(CONTENT_TYPE, "application/zstd")], bytes))
}

fn held_job(job: Job, wanted: JobKind) -> Result<(JobId, ServiceName, Region)> {
    match (job.service, job.region) {
        (Some(service), Some(region)) if job.kind == wanted => Ok((job.id, service, region)),
        (Some(_) | None, _) => Err(Error::Forbidden(format!(
            "a {} job has no artifact to handle here; a {} job has",
            job.kind.as_str(),
            wanted.as_str()
        ))),
    }
}
