//! `no-replacement`: a change may not replace or delete what holds data.
//!
//! A resource that CloudFormation may replace counts: whether it does is known only when it is too
//! late.

use super::{Violation, is_stateful};
use crate::app::safeguard::Replacement;
use crate::change_set::{Effect, ResourceChange, StackChange};

pub(super) fn check(types: &Replacement, changes: &[StackChange]) -> Vec<Violation> {
    let is_guarded = |kind: &str| {
        !types.except.contains(kind) && (is_stateful(kind) || types.also.contains(kind))
    };
    changes
        .iter()
        .flat_map(|stack| stack.changes.iter().map(move |change| (stack, change)))
        .filter(|(_, change)| is_guarded(&change.resource_type))
        .filter_map(|(stack, change)| violation(stack, change))
        .collect()
}

fn violation(stack: &StackChange, change: &ResourceChange) -> Option<Violation> {
    const APART: &str = "make such a change in a deploy of its own, after its data is safe, with a profile that does not refuse it";
    let ResourceChange { logical_id, physical_id, resource_type, effect, because } = change;
    let named = physical_id.as_deref().map(|id| format!(" ({id})")).unwrap_or_default();
    let resource = format!("{resource_type} {logical_id}{named} of the stack {}", stack.stack);
    let (problem, undo) = match effect {
        Effect::Removed => (
            format!("{resource} would be removed with the data in it"),
            "keep the resource in the template".to_owned(),
        ),
        Effect::Replaced => {
            (format!("{resource} would be replaced by a new, empty one"), keep(because))
        }
        Effect::MayBeReplaced => (
            format!(
                "{resource} may be replaced by a new, empty one, which CloudFormation decides only while it deploys"
            ),
            keep(because),
        ),
        Effect::Changed | Effect::Added => return None,
    };
    Some(Violation {
        place: format!("Resources.{logical_id}"),
        problem,
        remedy: format!("{undo}; or {APART}"),
    })
}

fn keep(because: &[String]) -> String {
    match because {
        [] => "leave the properties that name or key the resource as they are deployed".to_owned(),
        because => format!("leave {} as deployed", because.join(", ")),
    }
}
