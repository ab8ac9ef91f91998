//! The server's settings: `greenroom.toml`, each key also an environment variable.
//!
//! What always holds: an unknown key is an error that names it; a value of the environment wins
//! over the file's; a secret is a [`SecretString`] from here on.

mod environment;
mod login;
mod notify;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use secrecy::SecretString;
use serde::Deserialize;

pub(crate) use self::notify::Notify;
pub(crate) use environment::Environment;
pub(crate) use login::Login;

/// The first of these that exists is read when no `--config` is given: of a checkout, of a package.
const DEFAULT_FILES: [&str; 2] = ["config/greenroom.toml", "/etc/greenroom/greenroom.toml"];

#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) public_url: String,
    pub(crate) data_dir: DataDir,
    pub(crate) database_url: Option<String>,
    pub(crate) github: GitHub,
    pub(crate) login: Login,
    pub(crate) notify: Notify,
    pub(crate) secret_key_file: PathBuf,
    pub(crate) worker: Worker,
    pub(crate) reconcile: engine::Reconcile,
    /// `file` below the data directory, or an `s3://bucket/prefix`.
    pub(crate) object_store: Option<String>,
}

/// Where the server keeps its files, and whether somebody chose the place.
#[derive(Debug, Clone)]
pub(crate) enum DataDir {
    Chosen(PathBuf),
    Default(PathBuf),
}

impl DataDir {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Chosen(path) | Self::Default(path) => path,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct GitHub {
    pub(crate) api_url: Option<String>,
    pub(crate) git_url: String,
    pub(crate) webhook_secrets: Vec<SecretString>,
    pub(crate) identity: Option<Identity>,
}

/// As whom the server speaks to GitHub.
#[derive(Debug, Clone)]
pub(crate) enum Identity {
    Token(SecretString),
    App { app_id: u64, private_key_file: PathBuf },
}

#[derive(Debug, Clone)]
pub(crate) struct Worker {
    /// Jobs at once in the embedded worker; 0: none runs here.
    pub(crate) count: u16,
    pub(crate) executor: worker::ExecutorKind,
    /// Installed dependencies; `None`: in the worker's own directory.
    pub(crate) cache_dir: Option<PathBuf>,
    /// How long a worker may be silent before its jobs are given to another.
    pub(crate) lease: Duration,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    listen: Option<String>,
    public_url: Option<String>,
    data_dir: Option<PathBuf>,
    secret_key_file: Option<PathBuf>,
    object_store: Option<String>,
    database: DatabaseSection,
    github: GitHubSection,
    login: login::Section,
    notify: notify::Section,
    smtp: notify::SmtpSection,
    worker: WorkerSection,
    reconcile: ReconcileSection,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ReconcileSection {
    every: Option<String>,
    sweep_every: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DatabaseSection {
    url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct GitHubSection {
    api_url: Option<String>,
    git_url: Option<String>,
    webhook_secrets: Vec<String>,
    token: Option<String>,
    app_id: Option<u64>,
    private_key_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WorkerSection {
    count: Option<u16>,
    executor: Option<String>,
    cache_dir: Option<PathBuf>,
    lease_seconds: Option<u64>,
}

impl Config {
    /// Reads the file (the given one must exist, the default ones may) and the environment.
    pub(crate) fn load(file: Option<&Path>, environment: &Environment) -> anyhow::Result<Self> {
        let path = match file {
            Some(given) => given,
            None => match default_file() {
                Some(there) => there,
                None => return Self::resolve(File::default(), environment),
            },
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let file: File = toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
        Self::resolve(file, environment)
    }

    fn resolve(file: File, environment: &Environment) -> anyhow::Result<Self> {
        let text = |name: &str, from_file: Option<String>| environment.get(name).or(from_file);

        let listen = text("GREENROOM_LISTEN", file.listen).unwrap_or("127.0.0.1:8080".into());
        let listen: SocketAddr = listen.parse().with_context(|| {
            format!("listen (GREENROOM_LISTEN) is {listen:?}; write an address and a port, like 127.0.0.1:8080")
        })?;
        let public_url = text("GREENROOM_PUBLIC_URL", file.public_url)
            .unwrap_or_else(|| format!("http://{listen}"))
            .trim_end_matches('/')
            .to_owned();
        if !public_url.starts_with("http://") && !public_url.starts_with("https://") {
            bail!(
                "public_url (GREENROOM_PUBLIC_URL) is {public_url:?}; begin it with http:// or https://"
            );
        }
        let data_dir = environment.get("GREENROOM_DATA_DIR").map(PathBuf::from).or(file.data_dir);
        let data_dir = match data_dir {
            Some(path) => DataDir::Chosen(std::path::absolute(path)?),
            None => DataDir::Default(std::path::absolute("data")?),
        };
        let secret_key_file = environment
            .get("GREENROOM_SECRET_KEY_FILE")
            .map(PathBuf::from)
            .or(file.secret_key_file)
            .unwrap_or_else(|| data_dir.path().join("secret.key"));

        Ok(Self {
            listen,
            public_url,
            secret_key_file,
            database_url: text("GREENROOM_DATABASE_URL", file.database.url),
            github: github(file.github, environment)?,
            login: login::resolve(file.login, environment)?,
            notify: notify::resolve(file.notify, file.smtp, environment)?,
            worker: worker(file.worker, environment)?,
            reconcile: reconcile(&file.reconcile, environment)?,
            object_store: text("GREENROOM_OBJECT_STORE", file.object_store),
            data_dir,
        })
    }
}

/// One that is there and cannot be read is taken, for its error to be told; below a working directory
/// that nobody may enter there is none.
fn default_file() -> Option<&'static Path> {
    DEFAULT_FILES.map(Path::new).into_iter().find(|path| path.try_exists().unwrap_or(false))
}

fn github(file: GitHubSection, environment: &Environment) -> anyhow::Result<GitHub> {
    let secrets = match environment.get("GREENROOM_GITHUB_WEBHOOK_SECRET") {
        Some(list) => list.split(',').map(str::to_owned).collect(),
        None => file.webhook_secrets,
    };
    let token = environment.get("GREENROOM_GITHUB_TOKEN").or(file.token);
    let app_id = environment.number("GREENROOM_GITHUB_APP_ID")?.or(file.app_id);
    let key_file = environment
        .get("GREENROOM_GITHUB_PRIVATE_KEY_FILE")
        .map(PathBuf::from)
        .or(file.private_key_file);
    let identity = match (token, app_id, key_file) {
        (Some(token), None, None) => Some(Identity::Token(token.into())),
        (None, Some(app_id), Some(private_key_file)) => {
            Some(Identity::App { app_id, private_key_file })
        }
        (None, None, None) => None,
        (Some(_), _, _) => bail!(
            "github.token and github.app_id are both set; keep the App (app_id and private_key_file) or the token"
        ),
        (None, _, _) => bail!(
            "github.app_id (GREENROOM_GITHUB_APP_ID) and github.private_key_file (GREENROOM_GITHUB_PRIVATE_KEY_FILE) belong together; one is missing"
        ),
    };
    Ok(GitHub {
        api_url: environment.get("GREENROOM_GITHUB_API_URL").or(file.api_url),
        git_url: environment
            .get("GREENROOM_GITHUB_GIT_URL")
            .or(file.git_url)
            .unwrap_or("https://github.com".into())
            .trim_end_matches('/')
            .to_owned(),
        webhook_secrets: secrets
            .into_iter()
            .map(|secret| secret.trim().to_owned())
            .filter(|secret| !secret.is_empty())
            .map(SecretString::from)
            .collect(),
        identity,
    })
}

fn worker(file: WorkerSection, environment: &Environment) -> anyhow::Result<Worker> {
    let executor = environment
        .get("GREENROOM_WORKER_EXECUTOR")
        .or(file.executor)
        .unwrap_or("bubblewrap".into());
    let lease =
        environment.number("GREENROOM_WORKER_LEASE_SECONDS")?.or(file.lease_seconds).unwrap_or(30);
    if !(3..=600).contains(&lease) {
        bail!("worker.lease_seconds (GREENROOM_WORKER_LEASE_SECONDS) is {lease}; take 3 to 600");
    }
    Ok(Worker {
        count: environment.number("GREENROOM_WORKER_COUNT")?.or(file.count).unwrap_or(2),
        executor: executor_kind(&executor)?,
        cache_dir: environment
            .get("GREENROOM_WORKER_CACHE_DIR")
            .map(PathBuf::from)
            .or(file.cache_dir)
            .map(std::path::absolute)
            .transpose()?,
        lease: Duration::from_secs(lease),
    })
}

fn reconcile(
    file: &ReconcileSection,
    environment: &Environment,
) -> anyhow::Result<engine::Reconcile> {
    let usual = engine::Reconcile::default();
    let every = environment.get("GREENROOM_RECONCILE_EVERY").or(file.every.clone());
    let every = match every {
        None => usual.every,
        Some(text) => interval(&text).with_context(|| {
            format!("reconcile.every (GREENROOM_RECONCILE_EVERY) is {text:?}; {INTERVAL}")
        })?,
    };
    let sweep = environment.get("GREENROOM_RECONCILE_SWEEP_EVERY").or(file.sweep_every.clone());
    let sweep_every = match sweep.as_deref() {
        None => usual.sweep_every,
        Some("never") => None,
        Some(text) => Some(interval(text).with_context(|| {
            format!(
                "reconcile.sweep_every (GREENROOM_RECONCILE_SWEEP_EVERY) is {text:?}; {INTERVAL}, \
                 or never"
            )
        })?),
    };
    Ok(engine::Reconcile { every, sweep_every })
}

const INTERVAL: &str = "write a number of seconds, minutes, hours or days, like 30s, 5m, 24h or 7d";

/// `5m`: at least a second, at most a year.
fn interval(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return None,
    };
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = number.checked_mul(seconds)?;
    (1..=366 * 24 * 60 * 60).contains(&seconds).then(|| Duration::from_secs(seconds))
}

/// The executors that a configuration may name.
pub(crate) fn executor_kind(name: &str) -> anyhow::Result<worker::ExecutorKind> {
    match name {
        "bubblewrap" => Ok(worker::ExecutorKind::Bubblewrap),
        "host" => Ok(worker::ExecutorKind::Host),
        other => bail!(
            "worker.executor (GREENROOM_WORKER_EXECUTOR) is {other:?}; take \"bubblewrap\", or \"host\" to run steps without a sandbox"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(toml: &str, variables: &[(&str, &str)]) -> anyhow::Result<Config> {
        Config::resolve(toml::from_str(toml)?, &Environment::of(variables))
    }

    #[test]
    fn nothing_given_is_a_server_on_loopback() {
        let config = load("", &[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.public_url, "http://127.0.0.1:8080");
        assert_eq!(config.worker.count, 2);
        assert!(matches!(config.data_dir, DataDir::Default(_)));
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let config =
            load("listen = '127.0.0.1:1'", &[("GREENROOM_LISTEN", "127.0.0.1:2")]).unwrap();
        assert_eq!(config.listen.port(), 2);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = load("listen = '127.0.0.1:1'\nlissten = 'x'", &[]).unwrap_err().to_string();
        assert!(error.contains("lissten") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn an_unknown_variable_is_named() {
        let environment = Environment::of(&[("GREENROOM_LISTNE", "x"), ("GREENROOM_LISTEN", "y")]);
        assert_eq!(environment.unknown(), ["GREENROOM_LISTNE"]);
    }

    #[test]
    fn two_webhook_secrets_may_be_active() {
        let config = load("", &[("GREENROOM_GITHUB_WEBHOOK_SECRET", "old, new")]).unwrap();
        assert_eq!(config.github.webhook_secrets.len(), 2);
    }

    #[test]
    fn how_often_the_server_looks_is_a_length_of_time() {
        let usual = load("", &[]).unwrap().reconcile;
        assert_eq!(usual, engine::Reconcile::default());
        let chosen = load("[reconcile]\nevery = '90s'\nsweep_every = 'never'", &[]).unwrap();
        let expected = engine::Reconcile { every: Duration::from_secs(90), sweep_every: None };
        assert_eq!(chosen.reconcile, expected);
        let variable = [("GREENROOM_RECONCILE_SWEEP_EVERY", "7d")];
        let week = Duration::from_secs(7 * 24 * 60 * 60);
        assert_eq!(load("", &variable).unwrap().reconcile.sweep_every, Some(week));
    }

    #[test]
    fn an_interval_that_is_none_is_named_with_what_to_write() {
        for text in ["5", "0s", "m", "-1m", "5 m", "500d", "never"] {
            let error = load("", &[("GREENROOM_RECONCILE_EVERY", text)]).unwrap_err();
            let error = error.to_string();
            assert!(error.contains("reconcile.every") && error.contains("like 30s, 5m"), "{error}");
        }
    }

    #[test]
    fn half_an_app_is_refused() {
        let error = load("[github]\napp_id = 7", &[]).unwrap_err().to_string();
        assert!(error.contains("private_key_file"), "{error}");
    }
}
