//! A plan job: facts about the commit, read from the mirror without a checkout.
//!
//! What always holds: nothing of the commit is run; no decision is made here. Every service that
//! is found, and every directory that is not one, is explained in the log.

use std::collections::{BTreeMap, BTreeSet};

use model::CommitSha;
use model::job::FailureKind;
use model::pipeline::{Framework, PipelineFile, Service};
use model::plan::{Changes, Findings};
use secrecy::SecretString;

use super::context::Job;
use super::halt::Halt;
use crate::detect::{self, Detected, Located, configuration, within};
use crate::framework::serverless::config::{self, ServerlessYml};
use crate::git::{Fetch, GitError, Mirror};
use crate::node::{self, PackageJson};

const PIPELINE_FILE: &str = "greenroom.yml";
const FILE_MAX_BYTES: u64 = 4 * 1024 * 1024;

pub(super) async fn run(job: &Job, compare_with: &[CommitSha]) -> Result<Findings, Halt> {
    let (mirror, checkout, token) = job.fetch().await?;
    let services = services(job, &mirror).await?;
    model::plan::check(&services).map_err(|error| configuration(error.to_string()))?;
    let mut changes = BTreeMap::new();
    for commit in compare_with {
        let found = job.or_stopped(compare(job, &mirror, &checkout.url, &token, commit)).await??;
        changes.insert(commit.clone(), found);
    }
    Ok(Findings { services, changes })
}

async fn services(job: &Job, mirror: &Mirror) -> Result<Vec<Service>, Halt> {
    let commit = &job.assignment().source.commit;
    let tree = job.or_stopped(mirror.tree(commit)).await??;
    let files: BTreeSet<String> = tree.paths().map(str::to_owned).collect();
    let pipeline = read(job, mirror, &tree, &[PIPELINE_FILE.to_owned()]).await?;
    let pipeline = match pipeline.get(PIPELINE_FILE) {
        Some(text) => pipeline_file(text)?,
        None => PipelineFile::default(),
    };
    let detected = if pipeline.services.is_empty() {
        detect::detected(&files, &job.assignment().repository)
    } else {
        detect::named(&pipeline, &files)?
    };
    let wanted: Vec<String> = detected
        .services
        .iter()
        .flat_map(|located| {
            let manifests = node::upwards(&located.path);
            let manifests =
                manifests.into_iter().map(|directory| within(directory, "package.json"));
            manifests.chain([located.config.clone()])
        })
        .collect();
    let contents = read(job, mirror, &tree, &wanted).await?;
    describe_all(job, detected, &files, &contents).await
}

async fn read(
    job: &Job,
    mirror: &Mirror,
    tree: &crate::git::Tree,
    paths: &[String],
) -> Result<BTreeMap<String, Vec<u8>>, Halt> {
    let unique: BTreeSet<&str> = paths.iter().map(String::as_str).collect();
    let paths: Vec<&str> = unique.into_iter().collect();
    Ok(job.or_stopped(mirror.read(tree, &paths, FILE_MAX_BYTES)).await??)
}

fn pipeline_file(text: &[u8]) -> Result<PipelineFile, Halt> {
    let text = std::str::from_utf8(text).map_err(|_| {
        configuration(format!("{PIPELINE_FILE} is not UTF-8 text; save it as UTF-8"))
    })?;
    model::pipeline::parse(text).map_err(|problems| {
        let lines: Vec<String> =
            problems.iter().map(|problem| problem.located(PIPELINE_FILE)).collect();
        Halt::failed(FailureKind::Configuration, lines.join("\n"))
    })
}

async fn describe_all(
    job: &Job,
    detected: Detected,
    files: &BTreeSet<String>,
    contents: &BTreeMap<String, Vec<u8>>,
) -> Result<Vec<Service>, Halt> {
    let mut services = Vec::new();
    for located in detected.services {
        let service = describe(located, files, contents)?;
        job.log().heading(&format!("service {} in {}", service.name, service.path)).await;
        for note in &service.notes {
            job.log().note(&format!("  {note}")).await;
        }
        services.push(service);
    }
    for remark in &detected.remarks {
        job.log().note(remark).await;
    }
    Ok(services)
}

/// A located service with its commands filled in and its traps looked for.
fn describe(
    located: Located,
    files: &BTreeSet<String>,
    contents: &BTreeMap<String, Vec<u8>>,
) -> Result<Service, Halt> {
    let Located { name, path, config: file, depends_on, watch, commands, mut notes } = located;
    let mut packages = Vec::new();
    for directory in node::upwards(&path) {
        let manifest = within(directory, "package.json");
        if let Some(text) = contents.get(&manifest) {
            packages.push((manifest.clone(), PackageJson::parse(&manifest, text)?));
        }
    }
    let own = packages.iter().find(|(manifest, _)| *manifest == within(&path, "package.json"));
    let install = node::install(&path, files);
    let (filled, why) =
        node::fill_in(&path, &commands, own.map(|(_, package)| package), install.as_ref());
    let readable = file.ends_with(".yml") || file.ends_with(".yaml");
    let written = match contents.get(&file).filter(|_| readable) {
        None => ServerlessYml::default(),
        Some(text) => {
            ServerlessYml::parse(&String::from_utf8_lossy(text)).unwrap_or_else(|error| {
                notes.push(format!("{file} could not be read ahead, the framework will: {error}"));
                ServerlessYml::default()
            })
        }
    };
    let own_commands = [&commands.package, &commands.deploy, &commands.remove];
    if own_commands.iter().all(|command| command.is_some()) {
        notes.push(
            "framework: not looked for, package, deploy and remove are commands of greenroom.yml"
                .to_owned(),
        );
    } else {
        notes.push(config::check(&file, &written, &path, &packages)?);
    }
    notes.extend(why);
    Ok(Service {
        name,
        path,
        framework: Framework::Serverless,
        depends_on,
        watch,
        commands: filled,
        notes,
    })
}

/// The files that differ from a commit deployed earlier, which this worker may never have seen.
async fn compare(
    job: &Job,
    mirror: &Mirror,
    url: &str,
    token: &SecretString,
    commit: &CommitSha,
) -> Result<Changes, Halt> {
    let ours = &job.assignment().source.commit;
    match mirror.changed_files(commit, ours).await {
        Ok(files) => return Ok(Changes::Files { files }),
        Err(GitError::NotInMirror(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let build = job.assignment().build;
    let fetch = |commit| Fetch { url, token: Some(token), commit, fallback: None, build };
    match mirror.fetch(&fetch(commit)).await {
        Ok(_) => {}
        Err(error @ (GitError::CommitGone { .. } | GitError::NotInMirror(_))) => {
            let reason = error.to_string();
            job.log()
                .note(&format!("{}: {reason}; every file counts as changed", commit.short()))
                .await;
            return Ok(Changes::Unknown { reason });
        }
        Err(error) => return Err(error.into()),
    }
    let files = mirror.changed_files(commit, ours).await?;
    // The pin of this build belongs to its own commit again.
    mirror.fetch(&fetch(ours)).await?;
    Ok(Changes::Files { files })
}
