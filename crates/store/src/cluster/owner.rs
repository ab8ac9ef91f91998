//! As whom PostgreSQL runs: as ourselves, or as the user `postgres` when we are root.
//!
//! What always holds: a child has a clean environment, and (through setpriv) neither root's ids
//! nor its groups.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{Gid, Uid, User, geteuid};

use super::ClusterError;

const USER: &str = "postgres";

#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    /// `None`: we are not root and run it as ourselves.
    ids: Option<(Uid, Gid)>,
}

impl Owner {
    pub(super) fn find() -> Result<Self, ClusterError> {
        if !geteuid().is_root() {
            return Ok(Self { ids: None });
        }
        let user = User::from_name(USER).ok().flatten().ok_or(ClusterError::NoUser)?;
        Ok(Self { ids: Some((user.uid, user.gid)) })
    }

    /// A command run as the owner. `tied`: it gets SIGINT, PostgreSQL's fast shutdown, when the
    /// thread that starts it ends.
    pub(super) fn command(self, program: &Path, tied: bool) -> Command {
        let mut command = Command::new("setpriv");
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .current_dir("/")
            .stdin(Stdio::null());
        if tied {
            command.args(["--pdeathsig", "INT"]);
        }
        if let Some((uid, gid)) = self.ids {
            command.args([&format!("--reuid={uid}"), &format!("--regid={gid}"), "--clear-groups"]);
        }
        // setpriv wants at least one setting
        if !tied && self.ids.is_none() {
            command.arg("--no-new-privs");
        }
        command.arg("--").arg(program);
        command
    }

    pub(super) fn give(self, path: &Path) -> Result<(), ClusterError> {
        match self.ids {
            Some((uid, gid)) => {
                chown(path, Some(uid.as_raw()), Some(gid.as_raw())).map_err(ClusterError::io(path))
            }
            None => Ok(()),
        }
    }

    /// Refuses a directory that the owner cannot enter, naming the one in the way.
    pub(super) fn check_reach(self, path: &Path) -> Result<(), ClusterError> {
        let enters = |path: &Path| {
            self.command(Path::new("test"), false)
                .arg("-x")
                .arg(path)
                .status()
                .map(|status| status.success())
                .map_err(ClusterError::io(Path::new("setpriv")))
        };
        if enters(path)? {
            return Ok(());
        }
        let mut above: Vec<&Path> = path.ancestors().collect();
        above.reverse();
        for blocked in above {
            if !enters(blocked)? {
                let mode = blocked.metadata().map_err(ClusterError::io(blocked))?.mode() & 0o7777;
                return Err(ClusterError::Unreachable {
                    path: path.into(),
                    blocked: blocked.into(),
                    mode,
                });
            }
        }
        Ok(())
    }
}
