//! `greenroom builds`: the newest builds of an app, or one of them.

use clap::{Args, ValueEnum};
use model::{BranchName, CommitSha, StageName};
use serde::Deserialize;

use crate::app::InApp;
use crate::build::{self, Build};
use crate::error::Result;
use crate::exit::Code;
use crate::watch::path;
use crate::{Surroundings, out};

#[derive(Debug, Args)]
pub struct Arguments {
    /// One build, with its jobs [default: the newest]
    #[arg(conflicts_with_all = ["stage", "branch", "commit", "state", "outcome", "limit"])]
    number: Option<i64>,
    #[command(flatten)]
    app: InApp,
    /// Of this stage
    #[arg(long)]
    stage: Option<StageName>,
    /// Of this branch
    #[arg(long)]
    branch: Option<BranchName>,
    /// Of this commit, all forty digits
    #[arg(long)]
    commit: Option<CommitSha>,
    /// In this state
    #[arg(long)]
    state: Option<State>,
    /// With this outcome
    #[arg(long)]
    outcome: Option<Outcome>,
    /// At most so many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=100))]
    limit: u8,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    Running,
    Waiting,
    Finished,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Outcome {
    Succeeded,
    Failed,
    Canceled,
    Superseded,
    Skipped,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Finished => "finished",
        }
    }
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Superseded => "superseded",
            Self::Skipped => "skipped",
        }
    }
}

#[derive(Deserialize)]
struct Builds {
    builds: Vec<Build>,
    next: Option<String>,
}

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let (client, app) = given.app.find(around).await?;
    let now = (around.now)();
    if let Some(number) = given.number {
        let value = client.get(&path(&app, number)).await?;
        if given.app.common.json {
            out::json(&value)?;
        } else {
            let build: Build = client.part(&value)?;
            out::line(&build.whole(now))?;
        }
        return Ok(Code::Succeeded);
    }
    let wanted = [
        ("stage", given.stage.map(String::from)),
        ("branch", given.branch.map(String::from)),
        ("commit", given.commit.map(String::from)),
        ("state", given.state.map(|state| state.as_str().to_owned())),
        ("outcome", given.outcome.map(|outcome| outcome.as_str().to_owned())),
        ("limit", Some(given.limit.to_string())),
    ];
    let query: Vec<(&str, String)> =
        wanted.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    let value = client.get_with(&format!("/apps/{app}/builds"), &query).await?;
    if given.app.common.json {
        out::json(&value)?;
        return Ok(Code::Succeeded);
    }
    let Builds { builds, next } = client.part(&value)?;
    if builds.is_empty() {
        out::said(&format!("{app} has no such build"))?;
        return Ok(Code::Succeeded);
    }
    out::line(&build::builds(&builds, now))?;
    if next.is_some() {
        out::said("there are older ones: --limit shows more")?;
    }
    Ok(Code::Succeeded)
}
