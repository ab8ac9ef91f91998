//! Runs git on the bare repositories. Always without the user's and the system's configuration, so
//! that the stand-in behaves the same on every machine.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::error::Error;

/// Settings of every git process here, the ones behind `git http-backend` included.
const SETTINGS: &[(&str, &str)] = &[
    ("safe.directory", "*"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("http.receivepack", "true"),
    ("uploadpack.allowAnySHA1InWant", "true"),
    ("uploadpack.allowReachableSHA1InWant", "true"),
    ("uploadpack.allowFilter", "true"),
    ("receive.hideRefs", "refs/pull"),
];

/// Where a program of this machine is. Named by its path it starts by `posix_spawn`; a name that is
/// looked up in an environment of its own takes a `fork`, which copies the tables of all our memory.
fn found(program: &OsStr) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| PathBuf::from(program))
}

/// A git command with a clean environment, not yet started.
pub(crate) fn command(program: &OsStr) -> Command {
    let mut command = Command::new(found(program));
    command.env_clear();
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command
        .env("HOME", "/nonexistent")
        .env("LC_ALL", "C.UTF-8")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_COUNT", SETTINGS.len().to_string());
    for (index, (key, value)) in SETTINGS.iter().enumerate() {
        command
            .env(format!("GIT_CONFIG_KEY_{index}"), key)
            .env(format!("GIT_CONFIG_VALUE_{index}"), value);
    }
    for role in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{role}_NAME"), "Developer")
            .env(format!("GIT_{role}_EMAIL"), "developer@example.com");
    }
    command.kill_on_drop(true);
    command
}

async fn output(
    dir: &Path,
    args: &[&str],
    env: &[(&str, &OsStr)],
    stdin: &[u8],
) -> Result<Output, Error> {
    let mut command = command(OsStr::new("git"));
    let mut child = command
        .args(args)
        .envs(env.iter().copied())
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Error::io("start git"))?;
    let mut pipe = child.stdin.take().expect("stdin was asked to be a pipe");
    let write = async move {
        // A git that ends early closes the pipe; its exit status then says why.
        let _ = pipe.write_all(stdin).await;
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), write);
    output.map_err(Error::io("wait for git"))
}

/// Runs git with `stdin` and extra environment; its standard output as bytes.
pub(crate) async fn git_with(
    dir: &Path,
    args: &[&str],
    env: &[(&str, &OsStr)],
    stdin: &[u8],
) -> Result<Vec<u8>, Error> {
    let output = output(dir, args, env, stdin).await?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Error::Git {
        args: args.join(" "),
        stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// Runs git; its standard output, trimmed.
pub(crate) async fn git(dir: &Path, args: &[&str]) -> Result<String, Error> {
    let stdout = git_with(dir, args, &[], b"").await?;
    Ok(String::from_utf8_lossy(&stdout).trim().to_owned())
}

/// Runs git for its exit status alone.
pub(crate) async fn succeeds(dir: &Path, args: &[&str]) -> Result<bool, Error> {
    Ok(output(dir, args, &[], b"").await?.status.success())
}

/// The commit that a branch, tag or SHA names, if it names one.
pub(crate) async fn resolve(dir: &Path, name: &str) -> Option<String> {
    for candidate in [
        format!("refs/heads/{name}^{{commit}}"),
        format!("refs/tags/{name}^{{commit}}"),
        format!("{name}^{{commit}}"),
    ] {
        let args = ["rev-parse", "--verify", "--quiet", "--end-of-options"];
        let args = [args.as_slice(), &[candidate.as_str()]].concat();
        if let Ok(sha) = git(dir, &args).await {
            return Some(sha);
        }
    }
    None
}
