//! Drift: what of a stack is no longer as its template says, because somebody changed it by hand.
//!
//! What always holds: a stack that could not be looked at is never called in sync. The values of
//! properties have been masked by whoever read them: nothing secret stands here.

use serde::{Deserialize, Serialize};

/// One stack, looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackDrift {
    pub stack: String,
    pub status: DriftStatus,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum DriftStatus {
    InSync,
    Drifted {
        resources: Vec<DriftedResource>,
    },
    /// There is no such stack any more.
    Deleted,
    NotChecked {
        reason: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftedResource {
    /// The resource's name in the template.
    pub logical_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub physical_id: Option<String>,
    /// As in `AWS::DynamoDB::Table`.
    pub resource_type: String,
    pub deed: ResourceDrift,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "deed")]
pub enum ResourceDrift {
    Modified { differences: Vec<PropertyDifference> },
    Deleted,
}

/// One property as the template has it and as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PropertyDifference {
    /// A JSON pointer, as CloudFormation writes it.
    pub path: String,
    pub expected: Option<String>,
    pub actual: Option<String>,
}

impl StackDrift {
    /// Whether somebody has to look at it.
    pub fn is_drifted(&self) -> bool {
        match &self.status {
            DriftStatus::InSync | DriftStatus::NotChecked { .. } => false,
            DriftStatus::Drifted { .. } | DriftStatus::Deleted => true,
        }
    }
}

/// All stacks of an instance or of a stage, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftSummary {
    InSync,
    /// Of one at least it cannot be told, and none is known to have drifted.
    NotChecked,
    Drifted,
}

impl DriftSummary {
    /// The worst counts; what has no stacks is in sync.
    pub fn of<'a>(stacks: impl IntoIterator<Item = &'a StackDrift>) -> Self {
        let each = stacks.into_iter().map(|stack| match &stack.status {
            DriftStatus::InSync => Self::InSync,
            DriftStatus::NotChecked { .. } => Self::NotChecked,
            DriftStatus::Drifted { .. } | DriftStatus::Deleted => Self::Drifted,
        });
        each.max().unwrap_or(Self::InSync)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::InSync => "in_sync",
            Self::NotChecked => "not_checked",
            Self::Drifted => "drifted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(status: DriftStatus) -> StackDrift {
        StackDrift { stack: "shop-dev".into(), status }
    }

    #[test]
    fn one_drifted_stack_makes_the_whole_drifted() {
        let unknown = stack(DriftStatus::NotChecked { reason: "denied".into() });
        let all = [stack(DriftStatus::InSync), stack(DriftStatus::Deleted), unknown.clone()];
        assert_eq!(DriftSummary::of(&all), DriftSummary::Drifted);
        let some = [stack(DriftStatus::InSync), unknown];
        assert_eq!(DriftSummary::of(&some), DriftSummary::NotChecked);
    }

    #[test]
    fn what_could_not_be_looked_at_is_not_called_drifted() {
        assert!(!stack(DriftStatus::NotChecked { reason: "denied".into() }).is_drifted());
        assert!(stack(DriftStatus::Deleted).is_drifted());
    }
}
