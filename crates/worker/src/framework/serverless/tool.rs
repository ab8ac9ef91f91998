//! The framework as installed in a service's `node_modules`, or in those of a directory above.
//!
//! What always holds: the version is read from the installed package, not from a range; a
//! `serverless` of version 4 is never started (its first run downloads the real program).

use model::app::safeguard::Tool as Known;
use model::job::{Failure, FailureKind};
use serde::Deserialize;

use super::config::major;
use crate::detect::{configuration, within};
use crate::framework::node_modules::{self, Installed as Found};
use crate::git::Workspace;

/// Preferred first.
const PACKAGES: [&str; 2] = ["osls", "serverless"];
const BINARIES: [&str; 3] = ["osls", "serverless", "sls"];

/// An installed framework.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tool {
    /// `osls` or `serverless`.
    pub(crate) package: String,
    pub(crate) version: String,
    /// As seen from the service's directory, such as `../node_modules/.bin/osls`.
    pub(crate) program: String,
}

#[derive(Deserialize)]
struct Installed {
    version: String,
    /// Names and files; a single program may stand without its name.
    #[serde(default)]
    bin: serde_json::Value,
}

impl Tool {
    /// Looks in the service's directory first, then above it.
    pub(crate) fn find(workspace: &Workspace, service_path: &str) -> Result<Self, Failure> {
        match node_modules::find(workspace, service_path, &PACKAGES)? {
            Some(found) => Self::read(&found),
            None => Err(configuration(format!(
                "the install step left no framework in {}: add it with `npm install --save-dev osls@4` and commit package.json and its lock file",
                within(service_path, "node_modules")
            ))),
        }
    }

    fn read(found: &Found) -> Result<Self, Failure> {
        let package = found.package;
        let installed: Installed =
            serde_json::from_slice(&found.text).map_err(|error| Failure {
                kind: FailureKind::Step,
                message: format!(
                    "{}, which the install step wrote, cannot be read: {error}",
                    found.file
                ),
            })?;
        if package == "serverless" && major(&installed.version).is_none_or(|major| major >= 4) {
            return Err(configuration(format!(
                "serverless {} is installed: version 4 is a download that needs a licence and cannot run here; use osls instead: `npm uninstall serverless && npm install --save-dev osls@4`",
                installed.version
            )));
        }
        let name = BINARIES.into_iter().find(|name| installed.bin.get(name).is_some());
        let program = found.program(name.unwrap_or(package));
        Ok(Self { package: package.to_owned(), version: installed.version, program })
    }

    pub(crate) fn known(&self) -> Known {
        if self.package == "osls" { Known::Osls } else { Known::Serverless }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn install(root: &Path, directory: &str, package: &str, json: &str) {
        let at = root.join(directory).join("node_modules").join(package);
        std::fs::create_dir_all(&at).expect("a directory");
        std::fs::write(at.join("package.json"), json).expect("a package.json");
    }

    fn find(root: &Path, path: &str) -> Result<Tool, Failure> {
        Tool::find(&Workspace::new(root.to_owned()), path)
    }

    #[test]
    fn the_services_own_framework_is_preferred_to_the_roots() {
        let root = tempfile::tempdir().expect("a directory");
        let bins = r#"{"version":"4.3.1","bin":{"osls":"a","serverless":"a","sls":"a"}}"#;
        install(root.path(), ".", "osls", bins);
        let above = find(root.path(), "apps/api").expect("found above");
        assert_eq!(above.program, "../../node_modules/.bin/osls");
        install(root.path(), "apps/api", "serverless", r#"{"version":"3.40.0","bin":{"sls":"b"}}"#);
        let own = find(root.path(), "apps/api").expect("found in the service");
        assert_eq!(
            (own.program.as_str(), own.package.as_str(), own.version.as_str()),
            ("./node_modules/.bin/sls", "serverless", "3.40.0")
        );
    }

    #[test]
    fn an_installed_serverless_4_is_never_started() {
        let root = tempfile::tempdir().expect("a directory");
        install(root.path(), "api", "serverless", r#"{"version":"4.43.0"}"#);
        let failure = find(root.path(), "api").expect_err("version 4");
        assert_eq!(failure.kind, FailureKind::Configuration);
        assert!(failure.message.contains("osls@4"), "{}", failure.message);
    }

    #[test]
    fn no_framework_at_all_says_how_to_get_one() {
        let root = tempfile::tempdir().expect("a directory");
        assert!(
            find(root.path(), "api").expect_err("none").message.contains("npm install --save-dev")
        );
    }

    #[test]
    fn a_framework_that_is_a_link_out_of_the_workspace_is_refused() {
        let root = tempfile::tempdir().expect("a directory");
        let outside = tempfile::tempdir().expect("another directory");
        install(outside.path(), ".", "osls", r#"{"version":"4.3.1"}"#);
        std::os::unix::fs::symlink(
            outside.path().join("node_modules"),
            root.path().join("node_modules"),
        )
        .expect("a link");
        assert!(find(root.path(), ".").expect_err("outside").message.contains("leads out"));
    }
}
