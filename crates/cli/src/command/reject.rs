//! `greenroom reject`

use clap::Args;
use serde_json::json;

use crate::app::InApp;
use crate::error::Result;
use crate::exit::Code;
use crate::watch::path;
use crate::{Surroundings, out};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The build
    number: i64,
    #[command(flatten)]
    app: InApp,
    /// Why, for whoever wanted it
    #[arg(long)]
    reason: Option<String>,
}

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let (client, app) = given.app.find(around).await?;
    let body = json!({ "reason": given.reason });
    let value = client.post(&format!("{}/reject", path(&app, given.number)), &body).await?;
    if given.app.common.json {
        out::json(&value)?;
    } else {
        out::line(&format!("build {} is rejected", given.number))?;
    }
    Ok(Code::Succeeded)
}
