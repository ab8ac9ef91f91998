//! One command, one file: its arguments, and what it does.

pub(crate) mod approve;
pub(crate) mod apps;
pub(crate) mod build;
pub(crate) mod builds;
pub(crate) mod cancel;
pub(crate) mod env;
pub(crate) mod exec;
pub(crate) mod freeze;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod logs;
pub(crate) mod open;
pub(crate) mod promote;
pub(crate) mod reject;
pub(crate) mod remove;
pub(crate) mod rerun;
pub(crate) mod rollback;
pub(crate) mod shell;
pub(crate) mod stages;
pub(crate) mod unfreeze;
pub(crate) mod whoami;

use model::AppName;
use serde_json::Value;

use crate::Surroundings;
use crate::api::Client;
use crate::build::Build;
use crate::error::Result;
use crate::exit::Code;
use crate::out;
use crate::watch::{Show, watch};

/// What follows a call that began a build: it is named, and waited for where that is wanted.
async fn began(
    (client, app): (&Client, &AppName),
    value: &Value,
    (wait, json): (bool, bool),
    around: &Surroundings,
) -> Result<Code> {
    let build: Build = client.part(value)?;
    if wait {
        out::said(&format!("build {} began: {}", build.number, build.url))?;
        return watch(client, app, build.number, Show::States).await?.told(json, around);
    }
    if json {
        out::json(value)?;
    } else {
        out::line(&format!("build {} began: {}", build.number, build.url))?;
    }
    Ok(Code::Succeeded)
}
