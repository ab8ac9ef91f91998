//! A `greenroom serve` process of a test: started, killed, started again on the same data.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::aws::LocalAws;
use crate::database::Rows;
use crate::pace::Pace;

/// How long anything may take before the test says what it waited for. Long, for a machine with
/// two slow processors installs dependencies for a minute; only a test that fails waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(900);

/// What tests install alike is installed once.
const INSTALLED: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/installed");

pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) data_dir: PathBuf,
    environment: Vec<(String, String)>,
    child: Option<Child>,
    rows: Rows,
    /// Kept for its end: the directory goes with the test.
    _directory: TempDir,
}

impl Server {
    /// Starts a server and waits until it is ready.
    pub(crate) async fn start(rows: Rows, environment: &[(&str, &str)]) -> Self {
        let directory = TempDir::with_prefix("greenroom-").unwrap();
        // PostgreSQL and the steps run as other users: they have to pass through
        set_mode(directory.path(), 0o755);
        let listen = free_address();
        let url = format!("http://{listen}");
        let data_dir = directory.path().join("data");
        let mut all = vec![
            ("GREENROOM_LISTEN".to_owned(), listen),
            ("GREENROOM_DATA_DIR".to_owned(), data_dir.display().to_string()),
            ("GREENROOM_WORKER_LEASE_SECONDS".to_owned(), "10".to_owned()),
            // not that of a package on this machine
            ("GREENROOM_CONFIG".to_owned(), "/dev/null".to_owned()),
        ];
        all.extend(rows.environment());
        all.push(("GREENROOM_WORKER_CACHE_DIR".to_owned(), INSTALLED.to_owned()));
        all.extend(LocalAws::server_environment());
        all.extend(
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let mut server =
            Self { url, data_dir, environment: all, child: None, rows, _directory: directory };
        server.start_again().await;
        server
    }

    /// Changes a setting for the next start.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Starts the process on the data that is there.
    pub(crate) async fn start_again(&mut self) {
        assert!(self.child.is_none(), "it runs");
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.data_dir.with_extension("log"))
            .unwrap();
        let child = self
            .command()
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let client = client();
        let ready = format!("{}/readyz", self.url);
        until("the server to be ready", async || {
            let exited = self.child.as_mut().unwrap().try_wait().unwrap();
            assert_eq!(exited, None, "the server ended: {}", self.log());
            let answer = client.get(&ready).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// The rows of the running server: for what no call shows, and for time to go by.
    pub(crate) async fn database(&self) -> store::Database {
        let url = match &self.rows {
            Rows::OwnPostgres => store::cluster::Cluster::attach(&self.data_dir).unwrap(),
            Rows::Shared(shared) => shared.url(),
        };
        store::Database::connect(&url, 2).await.unwrap()
    }

    /// SIGKILL: what a power failure or the OOM killer does to the process.
    pub(crate) async fn kill(&mut self) {
        self.child.take().expect("it runs").kill().await.unwrap();
    }

    /// SIGTERM, and the wait for an orderly end.
    pub(crate) async fn stop(&mut self) {
        let mut child = self.child.take().expect("it runs");
        let pid = nix::unistd::Pid::from_raw(child.id().unwrap().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        let status = tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// A `greenroom` command with this server's settings and no other environment of ours.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_greenroom"));
        for (name, _) in std::env::vars() {
            if name.starts_with("GREENROOM_") || name.starts_with("AWS_") || name == "DATABASE_URL"
            {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end; its output, whether or not it succeeded.
    pub(crate) async fn run(&self, arguments: &[&str]) -> std::process::Output {
        self.command().args(arguments).stdin(Stdio::null()).output().await.unwrap()
    }

    /// A new token of the API, made beside the running server.
    pub(crate) async fn token(&self, name: &str, role: &str) -> String {
        let made = self.run(&["token", "create", "--name", name, "--role", role]).await;
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.data_dir.with_extension("log")).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).expect("it runs")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(60)..].join("\n");
            println!("--- the server's log ends:\n{tail}");
        }
        if let Some(child) = &mut self.child {
            // its PostgreSQL is told by the kernel when it goes
            let _ = child.start_kill();
        }
    }
}

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(60))
        .build()
        .unwrap()
}

/// Looks again and again until there is an answer; fails with what it waited for.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let mut pace = Pace::begin();
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            pace.turn().await;
            if let Some(found) = look().await {
                break found;
            }
        }
    });
    found.await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} for {what}"))
}

fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
