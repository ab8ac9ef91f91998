//! A CloudFormation template, deployed by Greenroom's own change sets. Pure.
//!
//! What always holds: the template goes to CloudFormation as it is written; no program of the
//! commit runs unless the pipeline file names one.

use model::job::Failure;

use super::{
    Amended, Authority, Deploying, Facts, Foresight, Framework, Making, Package, PackagedStack,
    Removing, Site, StackNames, StackTags, ToolFound, Work, not_packaged, parameters, stack_name,
};
use crate::detect::{configuration, within};
use crate::git::{Workspace, WorkspaceError};

/// In the package, whatever it is called in the commit. JSON is YAML too.
const TEMPLATE: &str = "template.yml";
/// Looked for where the pipeline file names none.
const DEFAULTS: [&str; 5] =
    ["template.yml", "template.yaml", "template.json", "cloudformation.yml", "cloudformation.yaml"];

pub(super) struct Cloudformation;

impl Framework for Cloudformation {
    fn tool(&self, _site: &Site<'_>) -> Option<ToolFound> {
        None
    }

    fn package(&self, site: &Site<'_>) -> Result<Making, Failure> {
        let from = within(&site.service.path, &written(site, &DEFAULTS)?);
        Ok(Making::Copy { from, to: TEMPLATE })
    }

    fn made(&self, site: &Site<'_>, files: &Workspace) -> Result<Package, Failure> {
        let name = stack_name::of(site.service, &site.target.stage)?;
        let stack = PackagedStack::new(name, TEMPLATE, Foresight::Ask);
        let package =
            one_stack(site, files, stack, "the template, as CloudFormation is to get it")?;
        // A template that cannot be read is told by the checks that follow.
        if let Ok(template) = parameters::template(files, &package.stacks[0]) {
            let unknown = parameters::undeclared(template.tree(), site.inputs);
            if !unknown.is_empty() {
                return Err(configuration(format!(
                    "services.{}.parameters of greenroom.yml has {}, and the template declares no such parameter: correct the name or remove it",
                    site.service.name,
                    unknown.join(", ")
                )));
            }
        }
        Ok(package)
    }

    fn facts(&self, _files: &Workspace) -> Facts {
        Facts::default()
    }

    fn deploy(
        &self,
        _site: &Site<'_>,
        _package: &Package,
        _files: &Workspace,
        _tags: &StackTags,
    ) -> Result<Deploying, Failure> {
        Ok(Deploying::ChangeSets)
    }

    fn tagged(&self, _files: &Workspace, _tags: &StackTags) -> Result<Vec<Amended>, Failure> {
        Ok(Vec::new())
    }

    fn stacks(&self, site: &Site<'_>) -> StackNames {
        // A stack of a name that cannot be was never deployed.
        StackNames::Known(stack_name::of(site.service, &site.target.stage).into_iter().collect())
    }

    fn remove(&self, _site: &Site<'_>) -> Result<Removing, Failure> {
        Ok(Removing::Stacks)
    }

    fn authority(&self) -> Authority {
        Authority::Manifest
    }

    fn needs_source(&self, work: Work) -> bool {
        match work {
            Work::Deploy | Work::Remove => false,
        }
    }
}

/// The service's template, relative to its directory.
pub(super) fn written(site: &Site<'_>, defaults: &[&str]) -> Result<String, Failure> {
    let service = site.service;
    if let Some(template) = &service.template {
        return Ok(template.clone());
    }
    let there =
        |file: &&str| site.workspace.open_file(within(&service.path, file).as_ref()).is_ok();
    match defaults.iter().copied().find(there) {
        Some(file) => Ok(file.to_owned()),
        None => Err(configuration(format!(
            "{} has no template: name it by `template:` at services.{} in greenroom.yml (looked for {})",
            service.path,
            service.name,
            defaults.join(", ")
        ))),
    }
}

/// A package with one stack, whose template must be there.
pub(super) fn one_stack(
    site: &Site<'_>,
    files: &Workspace,
    stack: PackagedStack,
    how: &str,
) -> Result<Package, Failure> {
    match files.open_file(stack.template.as_ref()) {
        Ok(_) => Ok(Package {
            stage: site.target.stage.clone(),
            region: site.target.region.clone(),
            stacks: vec![stack],
        }),
        Err(WorkspaceError::Missing(_)) => Err(not_packaged(&stack.template, how)),
        Err(
            error @ (WorkspaceError::Outside(_)
            | WorkspaceError::WrongKind { .. }
            | WorkspaceError::TooLarge { .. }
            | WorkspaceError::Io { .. }),
        ) => Err(configuration(error.to_string())),
    }
}
