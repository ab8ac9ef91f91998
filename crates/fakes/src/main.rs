//! `greenroom-fakes`: the GitHub stand-in as a process of its own, for the demo. It is driven over
//! `/_fakes`. When it is ready it prints one line of JSON with its address; it ends on SIGINT or
//! SIGTERM and forgets everything.

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use fakes::{GitHub, Hook, HookOwner};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A GitHub stand-in for tests and demonstrations
#[derive(Debug, Parser)]
struct Arguments {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Directory for the bare repositories (default: a temporary one)
    #[arg(long)]
    dir: Option<PathBuf>,
    /// A personal access token to accept; may be repeated
    #[arg(long = "token")]
    tokens: Vec<String>,
    /// Where webhooks go; may be set later through `PUT /_fakes/webhook`
    #[arg(long)]
    webhook_url: Option<String>,
    /// Signs the webhooks
    #[arg(long, requires = "webhook_url")]
    webhook_secret: Option<String>,
    /// Send webhooks as a repository's own hook instead of the App's
    #[arg(long, requires = "webhook_url")]
    repository_hook: bool,
    /// Writes the App's private key there, readable by the owner alone
    #[arg(long)]
    app_key_file: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;

    let mut builder = GitHub::builder().listen(arguments.listen);
    if let Some(dir) = arguments.dir {
        builder = builder.dir(dir);
    }
    for token in &arguments.tokens {
        builder = builder.token(token);
    }
    if let Some(url) = arguments.webhook_url {
        builder = builder.hook(Hook {
            url,
            secret: arguments.webhook_secret,
            owner: if arguments.repository_hook { HookOwner::Repository } else { HookOwner::App },
        });
    }
    let github = builder.start().await?;
    if let Some(file) = &arguments.app_key_file {
        write_key(file, github.app_private_key_pem())
            .with_context(|| format!("cannot write the App's key to {}", file.display()))?;
    }
    let ready = serde_json::json!({
        "url": github.url(),
        "app_id": fakes::APP_ID,
        "installation_id": fakes::INSTALLATION_ID,
    });
    writeln!(std::io::stdout(), "{ready}")?;

    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn write_key(file: &Path, pem: &str) -> std::io::Result<()> {
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)?
        .write_all(pem.as_bytes())
}
