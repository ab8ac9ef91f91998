//! What a deploy will do to a stack, resource by resource.

use serde::{Deserialize, Serialize};

/// The change of one stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackChange {
    pub stack: String,
    pub kind: StackChangeKind,
    pub changes: Vec<ResourceChange>,
    /// Why the list may not be whole, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StackChangeKind {
    /// There is no such stack yet: everything is added.
    New,
    Update,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceChange {
    /// The resource's name in the template.
    pub logical_id: String,
    /// Its name in AWS, if it has one already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub physical_id: Option<String>,
    /// As in `AWS::DynamoDB::Table`.
    pub resource_type: String,
    pub effect: Effect,
    /// The properties that make the change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The resource and what it holds goes.
    Removed,
    /// A new one takes the place of the old, which goes with what it holds.
    Replaced,
    /// CloudFormation knows only while it deploys whether it replaces the resource.
    MayBeReplaced,
    Changed,
    Added,
}

impl Effect {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Replaced => "replaced",
            Self::MayBeReplaced => "may be replaced",
            Self::Changed => "changed",
            Self::Added => "added",
        }
    }
}
