//! The command itself: a child with this terminal, whose end is ours.
//!
//! What always holds: a signal that is meant for the command reaches it once. What a terminal sends, it
//! sends to the whole group, so that the command has it already; what somebody sends to this program
//! alone is passed on.

use std::io::IsTerminal;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::Variables;
use crate::error::{Error, Result};

/// Runs it to its end.
pub(crate) async fn run(words: &[String], variables: &Variables, directory: &Path) -> Result<u8> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Error::Usage("name the command to run behind `--`".into()));
    };
    // before the child: what comes in between is not lost
    let heard = |kind| signal(kind).map_err(|error| Error::Local(error.to_string()));
    let mut interrupt = heard(SignalKind::interrupt())?;
    let mut quit = heard(SignalKind::quit())?;
    let mut hangup = heard(SignalKind::hangup())?;
    let mut terminate = heard(SignalKind::terminate())?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).envs(&variables.set);
    for name in &variables.unset {
        command.env_remove(name);
    }
    // the command is the developer's, and the token may do more than it needs
    command.env_remove("GREENROOM_TOKEN");
    let mut child = command
        .spawn()
        .map_err(|error| Error::Local(format!("{program} cannot be run: {error}")))?;
    let by_terminal = std::io::stdin().is_terminal();
    loop {
        tokio::select! {
            ended = child.wait() => {
                let status = ended.map_err(|error| Error::Local(error.to_string()))?;
                return Ok(code(status));
            }
            _ = interrupt.recv() => pass_on(&child, Signal::SIGINT, by_terminal),
            _ = quit.recv() => pass_on(&child, Signal::SIGQUIT, by_terminal),
            _ = hangup.recv() => pass_on(&child, Signal::SIGHUP, by_terminal),
            _ = terminate.recv() => pass_on(&child, Signal::SIGTERM, false),
        }
    }
}

fn pass_on(child: &Child, signal: Signal, has_it: bool) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    if let (Some(pid), false) = (pid, has_it) {
        // one that has ended meanwhile is seen by the wait
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// As shells have it: 128 and the signal of one that was killed.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_command_is_told_as_shells_do() {
        assert_eq!(code(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(code(ExitStatus::from_raw(15)), 143, "killed by SIGTERM");
        assert_eq!(code(ExitStatus::from_raw(0)), 0);
    }
}
