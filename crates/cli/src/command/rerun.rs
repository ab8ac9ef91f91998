//! `greenroom rerun`

use clap::Args;
use serde_json::json;

use super::began;
use crate::Surroundings;
use crate::app::InApp;
use crate::error::Result;
use crate::exit::Code;
use crate::watch::path;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The build
    number: i64,
    #[command(flatten)]
    app: InApp,
    /// Leave alone what is deployed as it should be
    #[arg(long)]
    failed_only: bool,
    /// Wait for its end, which the exit code tells
    #[arg(long)]
    wait: bool,
}

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let (client, app) = given.app.find(around).await?;
    let body = json!({ "failed_only": given.failed_only });
    let value = client.post(&format!("{}/rerun", path(&app, given.number)), &body).await?;
    began((&client, &app), &value, (given.wait, given.app.common.json), around).await
}
