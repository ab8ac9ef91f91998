//! What a deploy would do by now that its approval did not show.
//!
//! What always holds: a loss and a change of who may do what happen only if an approver saw them. A
//! change that grew since, because somebody else was at the stack, is refused.

use super::is_access;
use crate::app::Level;
use crate::change_set::{Effect, ResourceChange, StackChange};
use crate::finding::{Check, Finding};

/// Each of them as an error, in the order of `now`.
pub fn unseen(approved: &[StackChange], now: &[StackChange]) -> Vec<Finding> {
    let of_stack = |stack: &StackChange| -> Vec<Finding> {
        let shown: Vec<&ResourceChange> = approved
            .iter()
            .filter(|one| one.stack == stack.stack)
            .flat_map(|one| &one.changes)
            .collect();
        let matters = |change: &&ResourceChange| {
            weight(change.effect) > CHANGE || is_access(&change.resource_type)
        };
        let was_shown = |change: &&ResourceChange| {
            shown.iter().any(|one| {
                one.logical_id == change.logical_id && weight(one.effect) >= weight(change.effect)
            })
        };
        let unseen = stack.changes.iter().filter(matters).filter(|change| !was_shown(change));
        unseen.map(|change| finding(&stack.stack, change)).collect()
    };
    now.iter().flat_map(of_stack).collect()
}

const CHANGE: u8 = 1;

/// Whoever allows more allows less. That a resource may be replaced is allowed as if it were.
fn weight(effect: Effect) -> u8 {
    match effect {
        Effect::Removed => 3,
        Effect::Replaced | Effect::MayBeReplaced => 2,
        Effect::Changed | Effect::Added => CHANGE,
    }
}

fn finding(stack: &str, change: &ResourceChange) -> Finding {
    Finding {
        check: Check::Approval,
        level: Level::Error,
        place: format!("Resources.{}", change.logical_id),
        problem: format!(
            "{} {} of the stack {stack} would be {}, and that was not so when the deploy was approved",
            change.resource_type,
            change.logical_id,
            change.effect.as_str(),
        ),
        remedy: "somebody else changed the stack meanwhile: start a new build, and approve what it shows".to_owned(),
    }
}
