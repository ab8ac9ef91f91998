//! `greenroom worker`: runs jobs for a server, from this machine or another. It holds no AWS
//! identity, no GitHub credential and no way to the database.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::config::{Environment, executor_kind};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The server's address
    #[arg(long, env = "GREENROOM_URL", value_name = "URL")]
    url: String,
    /// A token of the role worker (`greenroom token create --role worker`)
    #[arg(long, env = "GREENROOM_TOKEN", hide_env_values = true)]
    token: String,
    /// The worker's name on the System page [default: the host's name and the directory]
    #[arg(long)]
    name: Option<String>,
    /// Where repositories and workspaces lie
    #[arg(long, default_value = "data/worker", value_name = "DIR")]
    work_dir: PathBuf,
    /// Where installed dependencies are kept; several workers of a machine may share it [default:
    /// below the work directory]
    #[arg(long, env = "GREENROOM_WORKER_CACHE_DIR", value_name = "DIR")]
    cache_dir: Option<PathBuf>,
    /// Jobs at once
    #[arg(long, default_value_t = 2)]
    slots: u16,
}

pub(crate) async fn run(arguments: Arguments, environment: &Environment) -> anyhow::Result<()> {
    let executor = environment.get("GREENROOM_WORKER_EXECUTOR").unwrap_or("bubblewrap".to_owned());
    let work_dir = std::path::absolute(&arguments.work_dir)?;
    let name = match arguments.name {
        Some(name) => name,
        None => {
            let host = nix::unistd::gethostname().context("cannot read the host's name")?;
            format!("{}:{}", host.to_string_lossy(), work_dir.display())
        }
    };
    let shutdown = CancellationToken::new();
    super::serve::stop_on_signal(shutdown.clone())?;
    worker::run(
        worker::Config {
            server_url: arguments.url.trim_end_matches('/').to_owned(),
            token: SecretString::from(arguments.token),
            name,
            work_dir,
            cache_dir: arguments.cache_dir.map(std::path::absolute).transpose()?,
            slots: arguments.slots,
            executor: executor_kind(&executor)?,
            retry_waits: model::transient::WAITS.to_vec(),
        },
        shutdown,
    )
    .await?;
    Ok(())
}
