//! `greenroom promote`

use clap::Args;
use model::{CommitSha, StageName, TagName};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::app::InApp;
use crate::error::Result;
use crate::exit::Code;
use crate::{Surroundings, out, words};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The stage that the commit is to come to
    stage: StageName,
    #[command(flatten)]
    app: InApp,
    /// The stage that it comes from [default: the one that the settings name]
    #[arg(long)]
    from: Option<StageName>,
    /// What the new tag is called, where tags are deployed
    #[arg(long)]
    tag: Option<TagName>,
    /// The commit that you have seen there; another one is refused
    #[arg(long)]
    commit: Option<CommitSha>,
}

#[derive(Deserialize)]
struct Promoted {
    branch: Option<String>,
    tag: Option<String>,
    commit: String,
    from: String,
    outcome: String,
    build: Option<i64>,
}

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let (client, app) = given.app.find(around).await?;
    let wanted = [
        ("from", given.from.map(String::from)),
        ("tag", given.tag.map(String::from)),
        ("commit", given.commit.map(String::from)),
    ];
    let wanted: Map<String, Value> = wanted
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), json!(value?))))
        .collect();
    let path = format!("/apps/{app}/stages/{}/promote", given.stage);
    let value = client.post(&path, &Value::Object(wanted)).await?;
    if given.app.common.json {
        out::json(&value)?;
        return Ok(Code::Succeeded);
    }
    out::line(&told(&client.part(&value)?))?;
    Ok(Code::Succeeded)
}

fn told(promoted: &Promoted) -> String {
    let commit = words::short(&promoted.commit);
    let what = match (&promoted.branch, &promoted.tag) {
        (Some(branch), _) => format!("branch {branch}"),
        (None, Some(tag)) => format!("tag {tag}"),
        (None, None) => "what is built there".to_owned(),
    };
    let done = match promoted.outcome.as_str() {
        "moved" => "is now at",
        "created" => "was made at",
        _ => "was already at",
    };
    let next = match promoted.build {
        Some(number) => format!("build {number} began"),
        None => "the push starts the build".to_owned(),
    };
    format!("{what} {done} {commit} of {}; {next}", promoted.from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promotion_says_what_moved_and_what_comes_of_it() {
        let commit = "a".repeat(40);
        let moved = json!({
            "branch": "prod", "commit": commit, "from": "staging", "outcome": "moved",
            "build": null,
        });
        let told = |value: Value| told(&serde_json::from_value(value).unwrap());
        let expected = "branch prod is now at aaaaaaa of staging; the push starts the build";
        assert_eq!(told(moved), expected);
        let made = json!({
            "tag": "v2", "commit": commit, "from": "staging", "outcome": "created", "build": 9,
        });
        assert_eq!(told(made), "tag v2 was made at aaaaaaa of staging; build 9 began");
    }
}
