//! Runs git with an environment that is ours alone.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::GitError;

/// What a proxy or a private authority needs; nothing else of the worker's environment is passed.
const INHERITED: [&str; 11] = [
    "PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "CURL_CA_BUNDLE",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];

/// A transfer below this many bytes a second for [`STALL`] is given up.
const STALL_BYTES_PER_SECOND: &str = "1000";
const STALL: Duration = Duration::from_secs(30);

/// How git is run on this worker.
#[derive(Debug, Clone)]
pub struct Git {
    /// A path, so that the process can be spawned without a copy of this one's address space: std
    /// forks when a name is to be looked for in a `PATH` that is not its own.
    program: PathBuf,
    home: PathBuf,
    protocols: &'static [&'static str],
    timeout: Duration,
    environment: Vec<(OsString, OsString)>,
}

/// One run of git.
pub(super) struct Invocation<'a> {
    /// For messages: `fetch`.
    pub(super) action: &'static str,
    pub(super) directory: &'a Path,
    pub(super) arguments: Vec<OsString>,
    pub(super) input: Vec<u8>,
    /// The remote and what opens it.
    pub(super) remote: Option<(&'a str, Option<&'a SecretString>)>,
}

impl<'a> Invocation<'a> {
    pub(super) fn new<A: AsRef<OsStr>>(
        action: &'static str,
        directory: &'a Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let arguments = arguments.into_iter().map(|a| a.as_ref().to_owned()).collect();
        Self { action, directory, arguments, input: Vec::new(), remote: None }
    }
}

/// A running git with all that it started. Whoever stops waiting for it ends it.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Gone already is as good.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

pub(super) struct Output {
    pub(super) success: bool,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

impl Git {
    /// `home` is an empty directory of ours; `protocols` are the only transports git may use
    /// (`https`, and `http` for a GitHub on the same machine).
    pub fn new(home: PathBuf, protocols: &'static [&'static str], timeout: Duration) -> Self {
        let environment = INHERITED
            .iter()
            .filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)))
            .collect();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = std::env::split_paths(&path)
            .map(|directory| directory.join("git"))
            .find(|program| program.is_file())
            .unwrap_or_else(|| PathBuf::from("git"));
        Self { program, home, protocols, timeout, environment }
    }

    /// Configuration that no file on the machine or in the repository can override.
    fn configuration(
        &self,
        remote: Option<(&str, Option<&SecretString>)>,
    ) -> Vec<(String, SecretString)> {
        let workers = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8));
        let mut settings: Vec<(String, SecretString)> = [
            ("core.hooksPath", "/dev/null"),
            ("core.fsmonitor", "false"),
            ("core.autocrlf", "false"),
            ("core.symlinks", "true"),
            ("core.attributesFile", "/dev/null"),
            ("credential.helper", ""),
            ("protocol.version", "2"),
            ("protocol.allow", "never"),
            ("submodule.recurse", "false"),
            ("fetch.recurseSubmodules", "false"),
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
            ("advice.detachedHead", "false"),
            ("http.followRedirects", "initial"),
            ("http.lowSpeedLimit", STALL_BYTES_PER_SECOND),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect();
        settings.push(("http.lowSpeedTime".to_owned(), STALL.as_secs().to_string().into()));
        settings.push(("checkout.workers".to_owned(), workers.to_string().into()));
        for protocol in self.protocols {
            settings.push((format!("protocol.{protocol}.allow"), "always".into()));
        }
        if let Some((url, Some(token))) = remote {
            let basic = STANDARD.encode(format!("x-access-token:{}", token.expose_secret()));
            settings.push((
                format!("http.{url}.extraHeader"),
                format!("Authorization: Basic {basic}").into(),
            ));
        }
        settings
    }

    pub(super) async fn run(&self, invocation: Invocation<'_>) -> Result<Output, GitError> {
        let action = invocation.action;
        let mut command = Command::new(&self.program);
        command
            .args(&invocation.arguments)
            .current_dir(invocation.directory)
            .env_clear()
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .env("HOME", &self.home)
            .env("LC_ALL", "C.UTF-8")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_LITERAL_PATHSPECS", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let settings = self.configuration(invocation.remote);
        command.env("GIT_CONFIG_COUNT", settings.len().to_string());
        for (index, (key, value)) in settings.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{index}"), key);
            command.env(format!("GIT_CONFIG_VALUE_{index}"), value.expose_secret());
        }
        let mut child = command.spawn().map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound if invocation.directory.is_dir() => GitError::Missing,
            _ => GitError::Io { context: format!("starting git {action}"), source },
        })?;
        let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
        let mut stdin = child.stdin.take();
        let mut stdout = child.stdout.take();
        let mut stderr = child.stderr.take();
        let input = invocation.input;
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let work = async {
            let feed = async {
                if let Some(mut stdin) = stdin.take() {
                    // A git that ends early closes its end; its exit status says why.
                    let _ = stdin.write_all(&input).await;
                }
                Ok::<_, std::io::Error>(())
            };
            let read_out = async {
                match &mut stdout {
                    Some(pipe) => pipe.read_to_end(&mut out).await,
                    None => Ok(0),
                }
            };
            let read_err = async {
                match &mut stderr {
                    Some(pipe) => pipe.read_to_end(&mut err).await,
                    None => Ok(0),
                }
            };
            tokio::try_join!(feed, read_out, read_err)?;
            child.wait().await
        };
        let status = match tokio::time::timeout(self.timeout, work).await {
            Ok(status) => status.map_err(GitError::io(format!("running git {action}")))?,
            Err(_) => return Err(GitError::TimedOut { action, limit: self.timeout }),
        };
        group.0 = None;
        Ok(Output {
            success: status.success(),
            stdout: out,
            stderr: String::from_utf8_lossy(&err).trim().to_owned(),
        })
    }

    /// Runs git and takes anything but success for an error.
    pub(super) async fn expect(&self, invocation: Invocation<'_>) -> Result<Vec<u8>, GitError> {
        let action = invocation.action;
        let output = self.run(invocation).await?;
        if output.success {
            Ok(output.stdout)
        } else {
            Err(GitError::Failed { action, detail: output.stderr })
        }
    }
}
