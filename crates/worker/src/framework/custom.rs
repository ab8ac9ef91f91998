//! Commands of `greenroom.yml` alone. Pure.
//!
//! What always holds: without stacks there is nothing of AWS to look at: the commands' exit
//! statuses are what is known, and a removal is repeated rather than believed to be done.

use model::job::Failure;

use super::{
    Amended, Authority, Deploying, Facts, Framework, Making, Package, Removing, Site, StackNames,
    StackTags, ToolFound, Work,
};
use crate::detect::configuration;
use crate::git::Workspace;

pub(super) struct Custom;

impl Framework for Custom {
    fn tool(&self, _site: &Site<'_>) -> Option<ToolFound> {
        None
    }

    fn package(&self, _site: &Site<'_>) -> Result<Making, Failure> {
        Ok(Making::Nothing)
    }

    fn made(&self, site: &Site<'_>, _files: &Workspace) -> Result<Package, Failure> {
        Ok(Package {
            stage: site.target.stage.clone(),
            region: site.target.region.clone(),
            stacks: Vec::new(),
        })
    }

    fn facts(&self, _files: &Workspace) -> Facts {
        Facts::default()
    }

    fn deploy(
        &self,
        site: &Site<'_>,
        _package: &Package,
        _files: &Workspace,
        _tags: &StackTags,
    ) -> Result<Deploying, Failure> {
        Err(needed(site, "deploy"))
    }

    fn tagged(&self, _files: &Workspace, _tags: &StackTags) -> Result<Vec<Amended>, Failure> {
        Ok(Vec::new())
    }

    fn stacks(&self, _site: &Site<'_>) -> StackNames {
        StackNames::Known(Vec::new())
    }

    fn remove(&self, site: &Site<'_>) -> Result<Removing, Failure> {
        Err(needed(site, "remove"))
    }

    fn authority(&self) -> Authority {
        Authority::Manifest
    }

    fn needs_source(&self, work: Work) -> bool {
        match work {
            Work::Deploy | Work::Remove => true,
        }
    }
}

fn needed(site: &Site<'_>, command: &str) -> Failure {
    configuration(format!(
        "services.{} of greenroom.yml has framework: custom and no `{command}` command; write one",
        site.service.name
    ))
}
