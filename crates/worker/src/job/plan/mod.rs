//! A plan job: facts about the commit, read from the mirror without a checkout.
//!
//! What always holds: nothing of the commit is run; no decision is made here. Every service that
//! is found, and every directory that is not one, is explained in the log.

mod changes;
mod describe;
mod source;

use std::collections::BTreeMap;

use model::CommitSha;
use model::pipeline::{PipelineFile, Service};
use model::plan::Findings;

use self::changes::Past;
use self::source::Source;
use super::context::Job;
use super::halt::Halt;
use crate::detect::{self, Detected, Way, configuration};
use crate::git::Mirror;

pub(super) async fn run(
    job: &Job,
    compare_with: &[CommitSha],
    diverged_from: &[CommitSha],
) -> Result<Findings, Halt> {
    let (mirror, checkout, token) = job.fetch().await?;
    let (pipeline, services) = services(job, &mirror).await?;
    model::plan::check(&services).map_err(|error| configuration(error.to_string()))?;
    let past = Past { job, mirror: &mirror, url: &checkout.url, token: &token };
    let mut changes = BTreeMap::new();
    for commit in compare_with {
        changes.insert(commit.clone(), job.or_stopped(past.changed_since(commit)).await??);
    }
    let mut own_changes = BTreeMap::new();
    for commit in diverged_from {
        own_changes.insert(commit.clone(), job.or_stopped(past.changed_here(commit)).await??);
    }
    Ok(Findings { services, changes, own_changes, post_deploy: pipeline.post_deploy })
}

async fn services(job: &Job, mirror: &Mirror) -> Result<(PipelineFile, Vec<Service>), Halt> {
    let mut source = Source::of(job, mirror).await?;
    let pipeline = pipeline_file(&mut source).await?;
    let detected = located(job, &mut source, &pipeline).await?;
    source.read_manifests(&detected.services).await?;
    source.read_configurations(&detected.services).await?;
    let services = describe::all(&job.assignment().app, detected.services, &source.listing())?;
    for service in &services {
        job.log().heading(&format!("service {} in {}", service.name, service.path)).await;
        for note in &service.notes {
            job.log().note(&format!("  {note}")).await;
        }
    }
    for remark in &detected.remarks {
        job.log().note(remark).await;
    }
    Ok((pipeline, services))
}

async fn pipeline_file(source: &mut Source<'_>) -> Result<PipelineFile, Halt> {
    source.read(&[detect::PIPELINE_FILE.to_owned()]).await?;
    Ok(detect::pipeline(&source.listing())?)
}

/// The services by the first of the ways that names any.
async fn located(
    job: &Job,
    source: &mut Source<'_>,
    pipeline: &PipelineFile,
) -> Result<Detected, Halt> {
    let way = detect::way(pipeline, source.listing().files);
    let texts = detect::texts(way, pipeline, source.listing().files);
    match way {
        Way::Compose(_) => source.read(&texts).await?,
        Way::Named | Way::Looked => source.glance(&texts).await?,
    }
    Ok(detect::found(way, pipeline, &source.listing(), &job.assignment().repository)?)
}
