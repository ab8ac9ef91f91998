//! `greenroom env`

use std::collections::BTreeMap;

use clap::Args;
use model::personal::Use;
use serde_json::json;

use crate::error::Result;
use crate::exit::Code;
use crate::laptop::shell::{self, Shell};
use crate::laptop::{Place, Room};
use crate::{Surroundings, out, words};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    /// For whose `eval` [default: the one that SHELL names]
    #[arg(long, value_name = "SHELL")]
    shell: Option<Shell>,
}

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let session = given.place.begin(around, Use::Env, Vec::new()).await?;
    let room = Room::make(&session.begun, around.now)?;
    let variables = session.variables(&room, around.variable("NODE_OPTIONS"))?;
    if given.place.app.common.json {
        let unset: BTreeMap<&String, Option<&str>> =
            variables.unset.iter().map(|name| (name, None)).collect();
        let mut all = json!(unset);
        for (name, value) in &variables.set {
            all[name] = json!(value);
        }
        out::json(&all)?;
    } else {
        let shell = given.shell.unwrap_or_else(|| shell::of(around.variable("SHELL")));
        out::bytes(shell::lines(&variables, shell).as_bytes())?;
    }
    let begun = &session.begun;
    out::said(&format!(
        "greenroom: {} of {} for the stage {} in {} ({}), until {}",
        begun.service,
        begun.app,
        begun.stage,
        begun.account,
        begun.region,
        words::moment(begun.credentials.expires_at)
    ))?;
    room.keep();
    Ok(Code::Succeeded)
}
