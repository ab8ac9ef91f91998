//! What a service's `package.json` and lock files say: how to install, lint and test it. Pure.
//!
//! What always holds: every default and every left-out step comes with a sentence that says why;
//! a command of `greenroom.yml` always wins.

use std::collections::{BTreeMap, BTreeSet};

use model::job::Failure;
use model::pipeline::Commands;
use serde::Deserialize;

use crate::detect::{configuration, within};

/// npm writes this test script into every new package.
const NPM_PLACEHOLDER: &str = "no test specified";

/// Lock files and what installs from them, the first found counts.
const LOCK_FILES: [(&str, &str); 4] = [
    ("package-lock.json", "npm ci"),
    ("npm-shrinkwrap.json", "npm ci"),
    ("yarn.lock", "yarn install --frozen-lockfile"),
    ("pnpm-lock.yaml", "pnpm install --frozen-lockfile"),
];

/// The parts of a `package.json` that count here. Values of odd types are ignored, as npm does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PackageJson {
    pub(crate) scripts: BTreeMap<String, String>,
    /// `dependencies` and `devDependencies` together.
    pub(crate) dependencies: BTreeMap<String, String>,
}

impl PackageJson {
    /// `file` names the place in the message.
    pub(crate) fn parse(file: &str, text: &[u8]) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Written {
            #[serde(default)]
            scripts: BTreeMap<String, serde_json::Value>,
            #[serde(default)]
            dependencies: BTreeMap<String, serde_json::Value>,
            #[serde(default)]
            dev_dependencies: BTreeMap<String, serde_json::Value>,
        }
        let written: Written = serde_json::from_slice(text).map_err(|error| {
            configuration(format!("{file} is not a package.json: {error}; correct it"))
        })?;
        let texts = |map: BTreeMap<String, serde_json::Value>| {
            map.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned())))
        };
        let mut dependencies: BTreeMap<String, String> = texts(written.dev_dependencies).collect();
        dependencies.extend(texts(written.dependencies));
        Ok(Self { scripts: texts(written.scripts).collect(), dependencies })
    }
}

/// Where a service's dependencies are installed, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Install {
    /// The directory, relative to the root: the service's or one above it.
    pub(crate) directory: String,
    /// The lock file, relative to the root.
    pub(crate) lock: Option<String>,
    pub(crate) command: String,
}

/// The nearest directory from the service upwards with a lock file; without one the service's
/// own `package.json`; `None` when there is neither.
pub(crate) fn install(path: &str, files: &BTreeSet<String>) -> Option<Install> {
    for directory in upwards(path) {
        if !files.contains(&within(directory, "package.json")) {
            continue;
        }
        for (lock, command) in LOCK_FILES {
            let lock = within(directory, lock);
            if files.contains(&lock) {
                return Some(Install {
                    directory: directory.to_owned(),
                    lock: Some(lock),
                    command: command.to_owned(),
                });
            }
        }
    }
    files.contains(&within(path, "package.json")).then(|| Install {
        directory: path.to_owned(),
        lock: None,
        command: "npm install".to_owned(),
    })
}

/// A directory and those above it, up to the root: `a/b`, `a`, `.`.
pub(crate) fn upwards(path: &str) -> Vec<&str> {
    let mut directories = vec![path];
    let mut rest = path;
    while let Some((above, _)) = rest.rsplit_once('/') {
        directories.push(above);
        rest = above;
    }
    if path != "." {
        directories.push(".");
    }
    directories
}

/// How to come from a service's directory to one above it, for a command line.
pub(crate) fn climb(path: &str, above: &str) -> String {
    let depth = |path: &str| if path == "." { 0 } else { path.split('/').count() };
    let steps = depth(path).saturating_sub(depth(above));
    if steps == 0 { ".".to_owned() } else { vec![".."; steps].join("/") }
}

/// Fills in the commands that `written` leaves open, and says why each is what it is.
pub(crate) fn fill_in(
    path: &str,
    written: &Commands,
    package: Option<&PackageJson>,
    install: Option<&Install>,
) -> (Commands, Vec<String>) {
    let mut commands = written.clone();
    let mut notes = Vec::new();
    if written.install.is_some() {
        notes.push("install: as greenroom.yml says".to_owned());
    } else if let Some(install) = install {
        let command = if install.directory == path {
            install.command.clone()
        } else {
            format!("cd {} && {}", climb(path, &install.directory), install.command)
        };
        notes.push(match &install.lock {
            Some(lock) => format!("install: {command}, because there is {lock}"),
            None => format!(
                "install: {command}; there is no lock file, so every build may get other versions: commit one"
            ),
        });
        commands.install = Some(command);
    } else {
        notes.push("install: nothing, there is no package.json".to_owned());
    }
    let file = within(path, "package.json");
    let script = |name: &str| package.and_then(|package| package.scripts.get(name));
    if written.lint.is_some() {
        notes.push("lint: as greenroom.yml says".to_owned());
    } else if script("lint").is_some() {
        notes.push(format!("lint: npm run lint, a script of {file}"));
        commands.lint = Some("npm run lint".to_owned());
    } else {
        notes.push("lint: left out, there is no lint script".to_owned());
    }
    if written.test.is_some() {
        notes.push("test: as greenroom.yml says".to_owned());
    } else {
        match script("test") {
            Some(test) if test.contains(NPM_PLACEHOLDER) => {
                notes.push(format!(
                    "test: left out, the test script of {file} is npm's placeholder"
                ));
            }
            Some(_) => {
                notes.push(format!("test: npm test, a script of {file}"));
                commands.test = Some("npm test".to_owned());
            }
            None => notes.push("test: left out, there is no test script".to_owned()),
        }
    }
    (commands, notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> BTreeSet<String> {
        paths.iter().map(|path| (*path).to_owned()).collect()
    }

    fn package(text: &str) -> PackageJson {
        PackageJson::parse("api/package.json", text.as_bytes()).expect("a package.json")
    }

    fn filled(paths: &[&str], text: &str, written: &Commands) -> (Commands, String) {
        let install = install("api", &files(paths));
        let (commands, notes) = fill_in("api", written, Some(&package(text)), install.as_ref());
        (commands, notes.join("\n"))
    }

    #[test]
    fn the_lock_file_decides_what_installs() {
        for (lock, command) in LOCK_FILES {
            let lock = format!("api/{lock}");
            let (commands, notes) =
                filled(&["api/package.json", &lock], "{}", &Commands::default());
            assert_eq!(commands.install.as_deref(), Some(command));
            assert!(notes.contains(&lock), "{notes}");
        }
    }

    #[test]
    fn without_a_lock_file_npm_installs_and_the_note_says_to_commit_one() {
        let (commands, notes) = filled(&["api/package.json"], "{}", &Commands::default());
        assert_eq!(commands.install.as_deref(), Some("npm install"));
        assert!(notes.contains("commit one"), "{notes}");
    }

    #[test]
    fn a_workspace_installs_where_its_lock_file_is() {
        let install =
            install("apps/api", &files(&["apps/api/package.json", "package.json", "yarn.lock"]));
        let (commands, _) = fill_in("apps/api", &Commands::default(), None, install.as_ref());
        assert_eq!(commands.install.as_deref(), Some("cd ../.. && yarn install --frozen-lockfile"));
    }

    #[test]
    fn a_service_without_package_json_installs_nothing() {
        assert_eq!(install("api", &files(&["api/serverless.yml"])), None);
        let (commands, notes) = fill_in("api", &Commands::default(), None, None);
        assert_eq!(commands, Commands::default());
        assert_eq!(notes.len(), 3);
    }

    #[test]
    fn scripts_become_steps_and_the_placeholder_does_not() {
        let placeholder = r#"{"scripts":{"lint":"eslint .","test":"echo \"Error: no test specified\" && exit 1"}}"#;
        let (commands, notes) = filled(&[], placeholder, &Commands::default());
        assert_eq!(commands.lint.as_deref(), Some("npm run lint"));
        assert_eq!(commands.test, None);
        assert!(notes.contains("placeholder"), "{notes}");
        let (commands, _) = filled(&[], r#"{"scripts":{"test":"vitest"}}"#, &Commands::default());
        assert_eq!(commands.test.as_deref(), Some("npm test"));
    }

    #[test]
    fn what_greenroom_yml_says_wins() {
        let written = Commands {
            install: Some("make deps".to_owned()),
            test: Some("make test".to_owned()),
            ..Commands::default()
        };
        let (commands, _) =
            filled(&["api/package.json", "api/yarn.lock"], r#"{"scripts":{"test":"x"}}"#, &written);
        assert_eq!(commands, written);
    }

    #[test]
    fn a_broken_package_json_is_named() {
        let failure = PackageJson::parse("api/package.json", b"{").expect_err("cut off");
        assert!(failure.message.starts_with("api/package.json"), "{}", failure.message);
    }
}
