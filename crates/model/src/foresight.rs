//! What a pull request would change in the long-lived stage it is meant for: one answer a service
//! and region, for its comment and its page.

use crate::change_set::StackChange;
use crate::{Region, ServiceName, StageName};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foresight {
    pub service: ServiceName,
    pub region: Region,
    /// The stage that was looked at.
    pub stage: StageName,
    pub answer: Answer,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nobody has looked yet.
    Awaited,
    /// Empty: nothing would change.
    Change {
        change: Vec<StackChange>,
        /// Why the list may not be whole, in sentences.
        notes: Vec<String>,
    },
    /// It could not be found out, and why.
    Unknown { reason: String },
}
