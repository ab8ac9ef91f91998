//! The postmaster: started, found again after a crash, stopped.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::directory::Directory;
use super::{ClusterError, install};

/// Crash recovery is part of a start, and may have much to read.
const START: Duration = Duration::from_secs(120);
/// How long a shutdown may take before it is made an immediate one.
const STOP: Duration = Duration::from_secs(30);
/// How long a postmaster without an owner is given to notice by itself.
const NOTICE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(5);
/// What a new postmaster says while children of a killed one are still ending.
const STILL_ENDING: &str = "pre-existing shared memory block";

#[derive(Debug)]
pub(super) struct Postmaster {
    child: Child,
}

impl Postmaster {
    /// Starts it and waits until it takes connections.
    pub(super) fn start(directory: &Directory) -> Result<Self, ClusterError> {
        let began = Instant::now();
        loop {
            let mut postmaster = Self::spawn(directory)?;
            loop {
                if is_ready(directory) {
                    return Ok(postmaster);
                }
                if postmaster.ended().is_some() {
                    break;
                }
                if began.elapsed() > START {
                    postmaster.stop();
                    return Err(ClusterError::NotReady { waited: START, log: directory.log() });
                }
                sleep(LOOK);
            }
            let said = fs::read_to_string(directory.log()).unwrap_or_default();
            if !said.contains(STILL_ENDING) || began.elapsed() > START {
                return Err(ClusterError::Failed {
                    program: "postgres",
                    output: said.trim().into(),
                });
            }
            sleep(LOOK);
        }
    }

    fn spawn(directory: &Directory) -> Result<Self, ClusterError> {
        let bin = install::programs(&directory.data())?;
        let path = directory.log();
        let log = File::create(&path).map_err(ClusterError::io(&path))?;
        let errors = log.try_clone().map_err(ClusterError::io(&path))?;
        let child = directory
            .owner
            .command(&bin.join("postgres"), true)
            .arg("-D")
            .arg(directory.data())
            .arg("-k")
            .arg(directory.run())
            .args(["-c", "listen_addresses=", "-c", "unix_socket_permissions=0700"])
            .args(["-c", "shared_buffers=128MB", "-c", "max_connections=100"])
            // a refused statement is the caller's to report, and its values are nobody's business
            .args(["-c", "log_min_messages=log", "-c", "log_min_error_statement=panic"])
            .stdout(log)
            .stderr(errors)
            // a Ctrl-C is for us: we stop it when we are done with it
            .process_group(0)
            .spawn()
            .map_err(ClusterError::io(&PathBuf::from("setpriv")))?;
        Ok(Self { child })
    }

    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// A fast shutdown, which rolls back what is open; an immediate one if that takes too long.
    pub(super) fn stop(mut self) {
        for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGKILL] {
            if self.ended().is_some() {
                return;
            }
            let began = Instant::now();
            self::signal(self.child.id().cast_signed(), signal);
            while began.elapsed() < STOP {
                if self.ended().is_some() {
                    return;
                }
                sleep(LOOK);
            }
        }
        tracing::error!(pid = self.child.id(), "PostgreSQL does not stop");
    }
}

/// Whether a live postmaster of this directory takes connections.
pub(super) fn is_ready(directory: &Directory) -> bool {
    let Ok(text) = fs::read_to_string(directory.data().join("postmaster.pid")) else {
        return false;
    };
    // the lines of postmaster.pid are numbered in PostgreSQL's miscadmin.h: 1 is the pid, 8 the state
    text.lines().nth(7).is_some_and(|line| line.trim() == "ready")
        && pid(directory).is_some_and(|pid| works_in(pid, &directory.data()))
}

/// Waits until nothing of an earlier owner's PostgreSQL is left, asking it to stop if it does not
/// by itself, and clears what it left behind. The caller holds the lock, so no other owner lives.
///
/// PostgreSQL takes the process that `postmaster.pid` names for a postmaster if it merely exists: a
/// zombie that nobody reaps, or whoever has that number now. Hence we look who works in the
/// directory, backends of a killed postmaster included, and only then remove the file.
pub(super) fn settle(directory: &Directory) -> Result<(), ClusterError> {
    let began = Instant::now();
    let mut asked = false;
    loop {
        let left = processes(directory);
        let Some(first) = left.first() else { break };
        if began.elapsed() > NOTICE && !asked {
            asked = true;
            tracing::warn!(?left, "stopping the PostgreSQL of an earlier run");
            match pid(directory).filter(|pid| left.contains(pid)) {
                Some(postmaster) => signal(postmaster, Signal::SIGINT),
                None => left.iter().for_each(|pid| signal(*pid, Signal::SIGTERM)),
            }
        }
        if began.elapsed() > NOTICE + STOP {
            return Err(ClusterError::Held { path: directory.data(), pid: *first });
        }
        sleep(LOOK);
    }
    for path in
        [directory.data().join("postmaster.pid"), directory.run().join(".s.PGSQL.5432.lock")]
    {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(ClusterError::Io { path, source: error });
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn signal(pid: i32, signal: Signal) {
    // an error means that it is gone, which the caller sees when it looks again
    let _ = kill(Pid::from_raw(pid), signal);
}

/// The postmaster that `postmaster.pid` names.
fn pid(directory: &Directory) -> Option<i32> {
    let text = fs::read_to_string(directory.data().join("postmaster.pid")).ok()?;
    text.lines().next()?.trim().parse().ok()
}

/// The live processes of the cluster: every PostgreSQL process works in its data directory.
fn processes(directory: &Directory) -> Vec<i32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| works_in(*pid, &directory.data()))
        .collect()
}

fn works_in(pid: i32, data: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data)
}
