//! `greenroom.yml`: how a commit wants its services built. Optional; services are detected.
//!
//! What always holds: nothing in this file can choose a stage, a role, a profile or a worker.

mod file;
pub mod files;
mod keys;
mod path;
mod schema;
mod step;
mod watch;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use file::parse;
pub use path::{InvalidPath, normalise};
pub use schema::schema;
pub use step::{InvalidTimeout, Step, Timeout};
pub(crate) use watch::Watch;

pub use crate::document::Problem;

use crate::ServiceName;
use crate::output::Reference;

/// How a service is packaged and deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framework {
    /// `osls` 3 or 4, or `serverless` 3, as found in the service's dependencies.
    Serverless,
    /// A template, deployed by change sets of Greenroom's own.
    Cloudformation,
    /// AWS SAM: its command line builds and deploys.
    Sam,
    /// AWS CDK: a program that makes templates.
    Cdk,
    /// Commands of `greenroom.yml` alone.
    Custom,
}

impl Framework {
    pub const ALL: [Self; 5] =
        [Self::Serverless, Self::Cloudformation, Self::Sam, Self::Cdk, Self::Custom];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serverless => "serverless",
            Self::Cloudformation => "cloudformation",
            Self::Sam => "sam",
            Self::Cdk => "cdk",
            Self::Custom => "custom",
        }
    }
}

/// The commands of a service that replace or join the defaults. Absent: the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commands {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install: Option<Step>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lint: Option<Step>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Step>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<Step>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy: Option<Step>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove: Option<Step>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_deploy: Option<Step>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_remove: Option<Step>,
}

/// Why a service waits for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    pub service: ServiceName,
    pub origin: DependencyOrigin,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "origin")]
pub enum DependencyOrigin {
    /// `depends_on` in `greenroom.yml`.
    Declared,
    /// A `${output:…}` in one of its files.
    Output { reference: Reference, file: String },
    /// `dependsOn` or a `${service.output}` in `serverless-compose.yml`.
    Compose,
}

impl Dependency {
    pub fn declared(service: ServiceName) -> Self {
        Self { service, origin: DependencyOrigin::Declared }
    }

    /// Where it is written, for people who want to remove it.
    pub fn place(&self) -> String {
        match &self.origin {
            DependencyOrigin::Declared => "depends_on in greenroom.yml".to_owned(),
            DependencyOrigin::Output { reference, file } => {
                format!("{} in {file}", reference.raw())
            }
            DependencyOrigin::Compose => "serverless-compose.yml".to_owned(),
        }
    }
}

/// One service as the pipeline file and the commit's files describe it: all that later jobs need
/// to know. Written by the plan job, carried in the jobs that follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub name: ServiceName,
    /// Relative to the repository's root, `.` for the root itself; never climbs out of it.
    pub path: String,
    pub framework: Framework,
    /// What the framework calls it (`service:` of `serverless.yml`), under which other services
    /// may read its outputs too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_as: Option<String>,
    /// Each service once, for the first reason found.
    pub depends_on: Vec<Dependency>,
    /// The `${output:…}` in its files, as far as they can be read before the framework runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Reference>,
    /// Globs, relative to the root, of files outside `path` that belong to the service too.
    pub watch: Vec<String>,
    /// The template of a `cloudformation` or `sam` service, or the configuration of a `serverless`
    /// one that has not the framework's own name; relative to `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The stack's name where Greenroom chooses it; `${stage}` and `${service}` stand in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// Values for the template and the steps; `${param:…}` and `${output:…}` stand in them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// The commands to run, defaults filled in; `None`: the step is left out, `notes` say why.
    pub commands: Commands,
    /// What was detected and why, one sentence each, shown on the build page.
    pub notes: Vec<String>,
}

impl Service {
    /// A service of which nothing more is known.
    pub fn new(name: ServiceName, path: impl Into<String>, framework: Framework) -> Self {
        Self {
            name,
            path: path.into(),
            framework,
            published_as: None,
            depends_on: Vec::new(),
            reads: Vec::new(),
            watch: Vec::new(),
            template: None,
            stack: None,
            parameters: BTreeMap::new(),
            commands: Commands::default(),
            notes: Vec::new(),
        }
    }

    /// Whether the service gets a test job.
    pub fn is_tested(&self) -> bool {
        self.commands.lint.is_some() || self.commands.test.is_some()
    }
}

/// The pipeline file as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PipelineFile {
    pub services: BTreeMap<ServiceName, ServiceEntry>,
    /// Runs once for the stage, when all of a build's deploys are through.
    pub post_deploy: Option<Step>,
}

/// One entry below `services:`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceEntry {
    pub path: String,
    pub framework: Option<Framework>,
    pub depends_on: Vec<ServiceName>,
    pub watch: Vec<String>,
    pub template: Option<String>,
    pub stack: Option<String>,
    pub parameters: BTreeMap<String, String>,
    pub commands: Commands,
}
