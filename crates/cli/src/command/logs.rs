//! `greenroom logs`: what the jobs of a build printed, or print.

use std::io::IsTerminal;

use clap::Args;
use model::{AppName, ServiceName, StageName};
use serde::Deserialize;

use crate::api::Client;
use crate::app::InApp;
use crate::build::{Build, Job};
use crate::clean::Cleaner;
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::follow::Line;
use crate::watch::{End, Selection, Show, as_json, path, watch};
use crate::{Surroundings, out};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The build [default: the newest one]
    number: Option<i64>,
    #[command(flatten)]
    app: InApp,
    /// Follow them to the build's end, which the exit code tells
    #[arg(long, short)]
    follow: bool,
    /// Of the newest build of this stage
    #[arg(long, conflicts_with = "number")]
    stage: Option<StageName>,
    /// Of this service alone
    #[arg(long)]
    service: Option<ServiceName>,
    /// Of jobs of this kind alone: plan, test, package, deploy, …
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Of jobs that failed
    #[arg(long, conflicts_with = "follow")]
    failed: bool,
}

#[derive(Deserialize)]
struct Builds {
    builds: Vec<Newest>,
}

#[derive(Deserialize)]
struct Newest {
    number: i64,
}

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let (client, app) = given.app.find(around).await?;
    let number = match given.number {
        Some(number) => number,
        None => newest(&client, &app, given.stage.as_ref()).await?,
    };
    let json = given.app.common.json;
    let of = Selection {
        service: given.service.map(String::from),
        kind: given.kind.map(|kind| kind.replace([' ', '-'], "_")),
        failed: given.failed,
    };
    if given.follow {
        let end = watch(&client, &app, number, Show::Logs { of, json }).await?;
        return match end {
            // its lines were the answer
            End::Ended(_, build) if json => Ok(Code::of_outcome(build.outcome.as_deref())),
            End::Ended(..) | End::Interrupted => end.told(false, around),
        };
    }
    let build: Build = client.part(&client.get(&path(&app, number)).await?)?;
    let mut any = false;
    for job in build.jobs.iter().filter(|job| job.started_at.is_some() && of.has(job)) {
        any = true;
        if json {
            lines(&client, job).await?;
        } else {
            out::said(&format!("==> {}: {}", job.name(), job.status()))?;
            whole(&client, job).await?;
        }
    }
    if !any {
        out::said(&format!("build {number} has no such job that began"))?;
    }
    Ok(Code::Succeeded)
}

async fn newest(client: &Client, app: &AppName, stage: Option<&StageName>) -> Result<i64> {
    let stage = stage.map(|stage| ("stage", stage.to_string()));
    let query: Vec<(&str, String)> = [("limit", "1".to_owned())].into_iter().chain(stage).collect();
    let value = client.get_with(&format!("/apps/{app}/builds"), &query).await?;
    let Builds { builds } = client.part(&value)?;
    let none = || Error::Refused { detail: format!("{app} has no such build yet") };
    Ok(builds.first().ok_or_else(none)?.number)
}

/// As it is; on a terminal without what a terminal would obey.
async fn whole(client: &Client, job: &Job) -> Result<()> {
    let is_terminal = std::io::stdout().is_terminal();
    let mut cleaner = Cleaner::default();
    let mut answer = client.stream(&format!("/jobs/{}/log", job.id), None).await?;
    while let Some(bytes) = answer.chunk().await.map_err(|error| client.unreachable(&error))? {
        if is_terminal {
            out::bytes(&cleaner.clean(&bytes))?;
        } else {
            out::bytes(&bytes)?;
        }
    }
    if is_terminal {
        out::bytes(b"\x1b[0m")?;
    }
    Ok(())
}

async fn lines(client: &Client, job: &Job) -> Result<()> {
    let answer = client.stream(&format!("/jobs/{}/log", job.id), None).await?;
    let text = answer.text().await.map_err(|error| client.unreachable(&error))?;
    for text in text.lines() {
        out::line(&as_json(&Line { job: job.clone(), text: text.to_owned() }))?;
    }
    Ok(())
}
