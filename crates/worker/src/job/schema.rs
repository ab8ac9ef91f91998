//! The framework's check of a configuration, compiled once instead of by every command.
//!
//! `osls` and `serverless` 3 hold `serverless.yml` against a JSON schema of their own and of the
//! plugins, which they compile into a program of 8 MB first: three seconds of a processor. They keep
//! it below the home directory, and a job's is new. So it is made when dependencies are new, and
//! kept beside them in the cache.
//!
//! What always holds: it is made of what the lock file pins and of nothing else of the repository, in
//! a copy of its own where links that lead out of `node_modules` lead nowhere; whoever has the same
//! key would make the same. The framework knows it by a hash of the schema, and makes its own when
//! there is none that fits. Whatever goes wrong here costs time, not the job.

use std::path::Path;

use model::pipeline::Service;
use model::plugin;

use super::context::Job;
use super::environment;
use super::ground::NODE_OPTIONS;
use super::halt::Halt;
use crate::cache::{CacheError, CacheKey};
use crate::framework::serverless::{self, tool::Tool};
use crate::git::Workspace;

/// In the steps' home, where the framework looks.
const KEPT: &str = ".serverless";
const COPY: &str = ".greenroom-schema";
const CONFIG: &str = "GREENROOM_SCHEMA_CONFIG";

/// Puts the compiled check where the framework looks for it. `installed` is what the cache calls the
/// service's dependencies, `node_options` makes node load Greenroom's plugin.
pub(super) async fn bring(
    job: &Job,
    workspace: &Workspace,
    service: &Service,
    installed: &CacheKey,
    node_options: &str,
) -> Result<(), Halt> {
    let Some((tool, plugins)) = pinned(workspace, service) else { return Ok(()) };
    let user = job.machine().executor.user(job.room().slot());
    let (cache, home) = (&job.machine().cache, job.room().home());
    let key = key(installed, &plugins);
    let kept = match job.or_stopped(cache.restore(&key, &home, user)).await? {
        Ok(false) => match make(job, installed, &tool, &plugins, node_options).await? {
            Ok(true) => job.or_stopped(cache.save(&key, &home, &[KEPT], user)).await?,
            other => other,
        },
        other => other,
    };
    if let Err(error) = kept {
        tracing::warn!(%error, "the framework compiles its check of the configuration each time");
    }
    Ok(())
}

/// The framework and the plugins of the service, if the lock file decides what they are.
fn pinned(workspace: &Workspace, service: &Service) -> Option<(Tool, Vec<String>)> {
    let directory = workspace.directory(&service.path).ok()?;
    let tool = Tool::find(&Workspace::new(directory.clone()), ".").ok()?;
    let plugins = serverless::plugins(workspace, service);
    let modules = directory.join("node_modules").canonicalize().ok()?;
    let inside = |name: &String| within(&modules, name);
    (inside(&tool.package) && plugins.iter().all(inside)).then_some((tool, plugins))
}

/// Whether a package lies in `node_modules` itself: what is linked from elsewhere is not pinned.
fn within(modules: &Path, package: &str) -> bool {
    modules.join(package).canonicalize().is_ok_and(|place| place.starts_with(modules))
}

fn key(installed: &CacheKey, plugins: &[String]) -> CacheKey {
    let ours = plugin::FILES.iter().flat_map(|(name, content)| [*name, *content]);
    installed.derived("schema", plugins.iter().map(String::as_str).chain(ours))
}

/// Has the framework look at a configuration that only names the plugins. What it compiled is in
/// [`KEPT`] afterwards, which is empty if it could not; false where it was not asked, because the
/// cache has no copy of the dependencies.
async fn make(
    job: &Job,
    installed: &CacheKey,
    tool: &Tool,
    plugins: &[String],
    node_options: &str,
) -> Result<Result<bool, CacheError>, Halt> {
    let user = job.machine().executor.user(job.room().slot());
    let copy = job.room().home().join(COPY);
    // An install may have put something in its place.
    if std::fs::create_dir(&copy).is_err() {
        return Ok(Ok(false));
    }
    job.room().give(user, &copy)?;
    let restored = job.or_stopped(job.machine().cache.restore(installed, &copy, user)).await?;
    if !matches!(restored, Ok(true)) {
        return Ok(restored);
    }
    job.log()
        .note("new dependencies: the framework compiles its check of configurations, once")
        .await;
    let config = serde_json::json!({
        "service": "schema", "provider": { "name": "aws" }, "plugins": plugins,
    });
    let mut env = environment::quiet();
    env.insert(NODE_OPTIONS.to_owned(), node_options.to_owned());
    env.insert(CONFIG.to_owned(), config.to_string());
    let line = format!(
        "mkdir -p ~/{KEPT}; cd ~/{COPY} && printf %s \"${CONFIG}\" >serverless.yml && timeout 120 {} print >/dev/null 2>&1; cd ~; rm -rf {COPY}",
        tool.program
    );
    job.ask(&line, env).await.map(|_| Ok(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_linked_from_the_repository_is_not_pinned() {
        let root = tempfile::tempdir().expect("a directory");
        let modules = root.path().join("api/node_modules");
        std::fs::create_dir_all(modules.join(".store/real")).expect("a directory");
        std::fs::create_dir_all(root.path().join("shared")).expect("a directory");
        symlink("../../shared", modules.join("ours")).expect("a link");
        symlink(".store/real", modules.join("stored")).expect("a link");
        let modules = modules.canonicalize().expect("a directory");
        assert!(within(&modules, "stored"));
        assert!(!within(&modules, "ours"));
        assert!(!within(&modules, "absent"));
    }

    #[test]
    fn other_dependencies_or_plugins_have_another_check() {
        let scope = crate::cache::Scope {
            app: "workshop".parse().expect("a name"),
            trust: "preview".to_owned(),
        };
        let installed = |lock_file: &[u8]| {
            let parts = crate::cache::KeyParts {
                lock_file,
                package_manager: "npm ci",
                node: "v22",
                directory: "api",
            };
            CacheKey::new(&scope, &parts)
        };
        let of = |lock: &[u8], plugins: &[&str]| {
            let plugins: Vec<String> = plugins.iter().map(|name| (*name).to_owned()).collect();
            key(&installed(lock), &plugins)
        };
        let one = of(b"1", &["a", "b"]);
        assert_eq!(one, of(b"1", &["a", "b"]));
        assert_ne!(one, of(b"2", &["a", "b"]));
        assert_ne!(one, of(b"1", &["b", "a"]));
        assert_ne!(one, installed(b"1"));
    }
}
