//! The words of a command that runs for a stage: what they say of the stage themselves, and what of
//! them is written down. Pure.

use std::fmt;

use crate::{Region, StageName};

/// What is written down of a command, at most.
pub const MAX_COMMAND: usize = 1000;

const FRAMEWORKS: [&str; 3] = ["serverless", "sls", "osls"];
/// Programs that run the one that is named behind them.
const RUNNERS: [&str; 6] = ["npx", "pnpx", "bunx", "yarn", "pnpm", "npm"];
/// What these have between.
const BETWEEN: [&str; 3] = ["exec", "run", "dlx"];
/// Stands for a value.
const LEFT_OUT: &str = "…";

/// A command that would work for another stage or region than its credentials and parameters are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disagreement {
    Stage { said: String, ours: StageName },
    Region { said: String, ours: Region },
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stage { said, ours } => write!(
                f,
                "the command says `--stage {said}`, and `greenroom` was told `--stage {ours}`: write \
                 the same in both places, or leave it out of the command"
            ),
            Self::Region { said, ours } => write!(
                f,
                "the command says `--region {said}`, and it would run in {ours}: write \
                 `--region {said}` before the `--` too, or leave it out of the command"
            ),
        }
    }
}

/// Where in the command the Serverless Framework is named, if the command runs it.
fn framework_at(command: &[String]) -> Option<usize> {
    let name = |word: &String| {
        let name = word.rsplit(['/', '\\']).next().unwrap_or(word);
        name.strip_suffix(".cmd").unwrap_or(name).to_owned()
    };
    let is_framework = |word: &String| {
        // npx takes a version behind the name
        let name = name(word);
        let name = name.split('@').next().unwrap_or_default();
        FRAMEWORKS.contains(&name)
    };
    let first = command.first()?;
    if is_framework(first) {
        return Some(0);
    }
    if !RUNNERS.contains(&name(first).as_str()) {
        return None;
    }
    let skipped = |word: &&String| word.starts_with('-') || BETWEEN.contains(&word.as_str());
    let at = 1 + command[1..].iter().take_while(skipped).count();
    command.get(at).filter(|word| is_framework(word)).map(|_| at)
}

/// The values of an option among the words, however it is written.
fn given<'a>(command: &'a [String], names: &[&str]) -> Vec<&'a str> {
    let mut found = Vec::new();
    for (at, word) in command.iter().enumerate() {
        for name in names {
            if word == name {
                found.extend(command.get(at + 1).map(String::as_str));
            } else if let Some(value) =
                word.strip_prefix(name).and_then(|rest| rest.strip_prefix('='))
            {
                found.push(value);
            }
        }
    }
    found
}

/// Whether the command's own `--stage` and `--region` are the ones that it gets credentials for.
pub fn agreed(
    command: &[String],
    stage: &StageName,
    region: Option<&Region>,
) -> Result<(), Disagreement> {
    let is_framework = framework_at(command).is_some();
    let (stages, regions): (&[&str], &[&str]) = if is_framework {
        (&["--stage", "-s"], &["--region", "-r"])
    } else {
        // what a short option means is each program's own affair
        (&["--stage"], &["--region"])
    };
    if let Some(said) = given(command, stages).into_iter().find(|said| *said != stage.as_str()) {
        return Err(Disagreement::Stage { said: said.to_owned(), ours: stage.clone() });
    }
    let Some(region) = region else { return Ok(()) };
    match given(command, regions).into_iter().find(|said| *said != region.as_str()) {
        Some(said) => Err(Disagreement::Region { said: said.to_owned(), ours: region.clone() }),
        None => Ok(()),
    }
}

/// The command as it is run: one of the Serverless Framework that leaves them out is told stage and
/// region, for it would take those of its `serverless.yml`.
pub fn words(command: &[String], stage: &StageName, region: &Region) -> Vec<String> {
    let mut words = command.to_vec();
    if framework_at(command).is_none_or(|at| at + 1 == command.len()) {
        return words;
    }
    if given(command, &["--stage", "-s"]).is_empty() {
        words.extend(["--stage".to_owned(), stage.to_string()]);
    }
    if given(command, &["--region", "-r"]).is_empty() {
        words.extend(["--region".to_owned(), region.to_string()]);
    }
    words
}

/// Whether the command is one of the Serverless Framework's, as far as its words say.
pub fn frameworks_own(command: &[String]) -> bool {
    framework_at(command).is_some()
}

/// The words without what may be secret in them: values of parameters and of variables.
pub fn without_values(command: &[String]) -> Vec<String> {
    let key = |word: &str| match word.split_once('=') {
        Some((key, _)) => format!("{key}={LEFT_OUT}"),
        None => LEFT_OUT.to_owned(),
    };
    let is_variable = |word: &str| {
        word.split_once('=').is_some_and(|(name, _)| {
            name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
    };
    let mut shown = Vec::with_capacity(command.len());
    let mut is_value = false;
    for word in command {
        if std::mem::take(&mut is_value) {
            shown.push(key(word));
        } else if let Some(rest) = word.strip_prefix("--param=") {
            shown.push(format!("--param={}", key(rest)));
        } else if is_variable(word) {
            shown.push(key(word));
        } else {
            is_value = word == "--param";
            shown.push(word.clone());
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn split(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[rstest]
    #[case("serverless deploy", true)]
    #[case("npx serverless deploy", true)]
    #[case("npx --no-install osls deploy", true)]
    #[case("npx -y osls@4 deploy", true)]
    #[case("yarn run sls deploy", true)]
    #[case("./node_modules/.bin/serverless deploy", true)]
    #[case("npm run deploy", false)]
    #[case("aws s3 ls", false)]
    #[case("npx cdk deploy", false)]
    fn the_framework_is_known_by_its_names(#[case] line: &str, #[case] known: bool) {
        assert_eq!(frameworks_own(&split(line)), known);
    }

    #[rstest]
    #[case("npx serverless deploy --stage ann", None)]
    #[case("npx serverless deploy", None)]
    #[case("npx serverless deploy -s dev", Some("--stage dev"))]
    #[case("npm run deploy -- --stage=prod", Some("--stage prod"))]
    #[case("grep -s dev file", None)]
    #[case("sls deploy --stage ann --region eu-west-1", Some("--region eu-west-1"))]
    fn what_the_command_says_of_its_stage_is_ours_or_refused(
        #[case] line: &str,
        #[case] refused: Option<&str>,
    ) {
        let (stage, region) = ("ann".parse().unwrap(), "us-east-1".parse().unwrap());
        let answer = agreed(&split(line), &stage, Some(&region));
        match (answer, refused) {
            (Ok(()), None) => {}
            (Err(why), Some(part)) => assert!(why.to_string().contains(part), "{why}"),
            (answer, refused) => panic!("{line}: {answer:?}, not {refused:?}"),
        }
    }

    #[rstest]
    #[case("npx serverless deploy", "npx serverless deploy --stage ann --region us-east-1")]
    #[case("sls deploy -s ann", "sls deploy -s ann --region us-east-1")]
    #[case("sls deploy --stage=ann -r us-east-1", "sls deploy --stage=ann -r us-east-1")]
    #[case("serverless", "serverless")]
    #[case("make deploy", "make deploy")]
    fn the_framework_is_told_stage_and_region_where_the_command_is_silent(
        #[case] line: &str,
        #[case] expected: &str,
    ) {
        let (stage, region) = ("ann".parse().unwrap(), "us-east-1".parse().unwrap());
        assert_eq!(words(&split(line), &stage, &region).join(" "), expected);
    }

    #[rstest]
    #[case(
        "sls deploy --param key=s3cret --param=dsn=x --verbose",
        "sls deploy --param key=… --param=dsn=… --verbose"
    )]
    #[case("env TOKEN=abc make", "env TOKEN=… make")]
    #[case("sls deploy --param", "sls deploy --param")]
    #[case("sls deploy --stage=ann", "sls deploy --stage=ann")]
    fn no_value_of_a_parameter_is_written_down(#[case] line: &str, #[case] expected: &str) {
        assert_eq!(without_values(&split(line)).join(" "), expected);
    }
}
