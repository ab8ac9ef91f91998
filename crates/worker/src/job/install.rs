//! The install step, through the cache where that is safe.
//!
//! What always holds: only what a lock file pins is cached, under a key of the lock file, the
//! `package.json`, the `.npmrc` and the versions of node and npm, within app and trust. An install
//! with scripts of the project's own is never skipped, for they may write anywhere, nor one that
//! copies directories of the repository.

use std::collections::BTreeSet;

use model::pipeline::Service;

use super::context::Job;
use super::environment::{Environment, Scene};
use super::halt::Halt;
use super::steps::Access;
use crate::cache::{CacheKey, KeyParts, Scope};
use crate::detect::within;
use crate::git::{Workspace, WorkspaceError};
use crate::node::{self, Install, Manager, PackageJson};

const FILE_MAX_BYTES: u64 = 64 * 1024 * 1024;
const VERSIONS: &str =
    "for tool in node npm yarn pnpm; do $tool --version || true; done 2>/dev/null";
/// Scripts of the project itself that an install runs.
const LIFECYCLE: [&str; 6] =
    ["preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare"];
/// What is looked for to know which install the plan chose.
const KNOWN: [&str; 6] = [
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    ".yarnrc.yml",
    "pnpm-lock.yaml",
];

/// What the cache calls the installed dependencies, if a lock file pins them.
pub(super) async fn run(
    job: &mut Job,
    workspace: &Workspace,
    service: &Service,
    scene: &Scene,
    trust: &str,
) -> Result<Option<CacheKey>, Halt> {
    let Some(step) = &service.commands.install else { return Ok(None) };
    let line = &step.run;
    let install = cacheable(workspace, service, line)?;
    let key = match &install {
        Some(cached) => {
            let node = versions(job).await?;
            let scope = Scope { app: job.assignment().app.clone(), trust: trust.to_owned() };
            let parts = KeyParts {
                lock_file: &cached.content,
                package_manager: line,
                node: &node,
                directory: &cached.directory,
            };
            Some((CacheKey::new(&scope, &parts), cached))
        }
        None => None,
    };
    let user = job.machine().executor.user(job.room().slot());
    if let Some((key, cached)) = &key {
        let directory = workspace.directory(&cached.directory)?;
        let restore = job.machine().cache.restore(key, &directory, user);
        if job.or_stopped(restore).await?? {
            job.log()
                .heading(&format!("{line}: unchanged, {} from the cache", cached.modules()))
                .await;
            return Ok(Some(key.clone()));
        }
    }
    job.expect_step(Some(step), scene, Access::None).await?;
    if let Some((key, cached)) = &key {
        let directory = workspace.directory(&cached.directory)?;
        if workspace.directory(cached.modules()).is_ok() {
            let save = job.machine().cache.save(key, &directory, &["node_modules"], user);
            // A cache that cannot be written costs time, not the job.
            if let Err(error) = job.or_stopped(save).await? {
                tracing::warn!(%error, "installed dependencies were not cached");
            }
        }
    }
    Ok(key.map(|(key, _)| key))
}

/// An install whose result depends on these bytes alone.
#[derive(Debug, PartialEq, Eq)]
struct Cacheable {
    directory: String,
    content: Vec<u8>,
}

impl Cacheable {
    fn modules(&self) -> String {
        within(&self.directory, "node_modules")
    }
}

/// `None` when the install must run every time.
fn cacheable(
    workspace: &Workspace,
    service: &Service,
    line: &str,
) -> Result<Option<Cacheable>, Halt> {
    let mut files = BTreeSet::new();
    for directory in node::upwards(&service.path) {
        for name in KNOWN {
            let path = within(directory, name);
            match workspace.open_file(path.as_ref()) {
                Ok(_) => drop(files.insert(path)),
                Err(WorkspaceError::Missing(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    let Some(install) = node::install(&service.path, &files) else { return Ok(None) };
    let Some(lock) = &install.lock else { return Ok(None) };
    if install.directory != service.path || install.command != line {
        return Ok(None);
    }
    let manifest = workspace.read(within(&install.directory, "package.json"), FILE_MAX_BYTES)?;
    if !only_dependencies(&install, &manifest) {
        return Ok(None);
    }
    let settings = match workspace.read(within(&install.directory, ".npmrc"), FILE_MAX_BYTES) {
        Ok(settings) => settings,
        Err(WorkspaceError::Missing(_)) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let lock = workspace.read(lock, FILE_MAX_BYTES)?;
    if copies(install.manager, &lock, &settings) {
        return Ok(None);
    }
    let mut content = Vec::new();
    for part in [lock, manifest, settings] {
        content.extend((part.len() as u64).to_le_bytes());
        content.extend(part);
    }
    Ok(Some(Cacheable { directory: install.directory, content }))
}

/// Whether the install leaves nothing behind but `node_modules` beside this `package.json`.
fn only_dependencies(install: &Install, manifest: &[u8]) -> bool {
    let file = within(&install.directory, "package.json");
    let Ok(package) = PackageJson::parse(&file, manifest) else { return false };
    let workspaces = serde_json::from_slice::<serde_json::Value>(manifest)
        .is_ok_and(|manifest| manifest.get("workspaces").is_some());
    !workspaces && !LIFECYCLE.iter().any(|script| package.scripts.contains_key(*script))
}

/// Whether the install copies directories of the repository: a lock file names them and does not pin
/// what is in them. npm links them unless it is told otherwise.
fn copies(manager: Manager, lock: &[u8], npmrc: &[u8]) -> bool {
    let holds =
        |text: &[u8], what: &str| text.windows(what.len()).any(|part| part == what.as_bytes());
    match manager {
        Manager::Npm => holds(npmrc, "install-links"),
        Manager::Yarn | Manager::YarnBerry => holds(lock, "@file:"),
        Manager::Pnpm => holds(lock, ": file:"),
    }
}

/// Asked once per worker: all its sandboxes see the same programs.
async fn versions(job: &Job) -> Result<String, Halt> {
    let ask = || async {
        match job.ask(VERSIONS, Environment::new()).await? {
            Some(answer) => Ok(answer),
            None => Err(Halt::internal("asking node for its version failed")),
        }
    };
    job.machine().node_versions.get_or_try_init(ask).await.cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::pipeline::{Commands, Framework, Step};
    use std::path::Path;

    fn service(install: &str) -> Service {
        let name = "api".parse().expect("a name");
        Service {
            commands: Commands { install: Some(Step::new(install)), ..Commands::default() },
            ..Service::new(name, "api", Framework::Serverless)
        }
    }

    fn key(manifest: &str, lock: Option<&str>, line: &str) -> Option<Vec<u8>> {
        let root = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| {
            let path = Path::new("api").join(name);
            std::fs::create_dir_all(root.path().join("api")).expect("a directory");
            std::fs::write(root.path().join(path), text).expect("a file");
        };
        write("package.json", manifest);
        if let Some(lock) = lock {
            write("package-lock.json", lock);
        }
        let workspace = Workspace::new(root.path().to_owned());
        cacheable(&workspace, &service(line), line).expect("readable").map(|cached| cached.content)
    }

    #[test]
    fn an_install_by_lock_file_is_cached_under_its_content() {
        let first = key("{}", Some("1"), "npm ci").expect("cacheable");
        assert_ne!(Some(first.clone()), key("{}", Some("2"), "npm ci"));
        assert_eq!(Some(first), key("{}", Some("1"), "npm ci"));
    }

    #[test]
    fn an_install_without_lock_file_or_with_a_command_of_ones_own_runs_every_time() {
        assert_eq!(key("{}", None, "npm install"), None);
        assert_eq!(key("{}", Some("1"), "make deps"), None);
    }

    #[test]
    fn an_install_that_copies_directories_of_the_repository_runs_every_time() {
        let npm = r#"{ "packages": { "node_modules/a": { "resolved": "../a", "link": true } } }"#;
        assert!(!copies(Manager::Npm, npm.as_bytes(), b"fund=false\n"));
        assert!(copies(Manager::Npm, npm.as_bytes(), b"install-links=true\n"));
        assert!(copies(Manager::Yarn, b"\"a@file:../a\":\n  version \"1.0.0\"\n", b""));
        assert!(copies(Manager::YarnBerry, b"\"a@file:../a::locator=b\":\n", b""));
        assert!(copies(Manager::Pnpm, b"      a:\n        specifier: file:../a\n", b""));
        let registry = b"read-file@^1.0.0:\n  dependencies:\n    read-file: ^1.0.0\n";
        for manager in [Manager::Yarn, Manager::YarnBerry, Manager::Pnpm] {
            assert!(!copies(manager, registry, b""));
        }
    }

    #[test]
    fn scripts_of_the_project_and_workspaces_are_never_skipped() {
        assert_eq!(key(r#"{"scripts":{"postinstall":"x"}}"#, Some("1"), "npm ci"), None);
        assert_eq!(key(r#"{"workspaces":["a"]}"#, Some("1"), "npm ci"), None);
    }
}
