//! The file of logins: to which servers somebody signed in here, and their tokens.
//!
//! What always holds: it is its owner's alone (0600, in a directory of 0700), and one that others
//! may read is not used. It is replaced as a whole, so it is never half written.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Surroundings;
use crate::error::{Error, Result};

const FILE: &str = "logins.toml";
const OTHERS: u32 = 0o077;

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Logins {
    /// The server of the newest login: the one that is meant where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<String>,
    #[serde(default)]
    pub(crate) servers: BTreeMap<String, Login>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    pub(crate) token: String,
    /// Who that is on the server.
    pub(crate) name: String,
    pub(crate) made: Made,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

/// Where the token comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Made {
    /// By this login: it ends with it.
    Here,
    /// By somebody who may use it elsewhere too.
    Given,
}

/// `$XDG_CONFIG_HOME/greenroom/logins.toml`, as the XDG base directory specification has it.
pub(crate) fn path(around: &Surroundings) -> Result<PathBuf> {
    let configured = around.variable("XDG_CONFIG_HOME").map(PathBuf::from);
    // the specification: a relative one is to be ignored
    let configured = configured.filter(|path| path.is_absolute());
    let base = match configured {
        Some(base) => base,
        None => {
            let home = around.variable("HOME").ok_or_else(|| {
                Error::Local(
                    "neither HOME nor XDG_CONFIG_HOME is set: there is no place for logins; set \
                     GREENROOM_URL and GREENROOM_TOKEN instead"
                        .into(),
                )
            })?;
            Path::new(home).join(".config")
        }
    };
    Ok(base.join("greenroom").join(FILE))
}

impl Logins {
    /// Nothing where there is no file yet.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let wrong = |why: String| Error::File { path: path.to_owned(), why };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(wrong(error.to_string())),
        };
        let mode = fs::metadata(path).map_err(|error| wrong(error.to_string()))?.permissions();
        if mode.mode() & OTHERS != 0 {
            return Err(wrong(format!(
                "others may read the tokens in it (mode {:o}): run `chmod 600 {}`",
                mode.mode() & 0o777,
                path.display()
            )));
        }
        toml::from_str(&text).map_err(|error| wrong(format!("{error}")))
    }

    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        self.write(path).map_err(|why| Error::File { path: path.to_owned(), why })
    }

    fn write(&self, path: &Path) -> std::result::Result<(), String> {
        let text = toml::to_string(self).map_err(|error| error.to_string())?;
        let directory = path.parent().ok_or("it has no directory")?;
        let told = |error: std::io::Error| error.to_string();
        if !directory.exists() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(told)?;
        }
        let beside = path.with_extension(format!("toml.{}", std::process::id()));
        let mut options = fs::OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&beside).map_err(told)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(told)?;
        fs::rename(&beside, path).map_err(told)
    }

    pub(crate) fn add(&mut self, url: &str, login: Login) {
        self.servers.insert(url.to_owned(), login);
        self.default = Some(url.to_owned());
    }

    pub(crate) fn forget(&mut self, url: &str) {
        self.servers.remove(url);
        if self.default.as_deref() == Some(url) {
            // of one that is left there is no doubt
            let mut left = self.servers.keys();
            self.default = match (left.next(), left.next()) {
                (Some(one), None) => Some(one.clone()),
                (Some(_), Some(_)) | (None, _) => None,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> Login {
        Login { token: "grn_1".into(), name: "ada".into(), made: Made::Here, expires_at: None }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_login_is_kept_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("greenroom").join(FILE);
        assert_eq!(Logins::load(&path).unwrap(), Logins::default());
        let mut logins = Logins::default();
        logins.add("https://ci.example.com", login());
        logins.save(&path).unwrap();
        logins.save(&path).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(Logins::load(&path).unwrap(), logins);
        let beside = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(beside, 1, "nothing is left beside it");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = Logins::load(&path).unwrap_err().to_string();
        assert!(refused.contains("mode 644") && refused.contains("chmod 600"), "{refused}");
    }

    #[test]
    fn a_broken_file_says_where() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        fs::write(&path, "servers = 1\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let refused = Logins::load(&path).unwrap_err().to_string();
        assert!(refused.contains("logins.toml") && refused.contains("line 1"), "{refused}");
    }

    #[test]
    fn the_server_that_is_left_is_the_one_that_is_meant() {
        let mut logins = Logins::default();
        for url in ["https://a", "https://b", "https://c"] {
            logins.add(url, login());
        }
        logins.forget("https://c");
        assert_eq!(logins.default, None, "two are left");
        logins.forget("https://a");
        assert_eq!(logins.default, None, "none was meant before");
        logins.add("https://d", login());
        logins.forget("https://d");
        assert_eq!(logins.default.as_deref(), Some("https://b"));
    }
}
