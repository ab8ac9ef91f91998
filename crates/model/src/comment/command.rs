//! What people ask for in comments on a pull request: `/greenroom deploy`. Pure.
//!
//! What always holds: only a line that begins with the word is read, so a quotation, an example in a
//! code block and what nobody sees (an HTML comment) ask for nothing. A line is either understood
//! whole or answered with why it is not: a word too many is never passed over. A comment with more
//! lines than [`MOST`] is answered as one that is not understood, and nothing of it is done.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{CommitSha, InvalidName, ServiceName, StageName};

/// What a line begins with.
pub const WORD: &str = "/greenroom";
/// Commands that a comment may have.
pub const MOST: usize = 5;
/// How much longer somebody may have a preview kept.
pub const MOST_DAYS: u16 = 90;
const MOST_SERVICES: usize = 50;
/// As much of a line as is kept.
const LONGEST_LINE: usize = 200;
/// Fewer digits of a commit may be another's too.
const SHORTEST_COMMIT: usize = 7;

/// What there is, as it is written, and what it does.
pub const USAGE: [(&str, &str); 6] = [
    ("deploy [service …]", "builds the pull request and deploys it to its preview"),
    ("redeploy [service …]", "the same, and everything anew, changed or not"),
    ("remove", "removes the preview with its stacks"),
    ("approve [stage] [commit]", "approves what waits of the newest commit"),
    ("extend [days]", "keeps the preview for its whole time anew, or for so many days at least"),
    ("help", "says this"),
];

/// One thing that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Builds what has changed; none named: every service that there is.
    Deploy {
        services: BTreeSet<ServiceName>,
    },
    /// Builds it all, changed or not.
    Redeploy {
        services: BTreeSet<ServiceName>,
    },
    Remove,
    Approve {
        stage: Option<StageName>,
        commit: Option<CommitPrefix>,
    },
    Extend {
        span: Span,
    },
    Help,
}

/// For how long a preview is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// As long as its rule says, from now on.
    WholeTime,
    /// So many days from now at least.
    Days(u16),
}

/// The beginning of a commit's name, as people copy it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitPrefix(String);

impl CommitPrefix {
    pub fn names(&self, commit: &CommitSha) -> bool {
        commit.as_str().starts_with(&self.0)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CommitPrefix {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        let lower = text.to_ascii_lowercase();
        let fits = (SHORTEST_COMMIT..=64).contains(&lower.len())
            && lower.bytes().all(|digit| digit.is_ascii_hexdigit());
        if fits {
            return Ok(Self(lower));
        }
        Err(InvalidName {
            kind: "commit",
            value: text,
            rule: "write seven hexadecimal digits of it or more",
        })
    }
}

impl From<CommitPrefix> for String {
    fn from(prefix: CommitPrefix) -> Self {
        prefix.0
    }
}

/// A line of a comment that is for us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    Asks(Command),
    NotUnderstood { said: String, why: String },
}

impl Line {
    /// The line without the word that it begins with.
    pub fn said(&self) -> String {
        match self {
            Self::Asks(command) => command.to_string(),
            Self::NotUnderstood { said, .. } => said.clone(),
        }
    }
}

/// What came of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    Done { what: String },
    Refused { why: String },
    NotUnderstood { why: String },
}

impl Answer {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Refused { .. } => "refused",
            Self::NotUnderstood { .. } => "not_understood",
        }
    }

    pub fn sentence(&self) -> &str {
        match self {
            Self::Done { what } => what,
            Self::Refused { why } | Self::NotUnderstood { why } => why,
        }
    }
}

/// What is put under a comment as its answer, in GitHub's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reaction {
    #[serde(rename = "+1")]
    PlusOne,
    #[serde(rename = "-1")]
    MinusOne,
    #[serde(rename = "confused")]
    Confused,
}

impl Reaction {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PlusOne => "+1",
            Self::MinusOne => "-1",
            Self::Confused => "confused",
        }
    }

    /// The one for all that a comment asked: a refusal goes before what was not understood, and
    /// that before what was done.
    pub fn to(answers: &[Answer]) -> Self {
        let any = |wanted: fn(&Answer) -> bool| answers.iter().any(wanted);
        if any(|answer| matches!(answer, Answer::Refused { .. })) {
            Self::MinusOne
        } else if any(|answer| matches!(answer, Answer::NotUnderstood { .. })) {
            Self::Confused
        } else {
            Self::PlusOne
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deploy { services } => {
                f.write_str("deploy")?;
                services.iter().try_for_each(|service| write!(f, " {service}"))
            }
            Self::Redeploy { services } => {
                f.write_str("redeploy")?;
                services.iter().try_for_each(|service| write!(f, " {service}"))
            }
            Self::Remove => f.write_str("remove"),
            Self::Approve { stage, commit } => {
                f.write_str("approve")?;
                stage.iter().try_for_each(|stage| write!(f, " {stage}"))?;
                commit.iter().try_for_each(|commit| write!(f, " {}", commit.as_str()))
            }
            Self::Extend { span: Span::WholeTime } => f.write_str("extend"),
            Self::Extend { span: Span::Days(days) } => write!(f, "extend {days}"),
            Self::Help => f.write_str("help"),
        }
    }
}

/// What there is to write, in one sentence.
pub fn usage() -> String {
    let each = USAGE.map(|(written, does)| format!("{WORD} {written} ({does})"));
    format!("there is {}", each.join(", "))
}

/// What a comment asks for, line by line; empty: it is none of our business.
pub fn read(body: &str) -> Vec<Line> {
    let asked: Vec<&str> = lines_for_us(body);
    if asked.len() > MOST {
        let why = format!(
            "a comment may ask for {MOST} things, and this asks for {}: nothing of it was done",
            asked.len()
        );
        return vec![Line::NotUnderstood { said: format!("{} lines", asked.len()), why }];
    }
    asked.into_iter().map(line).collect()
}

/// What stands behind the word on each line that begins with it.
fn lines_for_us(body: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut fence: Option<&'static str> = None;
    let mut hidden = false;
    for line in body.lines() {
        let text = line.trim_start_matches(' ');
        // four spaces make a code block
        let is_indented = line.len() - text.len() > 3;
        if hidden {
            hidden = !line.contains("-->");
            continue;
        }
        match (fence, fence_of(text).filter(|_| !is_indented)) {
            (Some(open), Some(mark)) if open == mark => fence = None,
            (Some(_), _) => {}
            (None, Some(mark)) => fence = Some(mark),
            (None, None) => {
                if let Some((_, after)) = line.rsplit_once("<!--") {
                    hidden = !after.contains("-->");
                }
                let rest = text.strip_prefix(WORD).filter(|rest| is_whole(rest));
                found.extend(rest.filter(|_| !is_indented).map(str::trim));
            }
        }
    }
    found
}

/// The mark that begins or ends a code block; backticks that are closed on their line are a word.
fn fence_of(text: &str) -> Option<&'static str> {
    let mark = ["```", "~~~"].into_iter().find(|mark| text.starts_with(mark))?;
    let rest = text.trim_start_matches('`');
    (mark == "~~~" || !rest.contains('`')).then_some(mark)
}

/// `/greenrooms` is another word.
fn is_whole(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(char::is_whitespace)
}

fn line(text: &str) -> Line {
    match command(text) {
        Ok(command) => Line::Asks(command),
        Err(why) => Line::NotUnderstood { said: text.chars().take(LONGEST_LINE).collect(), why },
    }
}

fn command(text: &str) -> Result<Command, String> {
    let mut words = text.split_whitespace();
    let word = words.next().unwrap_or("help").to_ascii_lowercase();
    let rest: Vec<&str> = words.collect();
    match word.as_str() {
        "deploy" => Ok(Command::Deploy { services: services(&rest)? }),
        "redeploy" => Ok(Command::Redeploy { services: services(&rest)? }),
        "remove" => alone("remove", &rest).map(|()| Command::Remove),
        "approve" => approve(&rest),
        "extend" => extend(&rest).map(|span| Command::Extend { span }),
        "help" => alone("help", &rest).map(|()| Command::Help),
        other => {
            let other: String = other.chars().take(40).collect();
            Err(format!("{other:?} is nothing that can be asked for here: {}", usage()))
        }
    }
}

fn services(words: &[&str]) -> Result<BTreeSet<ServiceName>, String> {
    if words.len() > MOST_SERVICES {
        return Err(format!("name {MOST_SERVICES} services at most, or none for all of them"));
    }
    words.iter().map(|word| name(word)).collect()
}

fn name<T: FromStr<Err = InvalidName>>(word: &str) -> Result<T, String> {
    // what is quoted in it may be as long as a comment
    word.parse()
        .map_err(|error: InvalidName| error.to_string().chars().take(LONGEST_LINE).collect())
}

fn alone(word: &str, rest: &[&str]) -> Result<(), String> {
    match rest {
        [] => Ok(()),
        [..] => Err(format!("nothing comes after {word}: write {WORD} {word}")),
    }
}

/// Seven hexadecimal digits or more are a commit, anything else a stage.
fn approve(words: &[&str]) -> Result<Command, String> {
    let (mut stage, mut commit) = (None, None);
    let usage =
        || format!("after approve comes a stage, a commit or both: {WORD} approve prod 1a2b3c4");
    for word in words {
        match CommitPrefix::try_from((*word).to_owned()) {
            Ok(prefix) if commit.is_none() => commit = Some(prefix),
            Ok(_) => return Err(usage()),
            Err(_) if stage.is_none() => {
                stage = Some(name(word)?);
            }
            Err(_) => return Err(usage()),
        }
    }
    Ok(Command::Approve { stage, commit })
}

fn extend(words: &[&str]) -> Result<Span, String> {
    let days = match words {
        [] => return Ok(Span::WholeTime),
        [days] => days.strip_suffix('d').unwrap_or(days).parse::<u16>().ok(),
        [days, "day" | "days"] => days.parse::<u16>().ok(),
        [..] => None,
    };
    days.filter(|days| (1..=MOST_DAYS).contains(days)).map(Span::Days).ok_or_else(|| {
        format!("after extend comes a number of days from 1 to {MOST_DAYS}, or nothing")
    })
}

#[cfg(test)]
mod tests;
