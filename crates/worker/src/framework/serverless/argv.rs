//! The framework's command lines. Pure.
//!
//! What always holds: what a log shows of a command ([`shown`]) has no parameter in it. The
//! values themselves stand in the arguments, for the framework takes them nowhere else; only
//! processes of the same sandbox can see those.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use model::worker_api::Target;

use crate::framework::parameters::counted;

/// What the framework is to do. A package directory is relative to the service's: `serverless` 3
/// puts the service's directory before it, even before an absolute one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action<'a> {
    Package { into: &'a str },
    Deploy { from: &'a str },
    Remove,
}

impl<'a> Action<'a> {
    fn arguments(self) -> Vec<&'a str> {
        match self {
            Self::Package { into } => vec!["package", "--package", into],
            // Without --force the framework skips a package that it believes is deployed.
            Self::Deploy { from } => vec!["deploy", "--package", from, "--force"],
            Self::Remove => vec!["remove"],
        }
    }
}

/// The way from one absolute directory to another.
pub(crate) fn relative(from: &Path, to: &Path) -> PathBuf {
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(common).map(|_| Component::ParentDir);
    up.chain(to.components().skip(common)).collect()
}

/// The whole command line; `program` as seen from the service's directory.
pub(crate) fn argv(
    program: &str,
    action: Action<'_>,
    target: &Target,
    values: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut argv = vec![program.to_owned()];
    argv.extend(action.arguments().into_iter().map(str::to_owned));
    for (option, value) in
        [("--stage", target.stage.as_str()), ("--region", target.region.as_str())]
    {
        argv.extend([option.to_owned(), value.to_owned()]);
    }
    for (key, value) in values {
        argv.extend(["--param".to_owned(), format!("{key}={value}")]);
    }
    argv
}

/// The command as the log's heading shows it.
pub(crate) fn shown(name: &str, action: Action<'_>, target: &Target, values: usize) -> String {
    let arguments = action.arguments().join(" ");
    let parameters = counted(values);
    format!("{name} {arguments} --stage {} --region {}{parameters}", target.stage, target.region)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::target;

    fn values() -> BTreeMap<String, String> {
        [("env", "dev"), ("key", "s3cret; rm -rf /")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn a_deploy_names_package_stage_region_and_every_parameter() {
        assert_eq!(
            argv(
                "node_modules/.bin/osls",
                Action::Deploy { from: "../../home/step/package" },
                &target(&[]),
                &values()
            ),
            [
                "node_modules/.bin/osls",
                "deploy",
                "--package",
                "../../home/step/package",
                "--force",
                "--stage",
                "feature-x",
                "--region",
                "us-east-1",
                "--param",
                "env=dev",
                "--param",
                "key=s3cret; rm -rf /",
            ]
        );
    }

    #[test]
    fn a_removal_needs_no_package() {
        let argv = argv("osls", Action::Remove, &target(&[]), &values());
        assert_eq!(argv[..4], ["osls", "remove", "--stage", "feature-x"]);
    }

    #[test]
    fn what_the_log_shows_has_no_parameter_in_it() {
        let shown = shown("osls", Action::Package { into: "../p" }, &target(&[]), 2);
        assert_eq!(
            shown,
            "osls package --package ../p --stage feature-x --region us-east-1 (2 parameters)"
        );
    }

    #[test]
    fn the_way_to_the_package_leads_up_and_down_again() {
        let way = |from: &str, to: &str| relative(Path::new(from), Path::new(to));
        assert_eq!(
            way("/workspace/a/b", "/home/step/package"),
            Path::new("../../../home/step/package")
        );
        assert_eq!(way("/r/workspace", "/r/home/package"), Path::new("../home/package"));
    }
}
