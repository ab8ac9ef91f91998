//! What a stack that is gone has left behind, by its events. Pure.

use super::{FailedResource, StackEvent};

/// Whether the deletions of a stack begin only after this event of it.
pub(super) fn is_before(stack_id: &str, event: &StackEvent) -> bool {
    event.is_of(stack_id) && !event.status.starts_with("DELETE_")
}

/// The resources that the last deletion passed over, each with the reason for which the first of
/// the deletions could not delete it: later ones may fail only because of that. `events` of the
/// one stack, oldest first.
pub(super) fn kept(stack_id: &str, events: &[StackEvent]) -> Vec<FailedResource> {
    let deleting =
        |event: &StackEvent| event.is_of(stack_id) && event.status == "DELETE_IN_PROGRESS";
    let Some(last) = events.iter().rposition(deleting) else { return Vec::new() };
    let before = events.iter().rposition(|event| is_before(stack_id, event));
    let deletions = &events[before.unwrap_or_default()..];
    let mut kept: Vec<FailedResource> = Vec::new();
    for skipped in events[last..].iter().filter(|event| event.status == "DELETE_SKIPPED") {
        if kept.iter().any(|known| known.logical_id == skipped.logical_id) {
            continue;
        }
        let mut resource = FailedResource {
            logical_id: skipped.logical_id.clone(),
            resource_type: skipped.resource_type.clone(),
            physical_id: skipped.physical_id.clone(),
            reason: None,
        };
        explain(&mut resource, deletions);
        resource.reason = resource.reason.or_else(|| reason(skipped));
        kept.push(resource);
    }
    kept
}

/// Adds why the resource could not be deleted, where nothing is known of that yet.
pub(super) fn explain(resource: &mut FailedResource, deletions: &[StackEvent]) {
    if resource.reason.is_none() {
        let failure = deletions.iter().find(|event| {
            event.logical_id == resource.logical_id && event.status == "DELETE_FAILED"
        });
        resource.reason = failure.and_then(reason);
    }
}

fn reason(event: &StackEvent) -> Option<String> {
    event.reason.clone().filter(|reason| !reason.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(logical_id: &str, status: &str, reason: &str) -> StackEvent {
        let nested = ["shop", "Inner"].contains(&logical_id);
        let kind = if nested { "AWS::CloudFormation::Stack" } else { "Custom::Thing" };
        StackEvent {
            physical_id: Some(format!("{logical_id}-1")),
            ..StackEvent::ours(logical_id, kind, status, reason.to_owned())
        }
    }

    #[test]
    fn what_the_last_deletion_passed_over_is_named_with_why_it_had_failed() {
        let events = [
            event("Old", "DELETE_SKIPPED", "by an update, long ago"),
            event("Thing", "DELETE_FAILED", "by a cleanup, long ago"),
            event("shop", "UPDATE_COMPLETE", ""),
            event("shop", "DELETE_IN_PROGRESS", ""),
            event("Thing", "DELETE_FAILED", "told to fail"),
            event("shop", "DELETE_FAILED", ""),
            event("shop", "DELETE_IN_PROGRESS", ""),
            event("Thing", "DELETE_FAILED", "its function is gone"),
            event("shop", "DELETE_FAILED", ""),
            event("shop", "DELETE_IN_PROGRESS", ""),
            event("Thing", "DELETE_SKIPPED", ""),
            event("Inner", "DELETE_IN_PROGRESS", ""),
            event("shop", "DELETE_COMPLETE", ""),
        ];
        let kept = kept("shop-1", &events);
        let [thing] = kept.as_slice() else { panic!("{kept:?}") };
        assert_eq!(thing.logical_id, "Thing");
        assert_eq!(thing.physical_id.as_deref(), Some("Thing-1"));
        assert_eq!(thing.reason.as_deref(), Some("told to fail"));
    }

    #[test]
    fn a_stack_that_went_as_a_whole_leaves_nothing() {
        let events =
            [event("shop", "DELETE_IN_PROGRESS", ""), event("shop", "DELETE_COMPLETE", "")];
        assert!(kept("shop-1", &events).is_empty());
        assert!(kept("shop-1", &[]).is_empty());
    }
}
