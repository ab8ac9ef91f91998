//! Which directories of a commit are services, and of which framework: those that `greenroom.yml`
//! names, else those of `serverless-compose.yml`, else every directory that holds a framework's
//! file. Pure: it sees the names of the commit's files and the texts of some.
//!
//! [`pipeline`], [`way`], [`texts`] and [`found`] are the order in which whoever holds a commit goes
//! on: a worker that plans a build, and the server when an app is set up.
//!
//! What always holds: two services never share a name; why a directory is a service, or is not,
//! and of which framework, is said in words.

mod auto;
mod compose;
mod framework;
mod named;
mod naming;
mod package;

use std::collections::{BTreeMap, BTreeSet};

use crate::RepositoryName;
use crate::job::{Failure, FailureKind};
use crate::pipeline::{PipelineFile, Problem, Service};

pub use framework::label;
pub use package::{PackageJson, upwards};

pub const PIPELINE_FILE: &str = "greenroom.yml";
/// The same, as it is not read.
const MISNAMED: &str = "greenroom.yaml";
const COMPOSE_FILES: [&str; 3] =
    ["serverless-compose.yml", "serverless-compose.yaml", "serverless-compose.json"];
const COMPOSE_PROGRAMS: [&str; 2] = ["serverless-compose.ts", "serverless-compose.js"];

/// A service's place and framework, before the framework's files are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// As far as it is known: commands and dependencies as they are written, one note or more.
    pub service: Service,
    /// The framework's own file, relative to the repository's root.
    pub config: Option<String>,
}

/// What was found, with lines for the plan's log about what was left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detected {
    pub services: Vec<Located>,
    pub remarks: Vec<String>,
}

/// By what a commit's services are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `greenroom.yml` names them.
    Named,
    /// This file of the Serverless Framework's Compose does.
    Compose(&'static str),
    /// Nobody does: every directory is looked at.
    Looked,
}

/// A commit as far as it was read.
#[derive(Debug, Clone, Copy)]
pub struct Listing<'a> {
    pub files: &'a BTreeSet<String>,
    pub texts: &'a BTreeMap<String, Vec<u8>>,
}

impl<'a> Listing<'a> {
    fn has(&self, path: &str) -> bool {
        self.files.contains(path)
    }

    /// Bytes that are no UTF-8 are replaced: what is looked for is ASCII.
    pub fn text(&self, path: &str) -> Option<std::borrow::Cow<'a, str>> {
        self.texts.get(path).map(|bytes| String::from_utf8_lossy(bytes))
    }

    /// The first of these names in a directory, relative to the root.
    fn first(&self, directory: &str, names: &[&str]) -> Option<String> {
        names.iter().map(|name| within(directory, name)).find(|path| self.has(path))
    }
}

/// The commit's pipeline file, whose text must have been read if there is one.
pub fn pipeline(listing: &Listing<'_>) -> Result<PipelineFile, Failure> {
    if listing.has(PIPELINE_FILE) {
        return parsed(PIPELINE_FILE, listing, crate::pipeline::parse);
    }
    if listing.has(MISNAMED) {
        return Err(configuration(format!("{MISNAMED} is not read: rename it to {PIPELINE_FILE}")));
    }
    Ok(PipelineFile::default())
}

/// The first of the three that names any service.
pub fn way(pipeline: &PipelineFile, files: &BTreeSet<String>) -> Way {
    match compose_file(files) {
        _ if !pipeline.services.is_empty() => Way::Named,
        Some(file) => Way::Compose(file),
        None => Way::Looked,
    }
}

/// The files whose texts decide, as far as the commit has them.
pub fn texts(way: Way, pipeline: &PipelineFile, files: &BTreeSet<String>) -> Vec<String> {
    match way {
        Way::Named => named::wanted(pipeline),
        Way::Compose(file) => vec![file.to_owned()],
        Way::Looked => auto::wanted(files),
    }
}

/// The services, once those texts are there.
pub fn found(
    way: Way,
    pipeline: &PipelineFile,
    listing: &Listing<'_>,
    repository: &RepositoryName,
) -> Result<Detected, Failure> {
    match way {
        Way::Named => {
            let mut detected = named::named(pipeline, listing)?;
            detected.remarks.extend(compose_file(listing.files).map(|file| {
                format!("{file} is there too and not read: {PIPELINE_FILE} names the services")
            }));
            Ok(detected)
        }
        Way::Compose(file) => {
            let services = parsed(file, listing, crate::compose::parse)?;
            compose::composed(file, services, listing)
        }
        Way::Looked => {
            let mut detected = auto::detected(listing, repository);
            let program = COMPOSE_PROGRAMS.iter().find(|name| listing.has(name));
            detected.remarks.extend(program.map(|file| {
                format!(
                    "{file} is a program and not read: name the services and their order in {PIPELINE_FILE}"
                )
            }));
            Ok(detected)
        }
    }
}

fn compose_file(files: &BTreeSet<String>) -> Option<&'static str> {
    COMPOSE_FILES.into_iter().find(|name| files.contains(*name))
}

/// A file that was read, parsed; its problems with their places.
fn parsed<T>(
    file: &str,
    listing: &Listing<'_>,
    parse: impl FnOnce(&str) -> Result<T, Vec<Problem>>,
) -> Result<T, Failure> {
    let bytes = listing.texts.get(file).map(Vec::as_slice).unwrap_or_default();
    let text = std::str::from_utf8(bytes)
        .map_err(|_| configuration(format!("{file} is not UTF-8 text; save it as UTF-8")))?;
    parse(text).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(|problem| problem.located(file)).collect();
        configuration(lines.join("\n"))
    })
}

pub fn configuration(message: impl Into<String>) -> Failure {
    Failure { kind: FailureKind::Configuration, message: message.into() }
}

/// `path` joined to a file's name, relative to the root.
pub fn within(path: &str, file: &str) -> String {
    if path == "." { file.to_owned() } else { format!("{path}/{file}") }
}

/// The directory of a file and its name in there.
fn split(file: &str) -> (&str, &str) {
    file.rsplit_once('/').unwrap_or((".", file))
}

#[cfg(test)]
mod tests;
