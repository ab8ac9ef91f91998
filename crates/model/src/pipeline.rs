//! `greenroom.yml`: how a commit wants its services built. Optional; services are detected.
//!
//! What always holds: nothing in this file can choose a stage, a role, a profile or a worker.

mod file;
mod path;
mod watch;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use file::parse;
pub use path::{InvalidPath, normalise};
pub(crate) use watch::Watch;

pub use crate::document::Problem;

use crate::ServiceName;

/// How a service is packaged and deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framework {
    /// `osls` 3 or 4, or `serverless` 3, as found in the service's dependencies.
    Serverless,
}

impl Framework {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serverless => "serverless",
        }
    }
}

/// The commands of a service that replace or join the defaults. Absent: the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commands {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_deploy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_remove: Option<String>,
}

/// One service as the pipeline file and the commit's files describe it: all that later jobs need
/// to know. Written by the plan job, carried in the jobs that follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub name: ServiceName,
    /// Relative to the repository's root, `.` for the root itself; never climbs out of it.
    pub path: String,
    pub framework: Framework,
    pub depends_on: Vec<ServiceName>,
    /// Globs, relative to the root, of files outside `path` that belong to the service too.
    pub watch: Vec<String>,
    /// The commands to run, defaults filled in; `None`: the step is left out, `notes` say why.
    pub commands: Commands,
    /// What was detected and why, one sentence each, shown on the build page.
    pub notes: Vec<String>,
}

impl Service {
    /// Whether the service gets a test job.
    pub fn is_tested(&self) -> bool {
        self.commands.lint.is_some() || self.commands.test.is_some()
    }
}

/// The pipeline file as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PipelineFile {
    pub services: BTreeMap<ServiceName, ServiceEntry>,
}

/// One entry below `services:`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceEntry {
    pub path: String,
    pub depends_on: Vec<ServiceName>,
    pub watch: Vec<String>,
    pub commands: Commands,
}
