//! The way of a package through the store: packed and sent, fetched and unpacked.
//!
//! What always holds: the digest is compared on both ways, so what is deployed is byte for byte
//! what was packaged.

use model::job::FailureKind;
use model::worker_api::StoredArtifact;
use tokio::io::{AsyncReadExt, BufReader};

use super::context::Job;
use super::halt::Halt;
use crate::archive::{self, ArchiveLimits};

const FILE: &str = "artifact.tar.zst";

/// Sends the package directory to the server.
pub(super) async fn store(job: &Job) -> Result<StoredArtifact, Halt> {
    let file = job.room().backstage()?.join(FILE);
    let home = job.home();
    let pack = archive::pack(&home, job.package_name(), &file, ArchiveLimits::default());
    let packed = job.or_stopped(pack).await??;
    let stored = job
        .hold()
        .ask(|| job.client().store_artifact(&file))
        .await
        .map_err(|error| Halt::unanswered(FailureKind::Internal, "the artifact", error))?;
    if stored.digest != packed.digest {
        return Err(Halt::internal(format!(
            "the artifact was changed on its way to the server ({} became {})",
            packed.digest, stored.digest
        )));
    }
    Ok(stored)
}

/// Brings the artifact into the package directory, checked against its digest.
pub(super) async fn bring(job: &Job, artifact: &StoredArtifact) -> Result<(), Halt> {
    let file = job.room().backstage()?.join(FILE);
    job.hold()
        .ask(|| job.client().fetch_artifact(&file))
        .await
        .map_err(|error| Halt::unanswered(FailureKind::Internal, "the artifact", error))?;
    let found = digest(&file).await?;
    if found != artifact.digest {
        return Err(Halt::internal(format!(
            "the artifact has the digest {found}, not {}: it was changed in the store; package again",
            artifact.digest
        )));
    }
    let open = tokio::fs::File::open(&file).await.map_err(Halt::internal)?;
    let directory = job.package_directory();
    let unpack = archive::unpack(BufReader::new(open), &directory, ArchiveLimits::default());
    job.or_stopped(unpack).await??;
    let user = job.machine().executor.user(job.room().slot());
    Ok(job.room().give(user, &directory)?)
}

async fn digest(file: &std::path::Path) -> Result<String, Halt> {
    let mut open = tokio::fs::File::open(file).await.map_err(Halt::internal)?;
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let length = open.read(&mut buffer).await.map_err(Halt::internal)?;
        if length == 0 {
            return Ok(hex::encode(context.finish()));
        }
        context.update(&buffer[..length]);
    }
}
