//! The files of a private cluster: `<data_dir>/postgres/{lock,data,run,postgres.log}`.
//!
//! What always holds: `data` appears by a rename, when it is whole and has its database.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use nix::fcntl::{Flock, FlockArg};

use super::ClusterError;
use super::install;
use super::owner::Owner;

/// Name of the database and of its only role.
const NAME: &str = "greenroom";
/// What `sun_path` holds besides its end.
const MAX_SOCKET_PATH_BYTES: usize = 107;

#[derive(Debug)]
pub(super) struct Directory {
    pub(super) owner: Owner,
    home: PathBuf,
}

impl Directory {
    /// Makes what is missing, and refuses what cannot work with the reason.
    pub(super) fn prepare(data_dir: &Path) -> Result<Self, ClusterError> {
        let owner = Owner::find()?;
        fs::create_dir_all(data_dir).map_err(ClusterError::io(data_dir))?;
        let data_dir = data_dir.canonicalize().map_err(ClusterError::io(data_dir))?;
        owner.check_reach(&data_dir)?;
        let directory = Self { owner, home: data_dir.join("postgres") };
        let socket = directory.run().join(".s.PGSQL.5432");
        if socket.as_os_str().len() > MAX_SOCKET_PATH_BYTES {
            return Err(ClusterError::SocketPath { path: socket });
        }
        install::programs(&directory.data())?;
        for path in [directory.home.clone(), directory.run()] {
            fs::create_dir_all(&path).map_err(ClusterError::io(&path))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))
                .map_err(ClusterError::io(&path))?;
            owner.give(&path)?;
        }
        Ok(directory)
    }

    /// A directory in which a cluster was made before.
    pub(super) fn existing(data_dir: &Path) -> Option<Self> {
        let home = data_dir.canonicalize().ok()?.join("postgres");
        let directory = Self { owner: Owner::find().ok()?, home };
        directory.data().is_dir().then_some(directory)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    pub(super) fn run(&self) -> PathBuf {
        self.home.join("run")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.home.join("postgres.log")
    }

    /// Held by the process that owns the cluster; the kernel gives it back when that dies.
    pub(super) fn lock(&self) -> Result<Flock<File>, ClusterError> {
        let path = self.home.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(ClusterError::io(&path))?;
        Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|_| ClusterError::Taken { path: self.home.clone() })
    }

    /// Makes the cluster and its database, unless they are there.
    pub(super) fn initialise(&self) -> Result<(), ClusterError> {
        let (data, new) = (self.data(), self.home.join("data.new"));
        if data.exists() {
            return Ok(());
        }
        if new.exists() {
            fs::remove_dir_all(&new).map_err(ClusterError::io(&new))?;
        }
        let bin = install::programs(&data)?;
        // trust: whoever reaches the socket, in a directory of mode 0700, is the server
        let made = self
            .owner
            .command(&bin.join("initdb"), true)
            .arg("-D")
            .arg(&new)
            .args(["-U", NAME, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"])
            .args(["--data-checksums", "--no-instructions"])
            .output();
        succeeded("initdb", made)?;
        let mut single = self
            .owner
            .command(&bin.join("postgres"), true)
            .args(["--single", "-j", "-D"])
            .arg(&new)
            .arg("postgres")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(ClusterError::io(&new))?;
        if let Some(mut stdin) = single.stdin.take() {
            writeln!(stdin, "create database {NAME};\n").map_err(ClusterError::io(&new))?;
        }
        let output = succeeded("postgres --single", single.wait_with_output())?;
        // single-user mode says what went wrong, and ends well
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains("ERROR:") || said.contains("FATAL:") {
            return Err(ClusterError::Failed {
                program: "postgres --single",
                output: said.trim().into(),
            });
        }
        fs::rename(&new, &data).map_err(ClusterError::io(&data))?;
        File::open(&self.home)
            .and_then(|home| home.sync_all())
            .map_err(ClusterError::io(&self.home))
    }

    pub(super) fn url(&self) -> String {
        let mut host = String::new();
        for byte in self.run().as_os_str().as_bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
                    host.push(char::from(*byte));
                }
                _ => write!(host, "%{byte:02X}").expect("a String takes all that is written"),
            }
        }
        format!("postgres:///{NAME}?host={host}&user={NAME}")
    }
}

fn succeeded(
    program: &'static str,
    output: std::io::Result<Output>,
) -> Result<Output, ClusterError> {
    let output = output.map_err(ClusterError::io(Path::new("setpriv")))?;
    if output.status.success() {
        return Ok(output);
    }
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    Err(ClusterError::Failed { program, output: String::from_utf8_lossy(&text).trim().into() })
}
