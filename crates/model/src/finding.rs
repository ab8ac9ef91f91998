//! What is wrong with a package before it is deployed: where, and how to mend it.
//!
//! What always holds: a finding names a place that its reader can look up, and what to do there.

use serde::{Deserialize, Serialize};

use crate::app::{Level, Policy};

/// One thing that was found in a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub check: Check,
    pub level: Level,
    /// As in `Resources.HelloLambdaFunction.Properties.Runtime`, or a key of a user's file.
    pub place: String,
    pub problem: String,
    pub remedy: String,
}

/// Who found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "policy")]
pub enum Check {
    /// A limit of AWS: it would refuse this too, only later and in other words.
    Limit,
    /// CloudFormation itself refused the template.
    Template,
    /// Somebody else changed the stack since Greenroom deployed it.
    Outside,
    Safeguard(Policy),
    /// It was not among what was shown when the deploy was approved.
    Approval,
}
