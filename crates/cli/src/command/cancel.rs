//! `greenroom cancel`

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
}

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let (client, app) = given.app.find(around).await?;
    let number = given.number;
    let value = client.post(&format!("{}/cancel", path(&app, number)), &json!({})).await?;
    if given.app.common.json {
        out::json(&value)?;
    } else {
        out::line(&format!("build {number} is being canceled: a running deploy ends first"))?;
    }
    Ok(Code::Succeeded)
}
