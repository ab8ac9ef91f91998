//! `greenroom migrate`: brings the database to this program's schema and stops.

use crate::config::Config;
use crate::open;

pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    let data_dir = open::data_dir(config)?;
    open::database(config, &data_dir).await?.close().await
}
