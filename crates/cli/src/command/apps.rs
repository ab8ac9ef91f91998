//! `greenroom apps`

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::Result;
use crate::exit::Code;
use crate::server::Common;
use crate::table::Table;
use crate::{Surroundings, out, words};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
}

#[derive(Deserialize)]
struct Apps {
    apps: Vec<App>,
}

#[derive(Deserialize)]
struct App {
    app: String,
    repository: String,
    #[serde(default)]
    stages: Map<String, Value>,
    updated_at: DateTime<Utc>,
}

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let client = given.common.server.client(around)?;
    let value = client.get("/apps").await?;
    if given.common.json {
        out::json(&value)?;
        return Ok(Code::Succeeded);
    }
    let Apps { apps } = client.part(&value)?;
    if apps.is_empty() {
        out::said(&format!("{} shows you no app", client.url()))?;
        return Ok(Code::Succeeded);
    }
    let now = (around.now)();
    let mut table = Table::new(["APP", "REPOSITORY", "STAGES", "CHANGED"]);
    for app in apps {
        let stages: Vec<&str> = app.stages.keys().map(String::as_str).collect();
        table.row([app.app, app.repository, stages.join(", "), words::when(app.updated_at, now)]);
    }
    out::line(&table.text())?;
    Ok(Code::Succeeded)
}
