//! `greenroom freeze`

use chrono::{DateTime, Utc};
use clap::Args;
use model::StageName;
use model::app::Lifetime;
use serde_json::json;

use crate::app::InApp;
use crate::error::Result;
use crate::exit::Code;
use crate::{Surroundings, out, words};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The stage: a long-lived one
    stage: StageName,
    #[command(flatten)]
    app: InApp,
    /// Why, for whoever wants to deploy meanwhile
    #[arg(long, short)]
    reason: String,
    /// How long, like 2d or 12h [default: until somebody ends it]
    #[arg(long = "for", value_name = "TIME")]
    time: Option<Lifetime>,
    /// Until this moment, like 2026-12-24T18:00:00Z
    #[arg(long, value_name = "MOMENT", conflicts_with = "time")]
    until: Option<DateTime<Utc>>,
}

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let (client, app) = given.app.find(around).await?;
    let until = given.until.or_else(|| Some((around.now)() + given.time?.duration()));
    let body = json!({ "reason": given.reason, "until": until });
    let path = format!("/apps/{app}/stages/{}/freeze", given.stage);
    let value = client.post(&path, &body).await?;
    if given.app.common.json {
        out::json(&value)?;
        return Ok(Code::Succeeded);
    }
    let until = until.map_or_else(
        || "until somebody ends it".to_owned(),
        |until| format!("until {}", words::moment(until)),
    );
    out::line(&format!("{} of {app} is frozen {until}", given.stage))?;
    Ok(Code::Succeeded)
}
