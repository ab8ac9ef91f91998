//! The commands of `greenroom` that speak to a server, over its REST API.
//!
//! What always holds: a command knows nothing that the API does not tell, and asks nothing that a
//! token may not; what people read goes to standard output as lines and tables, what is only said
//! along goes to standard error, and with `--json` standard output is what the API answered. A
//! token is in the file of logins and in the requests, never in a message. The exit code tells what
//! came of it ([`exit::Code`]).
//!
//! After a crash nothing is half done: the server does what was asked, and the file of logins is
//! replaced as a whole.

mod api;
mod app;
mod build;
mod clean;
mod clone;
mod command;
mod confirm;
mod error;
pub mod exit;
mod follow;
mod laptop;
mod logins;
mod out;
mod remote;
mod server;
mod sse;
mod table;
mod watch;
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Subcommand;

pub use command::shell::{Completions, Man, completions, man};
pub use error::{Error, Result};

/// What a command finds around itself.
pub struct Surroundings {
    pub variables: BTreeMap<String, String>,
    pub directory: PathBuf,
    pub now: fn() -> DateTime<Utc>,
}

impl Surroundings {
    /// A variable's value; an empty one counts as absent.
    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// One command, one file.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sign in to a server: a page of it asks whether to let this command line in
    Login(command::login::Arguments),
    /// Sign out: the token is revoked on the server and forgotten here
    Logout(command::logout::Arguments),
    /// Who you are on the server, and what you may
    Whoami(command::whoami::Arguments),
    /// The apps of the server
    Apps(command::apps::Arguments),
    /// The newest builds of an app, or one build with its jobs
    Builds(command::builds::Arguments),
    /// Start a build of a branch, tag or commit
    Build(command::build::Arguments),
    /// The logs of a build's jobs; -f follows them
    Logs(command::logs::Arguments),
    /// Cancel a build
    Cancel(command::cancel::Arguments),
    /// Run a build again, of the same commit
    Rerun(command::rerun::Arguments),
    /// Approve what a build would deploy
    Approve(command::approve::Arguments),
    /// Reject what a build would deploy
    Reject(command::reject::Arguments),
    /// Run a command for a stage of your own, with credentials of one hour
    Exec(command::exec::Arguments),
    /// Print the same environment, for eval
    Env(command::env::Arguments),
    /// Bring what is deployed in one stage to the next, by git
    Promote(command::promote::Arguments),
    /// Bring a stage, or a service of it, back to what it had
    Rollback(command::rollback::Arguments),
    /// Remove a stage with all its stacks
    Remove(command::remove::Arguments),
    /// Keep a stage from taking deploys
    Freeze(command::freeze::Arguments),
    /// End a freeze
    Unfreeze(command::unfreeze::Arguments),
    /// The stages of an app, or one stage with what is deployed there
    Stages(command::stages::Arguments),
    /// Open a page of the server in the browser
    Open(command::open::Arguments),
}

/// Runs it to its end; what came of it is said.
pub async fn run(command: Command, around: &Surroundings) -> exit::Code {
    let done = match command {
        Command::Login(given) => command::login::run(given, around).await,
        Command::Logout(given) => command::logout::run(given, around).await,
        Command::Whoami(given) => command::whoami::run(given, around).await,
        Command::Apps(given) => command::apps::run(given, around).await,
        Command::Builds(given) => command::builds::run(given, around).await,
        Command::Build(given) => command::build::run(given, around).await,
        Command::Logs(given) => command::logs::run(given, around).await,
        Command::Cancel(given) => command::cancel::run(given, around).await,
        Command::Rerun(given) => command::rerun::run(given, around).await,
        Command::Approve(given) => command::approve::run(given, around).await,
        Command::Reject(given) => command::reject::run(given, around).await,
        Command::Exec(given) => command::exec::run(given, around).await,
        Command::Env(given) => command::env::run(given, around).await,
        Command::Promote(given) => command::promote::run(given, around).await,
        Command::Rollback(given) => command::rollback::run(given, around).await,
        Command::Remove(given) => command::remove::run(given, around).await,
        Command::Freeze(given) => command::freeze::run(given, around).await,
        Command::Unfreeze(given) => command::unfreeze::run(given, around).await,
        Command::Stages(given) => command::stages::run(given, around).await,
        Command::Open(given) => command::open::run(given, around).await,
    };
    done.unwrap_or_else(|error| {
        if !matches!(error, Error::Closed) {
            // where standard error is closed too, there is nobody to tell
            let _ = out::said(&format!("greenroom: {error}"));
        }
        error.code()
    })
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    #[derive(Parser)]
    struct Program {
        #[command(subcommand)]
        _command: super::Command,
    }

    #[test]
    fn the_arguments_of_each_command_agree() {
        Program::command().debug_assert();
    }
}
