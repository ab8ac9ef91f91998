//! `greenroom whoami`

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Deserialize;

use crate::error::Result;
use crate::exit::Code;
use crate::server::Common;
use crate::{Surroundings, out, words};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
}

/// Who one is on a server.
#[derive(Debug, Deserialize)]
pub(crate) struct Me {
    pub(crate) name: String,
    role: Option<String>,
    apps: BTreeMap<String, String>,
    pub(crate) token: Option<Token>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Token {
    name: String,
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

impl Me {
    /// What one may, in a line each.
    fn rights(&self) -> Vec<String> {
        let server = self.role.iter().map(|role| format!("{role} in the whole server"));
        let apps = self.apps.iter().map(|(app, role)| format!("{role} in {app}"));
        server.chain(apps).collect()
    }
}

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let client = given.common.server.client(around)?;
    let value = client.get("/whoami").await?;
    if given.common.json {
        out::json(&value)?;
        return Ok(Code::Succeeded);
    }
    let me: Me = client.part(&value)?;
    out::line(&format!("{} on {}", me.name, client.url()))?;
    for right in me.rights() {
        out::line(&right)?;
    }
    if let Some(token) = &me.token {
        let end = token.expires_at.map_or_else(
            || "without an end".to_owned(),
            |end| format!("ends {}", words::moment(end)),
        );
        out::line(&format!("token: {}, {end}", token.name))?;
    }
    Ok(Code::Succeeded)
}
