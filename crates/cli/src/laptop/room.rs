//! The files beside a command: the Serverless plugin, the outputs that it reads, and whom to trust.
//!
//! What always holds: the directory is made for this session alone, mode 0700, and never one that was
//! there; no credential is in it. It goes with [`Room`], unless a shell is to have it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use model::output::Declared;
use model::personal::Begun;
use model::plugin;

use crate::error::{Error, Result};

const PREFIX: &str = "greenroom-laptop-";
/// What a shell was given is of no use when its credentials are long over.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
const DECLARED_MAX_BYTES: u64 = 256 * 1024;

pub(crate) struct Room {
    directory: PathBuf,
    has_ca_bundle: bool,
    made_at: SystemTime,
    is_kept: bool,
}

impl Room {
    pub(crate) fn make(begun: &Begun, now: fn() -> DateTime<Utc>) -> Result<Self> {
        let all = std::env::temp_dir();
        let now = SystemTime::from(now());
        clear(&all, now);
        let directory = all.join(format!("{PREFIX}{}", begun.id));
        DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .map_err(|error| failed(&directory, &error))?;
        let room = Self {
            has_ca_bundle: begun.aws.ca_bundle.is_some(),
            made_at: now,
            is_kept: false,
            directory,
        };
        let outputs =
            serde_json::to_vec(&begun.outputs).map_err(|error| Error::Local(error.to_string()))?;
        room.write(&room.outputs(), &outputs)?;
        for (name, text) in plugin::FILES {
            let file = room.plugin().join(name);
            if let Some(parent) = file.parent() {
                let mut builder = DirBuilder::new();
                builder.recursive(true).mode(0o700);
                builder.create(parent).map_err(|error| failed(parent, &error))?;
            }
            room.write(&file, text.as_bytes())?;
        }
        if let Some(pem) = &begun.aws.ca_bundle {
            room.write(&room.directory.join("ca.pem"), pem.as_bytes())?;
        }
        Ok(room)
    }

    fn write(&self, file: &Path, bytes: &[u8]) -> Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let written = options.open(file).and_then(|mut open| open.write_all(bytes));
        written.map_err(|error| failed(file, &error))
    }

    pub(crate) fn outputs(&self) -> PathBuf {
        self.directory.join("outputs.json")
    }

    pub(crate) fn plugin(&self) -> PathBuf {
        self.directory.join("plugin")
    }

    pub(crate) fn ca_bundle(&self) -> Option<PathBuf> {
        self.has_ca_bundle.then(|| self.directory.join("ca.pem"))
    }

    /// It outlives this program.
    pub(crate) fn keep(mut self) {
        self.is_kept = true;
    }

    /// What the plugin left of the service's `outputs:` while the command ran.
    pub(crate) fn declared(&self, service: &Path) -> Option<Declared> {
        let file = service.join(".serverless").join(plugin::OUTPUTS_FILE);
        let about = fs::metadata(&file).ok()?;
        // as coarse as file systems are
        let since = self.made_at.checked_sub(Duration::from_secs(2))?;
        let is_new = about.modified().is_ok_and(|modified| modified >= since);
        if !is_new || about.len() > DECLARED_MAX_BYTES {
            return None;
        }
        let mut text = String::new();
        File::open(&file).ok()?.read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if !self.is_kept {
            // what cannot be removed holds no credential, and the next session tries again
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// Removes what shells and killed programs have left here a day ago.
fn clear(all: &Path, now: SystemTime) {
    let is_old = |entry: &fs::DirEntry| {
        let about = entry.metadata().ok()?;
        let age = now.duration_since(about.modified().ok()?).ok()?;
        let named = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        Some(named && about.is_dir() && age > KEPT)
    };
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        if is_old(&entry) == Some(true) {
            // another's cannot be removed, and need not
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::File { path: path.to_owned(), why: error.to_string() }
}
