//! Where the PostgreSQL server's programs are.

use std::fs;
use std::path::{Path, PathBuf};

use super::ClusterError;

const ROOT: &str = "/usr/lib/postgresql";

/// The programs of the major version that made the data directory, or the newest for a new one.
pub(super) fn programs(data: &Path) -> Result<PathBuf, ClusterError> {
    let bin = |version: &str| {
        let bin = Path::new(ROOT).join(version).join("bin");
        bin.join("postgres").exists().then_some(bin)
    };
    match fs::read_to_string(data.join("PG_VERSION")) {
        Ok(version) => bin(version.trim()).ok_or_else(|| ClusterError::VersionNotInstalled {
            data: data.into(),
            version: version.trim().into(),
        }),
        Err(_) => fs::read_dir(ROOT)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok()?.parse::<u32>().ok())
            .filter_map(|version| Some((version, bin(&version.to_string())?)))
            .max()
            .map(|(_, bin)| bin)
            .ok_or(ClusterError::NotInstalled),
    }
}
