//! `greenroom open`: a page of the server, in the browser or as its address.

use std::io::IsTerminal;
use std::process::{Command, Stdio};

use clap::Args;
use model::{AppName, StageName};
use serde_json::json;

use crate::app::InApp;
use crate::error::Result;
use crate::exit::Code;
use crate::{Surroundings, out};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The page of this build [default: all builds of the app]
    number: Option<i64>,
    #[command(flatten)]
    app: InApp,
    /// The page of this stage
    #[arg(long, conflicts_with = "number")]
    stage: Option<StageName>,
    /// Print the address and open nothing
    #[arg(long)]
    print: bool,
}

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let (client, app) = given.app.find(around).await?;
    let url = page(client.url(), &app, given.number, given.stage.as_ref());
    if given.app.common.json {
        out::json(&json!({ "url": url }))?;
        return Ok(Code::Succeeded);
    }
    out::line(&url)?;
    // a script wants the address
    if !given.print && std::io::stdout().is_terminal() && !opened(around, &url) {
        out::said("no browser could be opened here: open the address yourself")?;
    }
    Ok(Code::Succeeded)
}

fn page(server: &str, app: &AppName, build: Option<i64>, stage: Option<&StageName>) -> String {
    match (build, stage) {
        (Some(number), _) => format!("{server}/apps/{app}/builds/{number}"),
        (None, Some(stage)) => format!("{server}/apps/{app}/stages/{stage}"),
        (None, None) => format!("{server}/builds?app={app}"),
    }
}

/// `$BROWSER`, or what the system opens addresses with.
fn opened(around: &Surroundings, url: &str) -> bool {
    let system = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let program = around.variable("BROWSER").unwrap_or(system);
    let mut browser = Command::new(program);
    let browser = browser.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    browser.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_has_its_page() {
        let app = "workshop".parse().unwrap();
        let stage = "dev".parse().unwrap();
        let page = |build, stage| page("https://ci", &app, build, stage);
        assert_eq!(page(None, None), "https://ci/builds?app=workshop");
        assert_eq!(page(Some(3), None), "https://ci/apps/workshop/builds/3");
        assert_eq!(page(None, Some(&stage)), "https://ci/apps/workshop/stages/dev");
    }
}
