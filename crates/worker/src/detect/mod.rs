//! Which directories of a commit are services, and of which framework: those that `greenroom.yml`
//! names, else those of `serverless-compose.yml`, else every directory that holds a framework's
//! file. Pure: it sees the names of the commit's files and the texts of some.
//!
//! What always holds: two services never share a name; why a directory is a service, or is not,
//! and of which framework, is said in words.

mod auto;
mod compose;
mod framework;
mod named;
mod naming;
pub(crate) mod reads;

use std::collections::{BTreeMap, BTreeSet};

use model::job::{Failure, FailureKind};
use model::pipeline::Service;

pub(crate) use auto::{detected, wanted as wanted_by_detection};
pub(crate) use compose::composed;
pub(crate) use framework::label;
pub(crate) use named::{named, wanted as wanted_by_name};

/// A service's place and framework, before the framework's files are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located {
    /// As far as it is known: commands and dependencies as they are written, one note or more.
    pub(crate) service: Service,
    /// The framework's own file, relative to the repository's root.
    pub(crate) config: Option<String>,
}

/// What was found, with lines for the plan's log about what was left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Detected {
    pub(crate) services: Vec<Located>,
    pub(crate) remarks: Vec<String>,
}

/// A commit as far as it was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listing<'a> {
    pub(crate) files: &'a BTreeSet<String>,
    pub(crate) texts: &'a BTreeMap<String, Vec<u8>>,
}

impl<'a> Listing<'a> {
    fn has(&self, path: &str) -> bool {
        self.files.contains(path)
    }

    /// Bytes that are no UTF-8 are replaced: what is looked for is ASCII.
    pub(crate) fn text(&self, path: &str) -> Option<std::borrow::Cow<'a, str>> {
        self.texts.get(path).map(|bytes| String::from_utf8_lossy(bytes))
    }

    /// The first of these names in a directory, relative to the root.
    fn first(&self, directory: &str, names: &[&str]) -> Option<String> {
        names.iter().map(|name| within(directory, name)).find(|path| self.has(path))
    }
}

pub(crate) fn configuration(message: impl Into<String>) -> Failure {
    Failure { kind: FailureKind::Configuration, message: message.into() }
}

/// `path` joined to a file's name, relative to the root.
pub(crate) fn within(path: &str, file: &str) -> String {
    if path == "." { file.to_owned() } else { format!("{path}/{file}") }
}

/// The directory of a file and its name in there.
fn split(file: &str) -> (&str, &str) {
    file.rsplit_once('/').unwrap_or((".", file))
}

#[cfg(test)]
mod tests;
