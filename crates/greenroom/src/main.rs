//! The `greenroom` program: reads settings, builds every part, wires them, and stops them in
//! order. No logic of the product lives here.

mod clock;
mod command;
mod config;
mod identity;
mod open;
mod telemetry;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use config::Environment;

/// A self-hosted CI/CD server for serverless applications.
#[derive(Parser)]
#[command(name = "greenroom", version, about, arg_required_else_help = true)]
struct Arguments {
    /// The server's settings [default: config/greenroom.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE", env = "GREENROOM_CONFIG")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server: webhooks, queue, pages, API and an embedded worker
    Serve,
    /// Run jobs for a server, from this or another machine
    Worker(command::worker::Arguments),
    /// Bring the database to this program's schema and stop
    Migrate,
    /// Check app and pipeline files, offline
    Check(command::check::Arguments),
    /// Register apps, or change them, by their files
    Apply(command::apply::Arguments),
    /// Bearer tokens of the API
    #[command(subcommand)]
    Token(command::token::Command),
    /// Print a new link to the setup pages
    SetupLink,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_process();
    telemetry::start(&environment)?;
    for name in environment.unknown() {
        tracing::warn!(name, "unknown environment variable: is its name misspelt?");
    }
    let file = arguments.config.as_deref();
    match arguments.command {
        Command::Serve => command::serve::run(config::Config::load(file, &environment)?).await?,
        Command::Worker(given) => command::worker::run(given, &environment).await?,
        Command::Migrate => {
            command::migrate::run(&config::Config::load(file, &environment)?).await?;
        }
        Command::Check(given) => return command::check::run(&given),
        Command::Apply(given) => {
            let config = config::Config::load(file, &environment)?;
            return command::apply::run(&given, &config).await;
        }
        Command::Token(given) => {
            command::token::run(given, &config::Config::load(file, &environment)?).await?;
        }
        Command::SetupLink => {
            command::setup_link::run(&config::Config::load(file, &environment)?).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stderr, reason = "the one place where the program says why it ends")]
fn report(error: &anyhow::Error) {
    eprintln!("greenroom: {error:#}");
}
