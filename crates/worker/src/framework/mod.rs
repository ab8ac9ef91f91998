//! The frameworks that services are packaged and deployed with, one file or folder each, behind
//! one trait.
//!
//! What always holds: a framework decides *what* is run or read and runs nothing itself. What all
//! of them share (credentials, checks, the artifact, a stack looked at before and after) is in the
//! jobs; so a framework cannot forget it. What is told here is read from the package and the
//! commit's files, never from a command's word.

mod cdk;
mod cloudformation;
mod custom;
pub(crate) mod manifest;
mod node_modules;
pub(crate) mod parameters;
mod sam;
pub(crate) mod serverless;
mod stack_name;

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::app::safeguard::Tool;
use model::job::Failure;
use model::pipeline::{self, Service};
use model::worker_api::Target;
use model::{Region, StageName};

use crate::detect::configuration;
use crate::git::Workspace;
use crate::step::Order;

/// The largest template or state file that is read.
pub(crate) const FILE_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Runs a command that writes into a directory of its own, and copies what it wrote into the
/// package with every link resolved: a package holds none. Arguments: that directory, the package
/// directory, the command.
const LINKLESS: &str = r#"made=$1; package=$2; shift 2; "$@"; cp -RL "$made/." "$package/""#;

/// One way to package, deploy and remove a service.
pub(crate) trait Framework: Send + Sync {
    /// The program that does the work, once the commit's dependencies are installed.
    fn tool(&self, site: &Site<'_>) -> Option<ToolFound>;

    /// How the package is made, in the package directory. A `package` command of the pipeline
    /// file takes its place.
    fn package(&self, site: &Site<'_>) -> Result<Making, Failure>;

    /// What was made. `files` is the package directory.
    fn made(&self, site: &Site<'_>, files: &Workspace) -> Result<Package, Failure>;

    /// What the package says besides, for the checks before a deploy.
    fn facts(&self, files: &Workspace) -> Facts;

    /// How a package comes onto its stacks, with the tags that they are to have. A `deploy` command
    /// of the pipeline file takes its place.
    fn deploy(
        &self,
        site: &Site<'_>,
        package: &Package,
        files: &Workspace,
        tags: &StackTags,
    ) -> Result<Deploying, Failure>;

    /// Files of the package that say which tags its stacks get, with these among them. None where
    /// the command line or the environment says it.
    fn tagged(&self, files: &Workspace, tags: &StackTags) -> Result<Vec<Amended>, Failure>;

    /// The service's stacks as the commit's files name them.
    fn stacks(&self, site: &Site<'_>) -> StackNames;

    /// How what was deployed goes away. A `remove` command of the pipeline file takes its place.
    fn remove(&self, site: &Site<'_>) -> Result<Removing, Failure>;

    /// Who says what a package in the store is for.
    fn authority(&self) -> Authority;

    /// Whether this part of the work needs the commit's files and what they install.
    fn needs_source(&self, work: Work) -> bool;
}

/// The framework of that name.
pub(crate) fn of(framework: pipeline::Framework) -> &'static dyn Framework {
    match framework {
        pipeline::Framework::Serverless => &serverless::Serverless,
        pipeline::Framework::Cloudformation => &cloudformation::Cloudformation,
        pipeline::Framework::Sam => &sam::Sam,
        pipeline::Framework::Cdk => &cdk::Cdk,
        pipeline::Framework::Custom => &custom::Custom,
    }
}

/// The service a framework is asked about, and where it is to go.
pub(crate) struct Site<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) service: &'a Service,
    pub(crate) target: &'a Target,
    /// The service's `parameters:` of `greenroom.yml`, with everything put in.
    pub(crate) inputs: &'a BTreeMap<String, String>,
    pub(crate) places: &'a Places,
    /// Whether steps find a program.
    pub(crate) finds: &'a (dyn Fn(&str) -> bool + Sync),
}

/// Directories of the room, as steps know them.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The service's own.
    pub(crate) service: PathBuf,
    /// Where packages are made, and deployed from.
    pub(crate) package: PathBuf,
    /// For a framework's own use; not there before.
    pub(crate) scratch: PathBuf,
}

impl Site<'_> {
    /// All values a template or a command may be given: the app's parameters, and in their place
    /// the service's own of the same name.
    pub(crate) fn values(&self) -> BTreeMap<String, String> {
        let parameters = &self.target.parameters;
        let mut values: BTreeMap<String, String> = parameters
            .iter()
            .map(|(key, parameter)| (key.to_string(), parameter.value.clone()))
            .collect();
        values.extend(self.inputs.clone());
        values
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Deploy,
    Remove,
}

/// A framework's program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToolFound {
    pub(crate) tool: Tool,
    pub(crate) name: String,
    /// `None`: only the program itself could say.
    pub(crate) version: Option<String>,
}

impl ToolFound {
    /// For the log: `osls 4.3.1`.
    pub(crate) fn describe(&self) -> String {
        match &self.version {
            Some(version) => format!("{} {version}", self.name),
            None => self.name.clone(),
        }
    }
}

/// What only the framework's own files say of a package.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The framework's name of the service.
    pub(crate) service: Option<String>,
    /// `service` of the Serverless Framework's state file.
    pub(crate) state: Option<serde_json::Value>,
    /// The bucket for packages.
    pub(crate) bucket: Option<String>,
    /// The values that the framework gives the template's parameters itself.
    pub(crate) parameters: BTreeMap<String, String>,
}

/// How a package is made.
#[derive(Debug)]
pub(crate) enum Making {
    Run(Order),
    /// One file of the workspace, under another name in the package.
    Copy {
        from: String,
        to: &'static str,
    },
    /// There is nothing to bring along but the manifest.
    Nothing,
}

#[derive(Debug)]
pub(crate) enum Deploying {
    Run(Order),
    /// Greenroom itself, stack by stack.
    ChangeSets,
}

/// A file of the package with another content than it was packaged with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Amended {
    pub(crate) name: String,
    pub(crate) content: Vec<u8>,
}

/// The tags of Greenroom's that a deploy gives to each stack, by its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StackTags(pub(crate) BTreeMap<String, BTreeMap<String, String>>);

impl StackTags {
    pub(crate) fn of(&self, stack: &str) -> BTreeMap<String, String> {
        self.0.get(stack).cloned().unwrap_or_default()
    }
}

#[derive(Debug)]
pub(crate) enum Removing {
    Run(Order),
    /// Greenroom itself deletes the stacks.
    Stacks,
}

/// What is known of a service's stacks before anything ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StackNames {
    /// In the order they are deployed in; none for a service without any.
    Known(Vec<String>),
    /// Only what the package command makes says it.
    InPackage,
    /// Only the framework can resolve it.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authority {
    /// The framework's own state file in the package.
    Framework,
    /// The manifest that the worker wrote.
    Manifest,
}

/// What a package is for, and onto what it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) stage: StageName,
    pub(crate) region: Region,
    /// In the order they are deployed in.
    pub(crate) stacks: Vec<PackagedStack>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct PackagedStack {
    pub(crate) name: String,
    /// Its template, relative to the package directory.
    pub(crate) template: String,
    /// How the change it makes is found out.
    pub(crate) foresight: Foresight,
    /// The role CloudFormation is told to act with, where the framework says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deployment_role: Option<String>,
    /// The tags the framework gives it, as far as they are known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, String>,
}

impl PackagedStack {
    fn new(name: String, template: impl Into<String>, foresight: Foresight) -> Self {
        let template = template.into();
        Self { name, template, foresight, deployment_role: None, tags: BTreeMap::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Foresight {
    /// The template is what CloudFormation will get.
    Ask,
    /// The framework rewrites the template at the deploy: CloudFormation cannot be asked before.
    Compare,
}

impl Package {
    /// Refuses a package that was made for another stage or region.
    pub(crate) fn check(&self, target: &Target) -> Result<(), Failure> {
        if self.stage != target.stage {
            return Err(configuration(format!(
                "the package is for stage {}, not {}: names of its resources hold the stage, so it must not go there; leave the stage to --stage (no fixed one in the package command)",
                self.stage, target.stage
            )));
        }
        if self.region != target.region {
            return Err(configuration(format!(
                "the package is for region {}, not {}: write `region: ${{opt:region}}` or no region under `provider` in serverless.yml, or correct the profile's region",
                self.region, target.region
            )));
        }
        Ok(())
    }
}

/// What a command of the user's left out of the package directory.
pub(crate) fn not_packaged(file: &str, how: &str) -> Failure {
    configuration(format!(
        "the package command left no {file}: a command of your own must package into $GREENROOM_PACKAGE_DIR ({how})"
    ))
}

#[cfg(test)]
mod tests;
