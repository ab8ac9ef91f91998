//! The `greenroom` program: reads settings, builds every part, wires them, and stops them in
//! order. No logic of the product lives here.

mod clock;
mod command;
mod config;
mod identity;
mod open;
mod supervisor;
mod telemetry;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::LazyLock;

use clap::{CommandFactory, Parser, Subcommand};

use config::Environment;

/// A self-hosted CI/CD server for serverless applications.
#[derive(Parser)]
#[command(name = "greenroom", version = version(), about, arg_required_else_help = true)]
struct Arguments {
    /// The server's settings [default: config/greenroom.toml, else /etc/greenroom/greenroom.toml]
    #[arg(long, global = true, value_name = "FILE", env = "GREENROOM_CONFIG")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Server(Server),
    #[command(flatten)]
    Client(cli::Command),
    /// What a shell completes, for bash, zsh or fish
    Completions(cli::Completions),
    /// The man page of the program, or of one of its commands
    Man(cli::Man),
}

/// On the server's machine, or a worker's.
#[derive(Subcommand)]
enum Server {
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

/// `0.1.0 (1ccef8d0a1b2)`; without the commit when it is not `script/release` that builds.
fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let version = env!("CARGO_PKG_VERSION");
        match option_env!("GREENROOM_BUILD_COMMIT") {
            Some(commit) => format!("{version} ({commit})"),
            None => version.to_owned(),
        }
    });
    &VERSION
}

/// A call of AWS from within a job is some hundred frames deep, and those of a build without
/// optimisation are large. What is not used of it is never there.
const STACK_BYTES: usize = 8 * 1024 * 1024;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => {
            report(&anyhow::Error::new(error).context("cannot start threads"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> ExitCode {
    let file = arguments.config;
    let done = match arguments.command {
        Command::Server(command) => server(command, file.as_deref()).await,
        // nothing of a server: it logs nothing, and knows no settings
        Command::Client(command) => Ok(command::client::run(command).await),
        Command::Completions(given) => command::client::completions(&given, Arguments::command()),
        Command::Man(given) => command::client::man(&given, Arguments::command()),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

async fn server(command: Server, file: Option<&Path>) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_process();
    let traces = telemetry::start(&environment)?;
    for name in environment.unknown() {
        tracing::warn!(name, "unknown environment variable: is its name misspelt?");
    }
    let done = carry_out(command, file, &environment).await;
    traces.end().await;
    done
}

async fn carry_out(
    command: Server,
    file: Option<&Path>,
    environment: &Environment,
) -> anyhow::Result<ExitCode> {
    match command {
        Server::Serve => command::serve::run(config::Config::load(file, environment)?).await?,
        Server::Worker(given) => command::worker::run(given, environment).await?,
        Server::Migrate => {
            command::migrate::run(&config::Config::load(file, environment)?).await?;
        }
        Server::Check(given) => return command::check::run(&given),
        Server::Apply(given) => {
            let config = config::Config::load(file, environment)?;
            return command::apply::run(&given, &config).await;
        }
        Server::Token(given) => {
            command::token::run(given, &config::Config::load(file, environment)?).await?;
        }
        Server::SetupLink => {
            command::setup_link::run(&config::Config::load(file, environment)?).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stderr, reason = "the one place where the program says why it ends")]
fn report(error: &anyhow::Error) {
    eprintln!("greenroom: {error:#}");
}
