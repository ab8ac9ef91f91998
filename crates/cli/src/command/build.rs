//! `greenroom build`: a build by hand.

use clap::Args;
use model::{BranchName, CommitSha, ServiceName, StageName, TagName};
use serde_json::json;

use super::began;
use crate::app::InApp;
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::{Surroundings, remote};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    app: InApp,
    /// The newest commit of this branch, as it is on GitHub [default: the one that is checked out]
    #[arg(long, conflicts_with = "tag")]
    branch: Option<BranchName>,
    /// The commit of this tag
    #[arg(long)]
    tag: Option<TagName>,
    /// This commit, all forty digits
    #[arg(long)]
    commit: Option<CommitSha>,
    /// For this stage [default: where the app's rules send it]
    #[arg(long)]
    stage: Option<StageName>,
    /// Of this service; may be given several times [default: what the rules say]
    #[arg(long = "service", value_name = "SERVICE")]
    services: Vec<ServiceName>,
    /// Also what is deployed as it should be
    #[arg(long)]
    force: bool,
    /// Wait for its end, which the exit code tells
    #[arg(long)]
    wait: bool,
}

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let is_named = given.branch.is_some() || given.tag.is_some() || given.commit.is_some();
    let branch = match given.branch.map(String::from) {
        Some(branch) => Some(branch),
        None if is_named => None,
        None => Some(remote::branch(&around.directory).ok_or_else(|| {
            Error::Usage(
                "no branch is checked out here: say what is to be built, with --branch, --tag or \
                 --commit"
                    .into(),
            )
        })?),
    };
    let (client, app) = given.app.find(around).await?;
    let services = Some(given.services).filter(|services| !services.is_empty());
    let body = json!({
        "branch": branch, "tag": given.tag, "commit": given.commit, "stage": given.stage,
        "force": given.force, "services": services,
    });
    let value = client.post(&format!("/apps/{app}/builds"), &body).await?;
    began((&client, &app), &value, (given.wait, given.app.common.json), around).await
}
