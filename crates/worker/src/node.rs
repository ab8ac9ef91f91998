//! What a service's `package.json` and lock files say: how to install, lint and test it. Pure.
//!
//! What always holds: every default and every left-out step comes with a sentence that says why;
//! a command of `greenroom.yml` always wins.

use std::collections::BTreeSet;

use model::pipeline::{Commands, Framework, Step};

use crate::detect::{label, within};
pub(crate) use model::detect::{PackageJson, upwards};

/// npm writes this test script into every new package.
const NPM_PLACEHOLDER: &str = "no test specified";

/// Lock files and who wrote them, the first found counts.
const LOCK_FILES: [(&str, Manager); 4] = [
    ("package-lock.json", Manager::Npm),
    ("npm-shrinkwrap.json", Manager::Npm),
    ("yarn.lock", Manager::Yarn),
    ("pnpm-lock.yaml", Manager::Pnpm),
];

/// Beside a `yarn.lock`: it is of Yarn 2 or newer, which reads no other settings.
const BERRY: &str = ".yarnrc.yml";

/// Who installs packages and runs scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manager {
    Npm,
    /// Version 1.
    Yarn,
    /// Version 2 and newer.
    YarnBerry,
    Pnpm,
}

impl Manager {
    /// Installs what the lock file pins, and fails where it does not fit `package.json`.
    fn install(self) -> &'static str {
        match self {
            Self::Npm => "npm ci",
            Self::Yarn => "yarn install --frozen-lockfile",
            Self::YarnBerry => "yarn install --immutable",
            Self::Pnpm => "pnpm install --frozen-lockfile",
        }
    }

    fn script(self, name: &str) -> String {
        match (self, name) {
            (Self::Npm, "test") => "npm test".to_owned(),
            (Self::Npm, _) => format!("npm run {name}"),
            // without node_modules, only yarn finds the programs that a script names
            (Self::Yarn | Self::YarnBerry, _) => format!("yarn run {name}"),
            (Self::Pnpm, _) => format!("pnpm run {name}"),
        }
    }
}

/// Where a service's dependencies are installed, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Install {
    /// The directory, relative to the root: the service's or one above it.
    pub(crate) directory: String,
    /// The lock file, relative to the root.
    pub(crate) lock: Option<String>,
    pub(crate) manager: Manager,
    pub(crate) command: String,
}

/// The nearest directory from the service upwards with a lock file; without one the service's
/// own `package.json`; `None` when there is neither.
pub(crate) fn install(path: &str, files: &BTreeSet<String>) -> Option<Install> {
    for directory in upwards(path) {
        if !files.contains(&within(directory, "package.json")) {
            continue;
        }
        for (lock, manager) in LOCK_FILES {
            let lock = within(directory, lock);
            if files.contains(&lock) {
                let berry = manager == Manager::Yarn && files.contains(&within(directory, BERRY));
                let manager = if berry { Manager::YarnBerry } else { manager };
                return Some(Install {
                    directory: directory.to_owned(),
                    lock: Some(lock),
                    manager,
                    command: manager.install().to_owned(),
                });
            }
        }
    }
    files.contains(&within(path, "package.json")).then(|| Install {
        directory: path.to_owned(),
        lock: None,
        manager: Manager::Npm,
        command: "npm install".to_owned(),
    })
}

/// Whether the framework itself is a package that an install brings; the others need one only
/// for scripts of the service's own.
fn is_installed(framework: Framework) -> bool {
    match framework {
        Framework::Serverless | Framework::Cdk => true,
        Framework::Cloudformation | Framework::Sam | Framework::Custom => false,
    }
}

/// How to come from a service's directory to one above it, for a command line.
pub(crate) fn climb(path: &str, above: &str) -> String {
    let depth = |path: &str| if path == "." { 0 } else { path.split('/').count() };
    let steps = depth(path).saturating_sub(depth(above));
    if steps == 0 { ".".to_owned() } else { vec![".."; steps].join("/") }
}

/// Fills in the commands that `written` leaves open, and says why each is what it is. `package` is
/// the `package.json` in `path`.
pub(crate) fn fill_in(
    path: &str,
    framework: Framework,
    written: &Commands,
    package: Option<&PackageJson>,
    install: Option<&Install>,
) -> (Commands, Vec<String>) {
    let mut commands = written.clone();
    let mut notes = Vec::new();
    let install = install.filter(|_| package.is_some() || is_installed(framework));
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
        commands.install = Some(Step::new(command));
    } else if is_installed(framework) {
        notes.push("install: nothing, there is no package.json".to_owned());
    } else {
        notes.push(format!(
            "install: nothing, {} needs none and there is no {}",
            label(framework),
            within(path, "package.json")
        ));
    }
    let file = within(path, "package.json");
    let manager = install.map_or(Manager::Npm, |install| install.manager);
    let script = |name: &str| package.and_then(|package| package.scripts.get(name));
    if written.lint.is_some() {
        notes.push("lint: as greenroom.yml says".to_owned());
    } else if script("lint").is_some() {
        let command = manager.script("lint");
        notes.push(format!("lint: {command}, a script of {file}"));
        commands.lint = Some(Step::new(command));
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
                let command = manager.script("test");
                notes.push(format!("test: {command}, a script of {file}"));
                commands.test = Some(Step::new(command));
            }
            None => notes.push("test: left out, there is no test script".to_owned()),
        }
    }
    (commands, notes)
}

#[cfg(test)]
mod tests;
