//! `greenroom approve`: an answer to what a build asks.
//!
//! What always holds: what is approved is what was shown: the answer names the commit and the digest
//! of the change, and the server refuses it for anything else.

use clap::Args;
use serde_json::json;

use crate::api::Client;
use crate::app::InApp;
use crate::build::{Approval, Build};
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::watch::path;
use crate::{Surroundings, confirm, out, words};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The build
    number: i64,
    #[command(flatten)]
    app: InApp,
    /// The commit that you mean, at least seven digits of it; nothing else is approved then, and
    /// nothing is asked
    #[arg(long)]
    commit: Option<String>,
    /// Deploy although the stage is frozen
    #[arg(long)]
    override_freeze: bool,
    /// Ask nothing
    #[arg(long, short)]
    yes: bool,
}

const SHORTEST: usize = 7;

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let (client, app) = given.app.find(around).await?;
    let path = path(&app, given.number);
    let build: Build = client.part(&client.get(&path).await?)?;
    let asked = asked(&build)?;
    if let Some(commit) = &given.commit {
        is_meant(asked, commit, build.number)?;
    }
    shown(&client, &build, asked)?;
    let question = format!("Approve build {}?", build.number);
    let said = given.yes || given.commit.is_some();
    confirm::ask(&question, said, "--commit SHA, or --yes")?;
    let body = json!({
        "commit": asked.commit, "bound_to": asked.bound_to,
        "override_freeze": given.override_freeze,
    });
    let value = client.post(&format!("{path}/approve"), &body).await?;
    if given.app.common.json {
        out::json(&value)?;
    } else {
        let commit = words::short(asked.commit.as_str());
        out::line(&format!("build {} is approved, of {commit}", build.number))?;
    }
    Ok(Code::Succeeded)
}

fn asked(build: &Build) -> Result<&Approval> {
    let nothing = || Error::Refused {
        detail: format!("build {} asks for no approval ({})", build.number, build.status()),
    };
    build.approval.as_ref().filter(|approval| approval.state == "waiting").ok_or_else(nothing)
}

fn is_meant(asked: &Approval, commit: &str, number: i64) -> Result<()> {
    if commit.len() < SHORTEST {
        return Err(Error::Usage(format!("--commit {commit}: give at least seven digits")));
    }
    if asked.commit.as_str().starts_with(&commit.to_ascii_lowercase()) {
        return Ok(());
    }
    let is = words::short(asked.commit.as_str());
    Err(Error::Refused { detail: format!("build {number} is of {is}, not of {commit}") })
}

fn shown(client: &Client, build: &Build, asked: &Approval) -> Result<()> {
    let commit = words::short(asked.commit.as_str());
    let stage = build.stage.as_deref().unwrap_or("its stage");
    let title = crate::table::plain(&build.title);
    out::said(&format!("{commit} {title}, for {stage} of {}", client.url()))?;
    for why in &asked.waits {
        out::said(&format!("waits: {}", crate::table::plain(why)))?;
    }
    if !asked.approvers.is_empty() {
        out::said(&format!("may answer: {}, admins", asked.approvers.join(", ")))?;
    }
    out::said(&format!("what it changes: {}/approve", build.url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_is_named_is_the_only_one_that_is_approved() {
        let asked = Approval {
            state: "waiting".into(),
            commit: "abcdef0".repeat(6)[..40].parse().unwrap(),
            bound_to: "digest".into(),
            waits: Vec::new(),
            approvers: Vec::new(),
        };
        assert!(is_meant(&asked, "abcdef0", 1).is_ok());
        assert!(is_meant(&asked, "ABCDEF0", 1).is_ok());
        let short = is_meant(&asked, "abc", 1).unwrap_err();
        assert_eq!(short.code(), Code::Usage);
        let other = is_meant(&asked, "1234567", 1).unwrap_err();
        assert_eq!(other.to_string(), "build 1 is of abcdef0, not of 1234567");
    }
}
