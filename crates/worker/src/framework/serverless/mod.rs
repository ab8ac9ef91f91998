//! The Serverless Framework: `osls` 3 and 4, and `serverless` 3, as found in a service's own
//! `node_modules`.
//!
//! - `config`: what `serverless.yml` says before anything is installed, and the traps in it;
//! - `tool`: the installed program and its version;
//! - `argv`: its command lines;
//! - `package`: what a package says about the stage and region it was made for.
//!
//! Our own plugin for the framework, and how it is loaded: [`model::plugin`].

pub(crate) mod argv;
pub(crate) mod config;
pub(crate) mod package;
pub(crate) mod tool;

use model::job::Failure;
use model::pipeline::Service;

use self::argv::Action;
use self::config::ServerlessYml;
use self::package::{PackageState, STATE_FILE};
use self::tool::Tool;
use super::{
    Amended, Authority, Deploying, FILE_MAX_BYTES, Facts, Framework, Making, Package, Removing,
    Site, StackNames, StackTags, ToolFound, Work, not_packaged,
};
use crate::detect::{configuration, within};
use crate::git::{Workspace, WorkspaceError};
use crate::step::Order;

const CONFIG_MAX_BYTES: u64 = 4 * 1024 * 1024;
const CONFIGS: [&str; 2] = ["serverless.yml", "serverless.yaml"];

pub(super) struct Serverless;

impl Framework for Serverless {
    fn tool(&self, site: &Site<'_>) -> Option<ToolFound> {
        let tool = Tool::find(site.workspace, &site.service.path).ok()?;
        Some(ToolFound { tool: tool.known(), name: tool.package, version: Some(tool.version) })
    }

    fn package(&self, site: &Site<'_>) -> Result<Making, Failure> {
        let into = package_path(site);
        Ok(Making::Run(order(site, Action::Package { into: &into })?))
    }

    fn made(&self, _site: &Site<'_>, files: &Workspace) -> Result<Package, Failure> {
        Ok(PackageState::parse(&state(files)?)?.package())
    }

    fn facts(&self, files: &Workspace) -> Facts {
        let Ok(text) = state(files) else { return Facts::default() };
        let parsed = PackageState::parse(&text).ok();
        let whole: Option<serde_json::Value> = serde_json::from_slice(&text).ok();
        Facts {
            service: parsed.as_ref().map(|parsed| parsed.service.clone()),
            bucket: parsed.as_ref().and_then(|parsed| parsed.bucket.clone()),
            parameters: parsed.map(|parsed| parsed.parameters).unwrap_or_default(),
            state: whole
                .and_then(|mut whole| whole.get_mut("service").map(serde_json::Value::take)),
        }
    }

    fn deploy(
        &self,
        site: &Site<'_>,
        _package: &Package,
        _files: &Workspace,
        _tags: &StackTags,
    ) -> Result<Deploying, Failure> {
        let from = package_path(site);
        Ok(Deploying::Run(order(site, Action::Deploy { from: &from })?))
    }

    fn tagged(&self, _files: &Workspace, _tags: &StackTags) -> Result<Vec<Amended>, Failure> {
        Ok(Vec::new())
    }

    fn stacks(&self, site: &Site<'_>) -> StackNames {
        let written = written(site.workspace, site.service);
        let named = written.and_then(|written| written.stack(&site.target.stage));
        named.map_or(StackNames::Unknown, |name| StackNames::Known(vec![name]))
    }

    fn remove(&self, site: &Site<'_>) -> Result<Removing, Failure> {
        Ok(Removing::Run(order(site, Action::Remove)?))
    }

    fn authority(&self) -> Authority {
        Authority::Framework
    }

    fn needs_source(&self, work: Work) -> bool {
        match work {
            Work::Deploy | Work::Remove => true,
        }
    }
}

/// The plugins of a service that are installed packages.
pub(crate) fn plugins(workspace: &Workspace, service: &Service) -> Vec<String> {
    written(workspace, service).map(|written| written.plugins).unwrap_or_default()
}

/// The service's configuration, where it is YAML.
fn written(workspace: &Workspace, service: &Service) -> Option<ServerlessYml> {
    service.template.as_deref().into_iter().chain(CONFIGS).find_map(|file| {
        let path = within(&service.path, file);
        let text = String::from_utf8(workspace.read(path, CONFIG_MAX_BYTES).ok()?).ok()?;
        ServerlessYml::parse(&text).ok()
    })
}

fn order(site: &Site<'_>, action: Action<'_>) -> Result<Order, Failure> {
    let tool = Tool::find(site.workspace, &site.service.path)?;
    let values = site.values();
    let heading = argv::shown(&tool.package, action, site.target, values.len());
    let mut argv = argv::argv(&tool.program, action, site.target, &values);
    if let Some(config) = &site.service.template {
        argv.extend(["--config".to_owned(), config.clone()]);
    }
    Ok(Order::argv(heading, argv))
}

/// The package directory as the framework is told it.
fn package_path(site: &Site<'_>) -> String {
    let places = site.places;
    argv::relative(&places.service, &places.package).to_string_lossy().into_owned()
}

fn state(files: &Workspace) -> Result<Vec<u8>, Failure> {
    files.read(STATE_FILE, FILE_MAX_BYTES).map_err(|error| match error {
        WorkspaceError::Missing(_) => {
            not_packaged(STATE_FILE, "osls package --package \"$GREENROOM_PACKAGE_DIR\" …")
        }
        error @ (WorkspaceError::Outside(_)
        | WorkspaceError::WrongKind { .. }
        | WorkspaceError::TooLarge { .. }
        | WorkspaceError::Io { .. }) => configuration(error.to_string()),
    })
}
