//! `greenroom unfreeze`

use clap::Args;
use model::StageName;
use serde_json::json;

use crate::app::InApp;
use crate::error::Result;
use crate::exit::Code;
use crate::{Surroundings, out};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The stage
    stage: StageName,
    #[command(flatten)]
    app: InApp,
}

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let (client, app) = given.app.find(around).await?;
    let path = format!("/apps/{app}/stages/{}/unfreeze", given.stage);
    let value = client.post(&path, &json!({})).await?;
    if given.app.common.json {
        out::json(&value)?;
    } else {
        out::line(&format!("{} of {app} takes deploys again", given.stage))?;
    }
    Ok(Code::Succeeded)
}
