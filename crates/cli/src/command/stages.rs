//! `greenroom stages`: the stages of an app, or one of them.

use chrono::{DateTime, Utc};
use clap::Args;
use model::StageName;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::app::InApp;
use crate::error::Result;
use crate::exit::Code;
use crate::table::{Table, plain};
use crate::{Surroundings, out, words};

#[derive(Debug, Args)]
pub struct Arguments {
    /// One stage, with what is deployed there
    stage: Option<StageName>,
    #[command(flatten)]
    app: InApp,
    /// What was deployed there before, newest first
    #[arg(long, requires = "stage")]
    history: bool,
    /// The closed ones too
    #[arg(long, conflicts_with = "stage")]
    all: bool,
}

#[derive(Deserialize)]
struct Stages {
    stages: Vec<Stage>,
}

#[derive(Deserialize)]
struct Stage {
    name: String,
    kind: String,
    profile: String,
    branch: Option<String>,
    pull_request: Option<i64>,
    state: String,
    expires_at: Option<DateTime<Utc>>,
    #[serde(default)]
    personal: Option<Personal>,
    frozen: Option<Frozen>,
    instances: Vec<Instance>,
}

/// Whose it is.
#[derive(Deserialize)]
struct Personal {
    owner: String,
    used_at: DateTime<Utc>,
    expired_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct Frozen {
    reason: String,
    until: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct Instance {
    service: String,
    region: String,
    state: String,
    commit: Option<String>,
    build: Option<i64>,
    #[serde(default)]
    outputs: Map<String, Value>,
    #[serde(default)]
    endpoints: Vec<String>,
    updated_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Deployments {
    deployments: Vec<Deployment>,
}

#[derive(Deserialize)]
struct Deployment {
    id: String,
    service: String,
    region: String,
    kind: String,
    state: String,
    commit: String,
    build: i64,
    started_at: DateTime<Utc>,
}

impl Stage {
    /// What runs there: one commit, or that they are several.
    fn commit(&self) -> String {
        let mut commits: Vec<&str> =
            self.instances.iter().filter_map(|instance| instance.commit.as_deref()).collect();
        commits.sort_unstable();
        commits.dedup();
        match commits.as_slice() {
            [] => String::new(),
            [one] => words::short(one).to_owned(),
            several => format!("{} commits", several.len()),
        }
    }

    fn source(&self) -> String {
        match (&self.branch, self.pull_request) {
            (Some(branch), Some(number)) => format!("{branch} #{number}"),
            (Some(branch), None) => branch.clone(),
            (None, Some(number)) => format!("#{number}"),
            (None, None) => String::new(),
        }
    }

    /// Where it is from, or whose it is and since when nobody used it.
    fn origin(&self, now: DateTime<Utc>) -> String {
        match &self.personal {
            Some(own) => format!("{}, {}", own.owner, words::when(own.used_at, now)),
            None => self.source(),
        }
    }

    fn status(&self) -> String {
        let expired = self.personal.as_ref().is_some_and(|own| own.expired_at.is_some());
        match (&self.frozen, expired) {
            (Some(_), _) => format!("{}, frozen", words::state(&self.state)),
            (None, true) if self.state == "active" => "expired".to_owned(),
            (None, _) => words::state(&self.state),
        }
    }

    fn whole(&self, now: DateTime<Utc>) -> String {
        let mut lines = vec![format!(
            "{}: {} stage on {}, {}",
            self.name,
            self.kind,
            self.profile,
            self.status()
        )];
        if let Some(frozen) = &self.frozen {
            let until = frozen.until.map(|until| format!(", until {}", words::moment(until)));
            lines.push(format!("frozen: {}{}", plain(&frozen.reason), until.unwrap_or_default()));
        }
        let source = self.source();
        if !source.is_empty() {
            lines.push(format!("of {source}"));
        }
        if let Some(own) = &self.personal {
            let used = words::when(own.used_at, now);
            lines.push(format!("of {}, last used {used}", plain(&own.owner)));
            if let Some(expired) = own.expired_at {
                let since = words::when(expired, now);
                lines.push(format!("expired {since}; nobody was told, so it stays until removed"));
            }
        }
        let is_over = self.personal.as_ref().is_some_and(|own| own.expired_at.is_some());
        if let Some(end) = self.expires_at.filter(|_| !is_over) {
            lines.push(format!("removed {} if nobody needs it before", words::when(end, now)));
        }
        if self.instances.is_empty() {
            lines.push("nothing is deployed here".to_owned());
            return lines.join("\n");
        }
        let mut table = Table::new(["SERVICE", "REGION", "STATE", "COMMIT", "BUILD", "CHANGED"]);
        for instance in &self.instances {
            let commit = instance.commit.as_deref().map(words::short);
            table.row([
                instance.service.clone(),
                instance.region.clone(),
                words::state(&instance.state),
                commit.unwrap_or_default().to_owned(),
                instance.build.map(|number| number.to_string()).unwrap_or_default(),
                words::when(instance.updated_at, now),
            ]);
        }
        lines.extend([String::new(), table.text()]);
        let outputs = self.outputs();
        if !outputs.is_empty() {
            lines.extend([String::new(), outputs]);
        }
        lines.join("\n")
    }

    fn outputs(&self) -> String {
        let lines = self.instances.iter().flat_map(|instance| {
            let outputs = instance.outputs.iter().map(|(key, value)| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                format!("{}.{} = {}", instance.service, plain(key), plain(&value))
            });
            let endpoints = instance
                .endpoints
                .iter()
                .map(|endpoint| format!("{}: {}", instance.service, plain(endpoint)));
            outputs.chain(endpoints)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let (client, app) = given.app.find(around).await?;
    let now = (around.now)();
    let path = match (&given.stage, given.history) {
        (None, _) => format!("/apps/{app}/stages"),
        (Some(stage), false) => format!("/apps/{app}/stages/{stage}"),
        (Some(stage), true) => format!("/apps/{app}/stages/{stage}/deployments"),
    };
    let value = client.get(&path).await?;
    if given.app.common.json {
        out::json(&value)?;
        return Ok(Code::Succeeded);
    }
    match (&given.stage, given.history) {
        (None, _) => {
            let Stages { stages } = client.part(&value)?;
            let shown = |stage: &Stage| given.all || stage.state != "closed";
            out::line(&table(stages.into_iter().filter(shown), now))?;
        }
        (Some(_), false) => {
            let stage: Stage = client.part(&value)?;
            out::line(&stage.whole(now))?;
        }
        (Some(_), true) => {
            let Deployments { deployments } = client.part(&value)?;
            out::line(&history(deployments, now))?;
        }
    }
    Ok(Code::Succeeded)
}

fn table(stages: impl Iterator<Item = Stage>, now: DateTime<Utc>) -> String {
    let mut table = Table::new(["STAGE", "KIND", "STATE", "COMMIT", "FROM", "SERVICES", "ENDS"]);
    for stage in stages {
        table.row([
            stage.name.clone(),
            stage.kind.clone(),
            stage.status(),
            stage.commit(),
            stage.origin(now),
            stage.instances.len().to_string(),
            stage.expires_at.map(|end| words::when(end, now)).unwrap_or_default(),
        ]);
    }
    table.text()
}

fn history(deployments: Vec<Deployment>, now: DateTime<Utc>) -> String {
    let mut table = Table::new([
        "SERVICE",
        "REGION",
        "WHAT",
        "STATE",
        "COMMIT",
        "BUILD",
        "BEGAN",
        "DEPLOYMENT",
    ]);
    for one in deployments {
        table.row([
            one.service,
            one.region,
            one.kind,
            words::state(&one.state),
            words::short(&one.commit).to_owned(),
            one.build.to_string(),
            words::when(one.started_at, now),
            one.id,
        ]);
    }
    table.text()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
    }

    fn stage(commits: &[&str]) -> Stage {
        let instances: Vec<Value> = commits
            .iter()
            .map(|commit| {
                json!({
                    "service": "api", "region": "us-east-1", "state": "deployed",
                    "commit": commit.repeat(40), "build": 3,
                    "outputs": { "Url": "https://api" }, "endpoints": ["GET https://api/notes"],
                    "updated_at": now() - TimeDelta::hours(2),
                })
            })
            .collect();
        serde_json::from_value(json!({
            "name": "dev", "kind": "long-lived", "profile": "development", "branch": null,
            "pull_request": null, "state": "active", "expires_at": null, "instances": instances,
            "frozen": { "reason": "the sales", "until": null },
        }))
        .unwrap()
    }

    #[test]
    fn a_stage_is_told_with_what_is_deployed_there() {
        let expected = "\
dev: long-lived stage on development, active, frozen
frozen: the sales

SERVICE  REGION     STATE     COMMIT   BUILD  CHANGED
api      us-east-1  deployed  aaaaaaa  3      2h ago

api.Url = https://api
api: GET https://api/notes";
        assert_eq!(stage(&["a"]).whole(now()), expected);
        let empty = stage(&[]).whole(now());
        assert!(empty.ends_with("nothing is deployed here"), "{empty}");
    }

    #[test]
    fn a_list_says_which_commit_runs_or_that_they_are_several() {
        let text = table([stage(&["a", "a"]), stage(&["a", "b"])].into_iter(), now());
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains("aaaaaaa") && lines[2].contains("2 commits"), "{text}");
    }
}
