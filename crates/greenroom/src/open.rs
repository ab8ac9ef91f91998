//! Opens what the commands share: the data directory, the database, keys and the object store.
//!
//! What always holds: one server per data directory (a lock file says so); a command beside a
//! running server joins that server's private PostgreSQL and never stops it.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use store::cluster::Cluster;
use store::objects::Objects;
use store::vault::Vault;

use crate::config::{Config, DataDir};

/// Where a server started as root keeps its data when the default place is closed to `postgres`.
const SYSTEM_DATA_DIR: &str = "/var/lib/greenroom";

/// A database, with the private cluster it lives in when this process runs that.
pub(crate) struct Opened {
    pub(crate) db: store::Database,
    cluster: Option<Cluster>,
}

impl Opened {
    /// Closes the connections, then stops the cluster if it is ours.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        self.db.pool().close().await;
        if let Some(cluster) = self.cluster {
            tokio::task::spawn_blocking(move || cluster.stop()).await?;
        }
        Ok(())
    }
}

/// The data directory, made if missing. Nobody else may enter it; but for a server of root's, whose
/// PostgreSQL and steps run as users of their own: these may pass through and not list it.
pub(crate) fn data_dir(config: &Config) -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;

    let path = match &config.data_dir {
        DataDir::Chosen(path) => path.clone(),
        DataDir::Default(path) if closed_to_others(path) => {
            tracing::info!(
                refused = %path.display(),
                taken = SYSTEM_DATA_DIR,
                "the default data directory lies below one that only root may enter"
            );
            PathBuf::from(SYSTEM_DATA_DIR)
        }
        DataDir::Default(path) => path.clone(),
    };
    if let Some(owner) = another_owner(&path) {
        bail!(
            "the data directory {} belongs to the user {owner}, as whom the server runs: run this as \
             that user (sudo -u {owner} greenroom …), or choose another data_dir (GREENROOM_DATA_DIR)",
            path.display()
        );
    }
    std::fs::create_dir_all(&path)
        .with_context(|| format!("cannot make the data directory {}", path.display()))?;
    let mode = if nix::unistd::geteuid().is_root() { 0o711 } else { 0o700 };
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
    Ok(path)
}

/// What root would make in the directory of another user's server, that server could not read. Whoever
/// is not root is told by the system.
fn another_owner(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    let owner = path.metadata().ok()?.uid();
    if !nix::unistd::geteuid().is_root() || owner == 0 {
        return None;
    }
    let user = nix::unistd::User::from_uid(owner.into()).ok().flatten();
    Some(user.map_or_else(|| format!("#{owner}"), |user| user.name))
}

/// As root, the private PostgreSQL and the steps run as other users: they must be able to reach
/// the directory.
fn closed_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    nix::unistd::geteuid().is_root()
        && path
            .ancestors()
            .skip(1)
            .filter_map(|parent| parent.metadata().ok())
            .any(|parent| parent.permissions().mode() & 0o001 == 0)
}

/// Held while a server runs on the directory.
pub(crate) fn lock(data_dir: &Path) -> anyhow::Result<File> {
    let path = data_dir.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => bail!(
            "another greenroom serve runs on {}; stop it, or choose another data_dir (GREENROOM_DATA_DIR)",
            data_dir.display()
        ),
        Err(std::fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Connects to the configured database, or to the private cluster of the data directory: the one
/// that runs there, else one started for as long as the result lives.
pub(crate) async fn database(config: &Config, data_dir: &Path) -> anyhow::Result<Opened> {
    let (url, cluster) = match &config.database_url {
        Some(url) => (url.clone(), None),
        None => {
            let directory = data_dir.to_owned();
            tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
                if let Some(url) = Cluster::attach(&directory) {
                    return Ok((url, None));
                }
                let cluster = Cluster::start(&directory)?;
                Ok((cluster.url(), Some(cluster)))
            })
            .await??
        }
    };
    let db = store::Database::connect(&url, MAX_CONNECTIONS).await.context(
        "cannot reach the database (database.url, GREENROOM_DATABASE_URL); leave it out to let the server run a PostgreSQL of its own",
    )?;
    db.migrate().await?;
    Ok(Opened { db, cluster })
}

const MAX_CONNECTIONS: u32 = 20;

pub(crate) fn vault(config: &Config, data_dir: &Path) -> anyhow::Result<Vault> {
    let path = match &config.data_dir {
        // the default key file follows the directory that was taken in its stead
        DataDir::Default(default) if config.secret_key_file.starts_with(default) => {
            data_dir.join("secret.key")
        }
        DataDir::Chosen(_) | DataDir::Default(_) => config.secret_key_file.clone(),
    };
    Vault::load_or_create(&path).with_context(|| format!("in the key file {}", path.display()))
}

pub(crate) fn objects(config: &Config, data_dir: &Path) -> anyhow::Result<Objects> {
    Ok(match &config.object_store {
        Some(url) => Objects::from_url(url)
            .with_context(|| format!("object_store (GREENROOM_OBJECT_STORE) is {url:?}"))?,
        None => Objects::local(&data_dir.join("objects"))?,
    })
}
