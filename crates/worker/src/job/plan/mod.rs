//! A plan job: facts about the commit, read from the mirror without a checkout.
//!
//! What always holds: nothing of the commit is run; no decision is made here. Every service that
//! is found, and every directory that is not one, is explained in the log.

mod changes;
mod describe;
mod source;

use std::collections::BTreeMap;

use model::CommitSha;
use model::compose;
use model::job::FailureKind;
use model::pipeline::{PipelineFile, Problem, Service};
use model::plan::Findings;

use self::changes::Past;
use self::source::Source;
use super::context::Job;
use super::halt::Halt;
use crate::detect::{self, Detected, Listing, configuration};
use crate::git::Mirror;

const PIPELINE_FILE: &str = "greenroom.yml";
/// The same, as it is not read.
const MISNAMED: &str = "greenroom.yaml";
const COMPOSE_FILES: [&str; 3] =
    ["serverless-compose.yml", "serverless-compose.yaml", "serverless-compose.json"];
const COMPOSE_PROGRAMS: [&str; 2] = ["serverless-compose.ts", "serverless-compose.js"];

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
    source.read(&[PIPELINE_FILE.to_owned()]).await?;
    let listing = source.listing();
    if !listing.files.contains(PIPELINE_FILE) {
        if listing.files.contains(MISNAMED) {
            return Err(configuration(format!(
                "{MISNAMED} is not read: rename it to {PIPELINE_FILE}"
            ))
            .into());
        }
        return Ok(PipelineFile::default());
    }
    parsed(PIPELINE_FILE, &listing, model::pipeline::parse)
}

/// The services by the first of the three that names any.
async fn located(
    job: &Job,
    source: &mut Source<'_>,
    pipeline: &PipelineFile,
) -> Result<Detected, Halt> {
    let there = |name: &&&str| source.listing().files.contains(**name);
    let compose = COMPOSE_FILES.iter().find(there).copied();
    let program = COMPOSE_PROGRAMS.iter().find(there).copied();
    if !pipeline.services.is_empty() {
        source.glance(&detect::wanted_by_name(pipeline)).await?;
        let mut detected = detect::named(pipeline, &source.listing())?;
        detected.remarks.extend(compose.map(|file| {
            format!("{file} is there too and not read: {PIPELINE_FILE} names the services")
        }));
        return Ok(detected);
    }
    if let Some(file) = compose {
        source.read(&[file.to_owned()]).await?;
        let services = parsed(file, &source.listing(), compose::parse)?;
        return Ok(detect::composed(file, services, &source.listing())?);
    }
    let wanted = detect::wanted_by_detection(source.listing().files);
    source.glance(&wanted).await?;
    let mut detected = detect::detected(&source.listing(), &job.assignment().repository);
    detected.remarks.extend(program.map(|file| {
        format!(
            "{file} is a program and not read: name the services and their order in {PIPELINE_FILE}"
        )
    }));
    Ok(detected)
}

/// A file that was read, parsed; its problems with their places.
fn parsed<T>(
    file: &str,
    listing: &Listing<'_>,
    parse: impl FnOnce(&str) -> Result<T, Vec<Problem>>,
) -> Result<T, Halt> {
    let bytes = listing.texts.get(file).map(Vec::as_slice).unwrap_or_default();
    let text = std::str::from_utf8(bytes)
        .map_err(|_| configuration(format!("{file} is not UTF-8 text; save it as UTF-8")))?;
    parse(text).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(|problem| problem.located(file)).collect();
        Halt::failed(FailureKind::Configuration, lines.join("\n"))
    })
}
