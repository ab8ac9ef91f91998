//! The safeguards of a profile: policies that are to hold before a deploy.
//!
//! What always holds: a [`Safeguard`] has a configuration its policy can be checked with, however
//! it was made (a file, the body of a call, a stored row). Checking is [`crate::safeguard`]'s.

mod closed;
mod demand;
mod pattern;
mod read;
mod version;
mod write;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::document::{Cursor, from_json, read as read_document};

pub use closed::{ClosedTime, InvalidTime, Moment, Span};
pub use demand::{Allowed, Demand, DescriptionLength, Replacement, Tool};
pub(crate) use pattern::FunctionNames;
pub use pattern::{FunctionPattern, InvalidPattern, Pattern};
pub(super) use read::{TIME_KEYS, closed_time};
pub use version::{InvalidRange, Range};

/// One policy of a profile, and what it does where it does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Safeguard {
    pub level: Level,
    pub demand: Demand,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    AllowedRegions,
    AllowedStages,
    AllowedRuntimes,
    FrameworkVersion,
    RequiredStackTags,
    NoWildIamRoleStatements,
    NoSecretEnvVars,
    RequireCfnRole,
    RequireDlq,
    RequireDescription,
    RequireGlobalVpc,
    AllowedFunctionNames,
    ForbidS3HttpAccess,
    RestrictedDeployTimes,
    /// A change may not replace or delete stateful resources.
    NoReplacement,
}

/// What a policy that does not hold does to the deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// It is said.
    Warning,
    /// The deploy is refused.
    Error,
}

const POLICIES: [(&str, Policy); 15] = [
    ("allowed-regions", Policy::AllowedRegions),
    ("allowed-stages", Policy::AllowedStages),
    ("allowed-runtimes", Policy::AllowedRuntimes),
    ("framework-version", Policy::FrameworkVersion),
    ("required-stack-tags", Policy::RequiredStackTags),
    ("no-wild-iam-role-statements", Policy::NoWildIamRoleStatements),
    ("no-secret-env-vars", Policy::NoSecretEnvVars),
    ("require-cfn-role", Policy::RequireCfnRole),
    ("require-dlq", Policy::RequireDlq),
    ("require-description", Policy::RequireDescription),
    ("require-global-vpc", Policy::RequireGlobalVpc),
    ("allowed-function-names", Policy::AllowedFunctionNames),
    ("forbid-s3-http-access", Policy::ForbidS3HttpAccess),
    ("restricted-deploy-times", Policy::RestrictedDeployTimes),
    ("no-replacement", Policy::NoReplacement),
];
const LEVELS: [(&str, Level); 2] = [("warning", Level::Warning), ("error", Level::Error)];

impl Policy {
    /// As it is written in an app file.
    pub fn as_str(self) -> &'static str {
        POLICIES.iter().find(|(_, policy)| *policy == self).map_or("", |(word, _)| word)
    }
}

impl Safeguard {
    pub fn policy(&self) -> Policy {
        self.demand.policy()
    }
}

/// `cursor` stands on the list.
pub(super) fn safeguards(cursor: &Cursor<'_>) -> Option<Vec<Safeguard>> {
    // every one is read before one is missed, so that all problems are noted
    let found: Vec<Option<Safeguard>> = cursor.items()?.iter().map(safeguard).collect();
    found.into_iter().collect()
}

fn safeguard(cursor: &Cursor<'_>) -> Option<Safeguard> {
    let fields = cursor.fields(&["policy", "level", "config"])?;
    let policy = fields
        .required("policy", "name what is to hold, like allowed-regions")
        .and_then(|place| place.choice(&POLICIES));
    let level =
        fields.required("level", "write warning or error").and_then(|place| place.choice(&LEVELS));
    let demand = read::demand(policy?, fields.optional("config"), cursor);
    Some(Safeguard { level: level?, demand: demand? })
}

/// A safeguard as it is stored and shown: the keys of the file.
#[derive(Serialize, Deserialize)]
struct Written {
    policy: Policy,
    level: Level,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    config: Value,
}

impl From<Safeguard> for Written {
    fn from(safeguard: Safeguard) -> Self {
        Self {
            policy: safeguard.policy(),
            level: safeguard.level,
            config: write::config(&safeguard.demand),
        }
    }
}

impl TryFrom<Written> for Safeguard {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let config = from_json(&written.config);
        let demand = read_document(&config, |cursor| {
            read::demand(written.policy, Some(cursor).filter(|config| !config.is_null()), cursor)
        });
        match demand {
            Ok(demand) => Ok(Self { level: written.level, demand }),
            Err(problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                Err(format!("safeguard {}: {}", written.policy.as_str(), problems.join("; ")))
            }
        }
    }
}

#[cfg(test)]
mod tests;
