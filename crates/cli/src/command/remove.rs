//! `greenroom remove`

use clap::{Args, ValueEnum};
use model::StageName;
use model::worker_api::RemoveHow;
use serde_json::json;

use super::began;
use crate::app::InApp;
use crate::error::Result;
use crate::exit::Code;
use crate::{Surroundings, confirm};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The stage
    stage: StageName,
    #[command(flatten)]
    app: InApp,
    /// What becomes of a stack that does not let itself be deleted
    #[arg(long, default_value = "careful")]
    how: How,
    /// Ask nothing
    #[arg(long, short)]
    yes: bool,
    /// Wait for its end, which the exit code tells
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum How {
    /// It stays, and the stage says what keeps it
    Careful,
    /// What cannot be deleted is kept and named; the stack goes
    Retaining,
    /// CloudFormation deletes the stack by force
    Forced,
}

impl From<How> for RemoveHow {
    fn from(how: How) -> Self {
        match how {
            How::Careful => Self::Careful,
            How::Retaining => Self::Retaining,
            How::Forced => Self::Forced,
        }
    }
}

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let (client, app) = given.app.find(around).await?;
    let stage = &given.stage;
    let question =
        format!("Remove the stage {stage} of {app}, with all its stacks and their data?");
    confirm::ask(&question, given.yes, "--yes")?;
    let body = json!({ "how": RemoveHow::from(given.how) });
    let value = client.post(&format!("/apps/{app}/stages/{stage}/remove"), &body).await?;
    began((&client, &app), &value, (given.wait, given.app.common.json), around).await
}
