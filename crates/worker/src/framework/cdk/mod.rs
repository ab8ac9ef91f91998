//! AWS CDK: a program of the commit makes templates, and CDK's own command line deploys them.
//!
//! What always holds: the program runs at package time only; what is deployed is the assembly it
//! wrote. Stacks are removed by their names, without running it again.

mod assembly;
mod tags;

use std::path::Path;

use model::app::safeguard::Tool;
use model::job::Failure;
use serde::Deserialize;

use super::{
    Amended, Authority, Deploying, Facts, Framework, LINKLESS, Making, Package, Removing, Site,
    StackNames, StackTags, ToolFound, Work, node_modules, parameters,
};
use crate::detect::{configuration, within};
use crate::git::Workspace;
use crate::step::Order;

const PACKAGE: &str = "aws-cdk";

pub(super) struct Cdk;

impl Framework for Cdk {
    fn tool(&self, site: &Site<'_>) -> Option<ToolFound> {
        let version = Program::find(site).ok()?.version;
        Some(ToolFound { tool: Tool::Cdk, name: "cdk".to_owned(), version })
    }

    fn package(&self, site: &Site<'_>) -> Result<Making, Failure> {
        let program = Program::find(site)?.program;
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let (scratch, package) = (path(&site.places.scratch), path(&site.places.package));
        let argv = ["bash", "-euc", LINKLESS, "cdk", &scratch, &package]
            .into_iter()
            .chain([program.as_str(), "synth", "--quiet", "--output", &scratch])
            .chain(["--no-notices", "--no-color"]);
        let order = Order::argv("cdk synth", argv.map(str::to_owned).collect());
        Ok(Making::Run(order))
    }

    fn made(&self, site: &Site<'_>, files: &Workspace) -> Result<Package, Failure> {
        Ok(Package {
            stage: site.target.stage.clone(),
            region: site.target.region.clone(),
            stacks: assembly::stacks(files, site.target)?,
        })
    }

    fn facts(&self, _files: &Workspace) -> Facts {
        Facts::default()
    }

    fn deploy(
        &self,
        site: &Site<'_>,
        package: &Package,
        files: &Workspace,
        _tags: &StackTags,
    ) -> Result<Deploying, Failure> {
        let program = Program::find(site)?.program;
        let assembly = site.places.package.to_string_lossy().into_owned();
        let options = [
            &program,
            "deploy",
            // Those of nested assemblies too.
            "**",
            "--app",
            &assembly,
            "--require-approval",
            "never",
            "--progress",
            "events",
            "--ci",
            "--no-notices",
            "--no-color",
        ];
        let mut argv: Vec<String> = options.map(str::to_owned).to_vec();
        let values = site.values();
        let mut count = 0;
        for stack in &package.stacks {
            let template = parameters::template(files, stack)?;
            for (name, value) in parameters::given(&stack.name, template.tree(), &values)? {
                argv.extend(["--parameters".to_owned(), format!("{}:{name}={value}", stack.name)]);
                count += 1;
            }
        }
        let names: Vec<&str> = package.stacks.iter().map(|stack| stack.name.as_str()).collect();
        let heading = format!("cdk deploy {}{}", names.join(" "), parameters::counted(count));
        Ok(Deploying::Run(Order::argv(heading, argv)))
    }

    fn tagged(&self, files: &Workspace, tags: &StackTags) -> Result<Vec<Amended>, Failure> {
        tags::into_assembly(files, tags)
    }

    fn stacks(&self, _site: &Site<'_>) -> StackNames {
        StackNames::InPackage
    }

    fn remove(&self, _site: &Site<'_>) -> Result<Removing, Failure> {
        Ok(Removing::Stacks)
    }

    fn authority(&self) -> Authority {
        Authority::Manifest
    }

    fn needs_source(&self, work: Work) -> bool {
        match work {
            // The command line is one of the service's own dependencies.
            Work::Deploy => true,
            Work::Remove => false,
        }
    }
}

/// CDK's command line: the service's own, or the worker's.
#[derive(Debug, PartialEq, Eq)]
struct Program {
    program: String,
    version: Option<String>,
}

#[derive(Deserialize)]
struct Installed {
    version: String,
}

impl Program {
    fn find(site: &Site<'_>) -> Result<Self, Failure> {
        let path = &site.service.path;
        if let Some(found) = node_modules::find(site.workspace, path, &[PACKAGE])? {
            let installed: Option<Installed> = serde_json::from_slice(&found.text).ok();
            let version = installed.map(|installed| installed.version);
            return Ok(Self { program: found.program("cdk"), version });
        }
        if (site.finds)("cdk") {
            return Ok(Self { program: "cdk".to_owned(), version: None });
        }
        Err(configuration(format!(
            "the install step left no CDK in {}: add it with `npm install --save-dev aws-cdk@2` and commit package.json and its lock file",
            within(path, "node_modules")
        )))
    }
}
