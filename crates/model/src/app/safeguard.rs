//! The safeguards of a profile: policies that are to hold before a deploy.
//!
//! They are kept and shown, and not enforced: whoever applies a file with safeguards is warned of
//! that (see [`super::warnings`]).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::written;
use crate::document::{Cursor, Node};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Safeguard {
    pub policy: Policy,
    pub level: Level,
    /// What the policy is held against, in a form of its own; null where it needs nothing.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub config: Value,
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

/// `node` is the list that `cursor` stands on.
pub(super) fn safeguards(cursor: &Cursor<'_>, node: &Node) -> Option<Vec<Safeguard>> {
    let places = cursor.items()?;
    let found: Vec<Option<Safeguard>> = places
        .iter()
        .zip(written::items(node))
        .map(|(place, node)| safeguard(place, node))
        .collect();
    found.into_iter().collect()
}

fn safeguard(cursor: &Cursor<'_>, node: &Node) -> Option<Safeguard> {
    let fields = cursor.fields(&["policy", "level", "config"])?;
    let policy = fields
        .required("policy", "name what is to hold, like allowed-regions")
        .and_then(|place| place.choice(&POLICIES));
    let level =
        fields.required("level", "write warning or error").and_then(|place| place.choice(&LEVELS));
    let config =
        written::find(node, &["config"]).map(|pair| written::json(&pair.value)).unwrap_or_default();
    Some(Safeguard { policy: policy?, level: level?, config })
}

#[cfg(test)]
mod tests;
