//! `greenroom rollback`

use chrono::{DateTime, Utc};
use clap::{ArgGroup, Args};
use model::app::Lifetime;
use model::{DeploymentId, ServiceName, StageName};
use serde_json::{Map, Value, json};

use super::began;
use crate::Surroundings;
use crate::app::InApp;
use crate::error::Result;
use crate::exit::Code;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("to").required(true).args(["build", "service"]))]
pub struct Arguments {
    /// The stage
    stage: StageName,
    #[command(flatten)]
    app: InApp,
    /// To what this build had deployed there, the whole stage
    #[arg(long, value_name = "NUMBER")]
    build: Option<i64>,
    /// This service alone, to one of its deployments
    #[arg(long, requires = "deployment", conflicts_with = "build")]
    service: Option<ServiceName>,
    /// The deployment, as `greenroom stages STAGE --history` lists it
    #[arg(long, value_name = "ID", requires = "service")]
    deployment: Option<DeploymentId>,
    /// Freeze the stage too, for this reason, so that the next push does not undo it
    #[arg(long, value_name = "REASON")]
    freeze: Option<String>,
    /// How long it is frozen, like 2d or 12h [default: until somebody ends it]
    #[arg(long, value_name = "TIME", requires = "freeze")]
    freeze_for: Option<Lifetime>,
    /// Wait for its end, which the exit code tells
    #[arg(long)]
    wait: bool,
}

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let (client, app) = given.app.find(around).await?;
    let until: Option<DateTime<Utc>> =
        given.freeze_for.map(|time| (around.now)() + time.duration());
    let mut body = Map::new();
    if let Some(build) = given.build {
        body.insert("build".into(), json!(build));
    }
    if let (Some(service), Some(deployment)) = (&given.service, given.deployment) {
        body.insert("service".into(), json!(service));
        body.insert("deployment".into(), json!(deployment));
    }
    if let Some(reason) = &given.freeze {
        body.insert("freeze".into(), json!({ "reason": reason, "until": until }));
    }
    let path = format!("/apps/{app}/stages/{}/rollback", given.stage);
    let value = client.post(&path, &Value::Object(body)).await?;
    began((&client, &app), &value, (given.wait, given.app.common.json), around).await
}
