//! The gate of a stage: whether a deploy that has all it needs may begin now.
//!
//! What always holds: [`decide`] is the one decision, asked anew whenever anything it looks at may
//! have changed. With approvers a deploy goes through only by a valid approval of its very commit
//! and artifact. A freeze closes the gate for whoever was not let through after it began. Only
//! long-lived stages have a gate, and only deploys stop at it.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::CommitSha;
use crate::approval::{Approval, ApprovalState, Deploy};
use crate::freeze::Freeze;

/// What stands at a stage's gate for one build.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    pub commit: &'a CommitSha,
    /// Who may let it through, beside admins; empty: nobody is asked.
    pub approvers: &'a [String],
    /// All that freezes the stage now.
    pub freezes: &'a [Freeze],
    /// The build's, oldest first.
    pub approvals: &'a [Approval],
    pub now: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    Open,
    Closed { why: Vec<Obstacle> },
}

/// What keeps a deploy waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// Nobody was asked: not all of the build is packaged.
    NotAsked,
    Undecided {
        expires_at: Option<DateTime<Utc>>,
    },
    Rejected,
    /// The time for an answer, or for what was approved, is over.
    Expired,
    Frozen(Freeze),
}

impl Obstacle {
    /// For people, behind "it waits:".
    pub fn sentence(&self) -> String {
        match self {
            Self::NotAsked => "for the rest of the build to be packaged, to be approved".to_owned(),
            Self::Undecided { expires_at: None } => "for an approval".to_owned(),
            Self::Undecided { expires_at: Some(end) } => {
                format!("for an approval, until {}", end.to_rfc3339_opts(SecondsFormat::Secs, true))
            }
            Self::Rejected => "it was rejected".to_owned(),
            Self::Expired => "its approval has expired".to_owned(),
            Self::Frozen(freeze) => format!("the stage is {}", freeze.sentence()),
        }
    }
}

/// Whether a deploy may begin.
pub fn decide(ground: &Ground<'_>, deploy: &Deploy<'_>) -> Gate {
    let mut why: Vec<Obstacle> = unapproved(ground, deploy).into_iter().collect();
    why.extend(closing(ground).cloned().map(Obstacle::Frozen));
    if why.is_empty() { Gate::Open } else { Gate::Closed { why } }
}

/// The freezes that hold this build.
pub fn closing<'a>(ground: &Ground<'a>) -> impl Iterator<Item = &'a Freeze> {
    let approvals = ground.approvals;
    // one that begins later was not known to whoever let the build through
    let is_overridden = move |freeze: &Freeze| {
        approvals.iter().any(|approval| {
            approval.state == ApprovalState::Approved
                && approval.overridden.as_ref().is_some_and(|given| freeze.since() <= given.at)
        })
    };
    ground.freezes.iter().filter(move |freeze| !is_overridden(freeze))
}

fn unapproved(ground: &Ground<'_>, deploy: &Deploy<'_>) -> Option<Obstacle> {
    if ground.approvers.is_empty() {
        return None;
    }
    let mut about = ground.approvals.iter().rev().filter(|approval| {
        approval.is_about(ground.commit, deploy) && approval.state != ApprovalState::Void
    });
    let Some(approval) = about.next() else { return Some(Obstacle::NotAsked) };
    match approval.state {
        ApprovalState::Waiting | ApprovalState::Approved if approval.is_over(ground.now) => {
            Some(Obstacle::Expired)
        }
        // given when only a freeze was in the way: it was no approval
        ApprovalState::Approved if approval.expires_at.is_none() => Some(Obstacle::NotAsked),
        ApprovalState::Approved => None,
        ApprovalState::Waiting => Some(Obstacle::Undecided { expires_at: approval.expires_at }),
        ApprovalState::Rejected => Some(Obstacle::Rejected),
        ApprovalState::Expired => Some(Obstacle::Expired),
        ApprovalState::Void => Some(Obstacle::NotAsked),
    }
}

#[cfg(test)]
mod tests;
