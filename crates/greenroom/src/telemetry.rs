//! Log lines on standard error, for people and for collectors alike: a sentence and its fields.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::Environment;

/// `GREENROOM_LOG` filters (`info`, `greenroom_engine=debug,info`); the libraries below us speak
/// only when something is wrong.
pub(crate) fn start(environment: &Environment) -> anyhow::Result<()> {
    let filter = environment
        .get("GREENROOM_LOG")
        .unwrap_or("info,sqlx=warn,hyper=warn,aws_config=warn,aws_smithy_runtime=warn".into());
    let filter = EnvFilter::try_new(&filter)
        .with_context(|| format!("GREENROOM_LOG is {filter:?}; write it like info or debug"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    Ok(())
}
