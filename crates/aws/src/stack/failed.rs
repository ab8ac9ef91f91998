//! A resource that CloudFormation could not bring where it should be.

use std::fmt;

use super::StackResource;

/// A resource that could not be deleted or rolled back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedResource {
    /// As CloudFormation takes it: for a resource of a nested stack with that stack's name before.
    pub logical_id: String,
    pub resource_type: String,
    pub physical_id: Option<String>,
    pub reason: Option<String>,
}

impl From<StackResource> for FailedResource {
    fn from(resource: StackResource) -> Self {
        let StackResource { logical_id, physical_id, resource_type, status: _, reason } = resource;
        Self { logical_id, resource_type, physical_id, reason }
    }
}

/// For a list: which one, where to find it, and why.
impl fmt::Display for FailedResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.logical_id, self.resource_type)?;
        if let Some(id) = &self.physical_id {
            write!(f, ", {id}")?;
        }
        write!(f, "): {}", self.reason.as_deref().unwrap_or("no reason given"))
    }
}
