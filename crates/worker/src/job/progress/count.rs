//! Counts what CloudFormation says of a change; pure.
//!
//! What always holds: a resource counts once, however often it is heard of; what is done never
//! exceeds the total, which grows when more is heard of than was expected. What is undone again is
//! not counted back: the words say that it is undone.

use std::collections::{BTreeMap, BTreeSet};

use aws::stack::StackEvent;
use model::worker_api::Progress;

/// The change of some stacks; of none before one begins.
#[derive(Debug, Default)]
pub(super) struct Count {
    stacks: BTreeMap<String, Part>,
    /// What has begun and not ended, in that order: stack, resource, what is done to it.
    under_way: Vec<(String, String, &'static str)>,
    /// CloudFormation takes a change back, or tidies up.
    after: Option<String>,
}

#[derive(Debug, Default)]
struct Part {
    expected: usize,
    heard_of: BTreeSet<String>,
    done: BTreeSet<String>,
    undoing: bool,
}

impl Count {
    pub(super) fn of(stacks: BTreeMap<String, usize>) -> Self {
        let part = |expected| Part { expected, ..Part::default() };
        let stacks = stacks.into_iter().map(|(name, expected)| (name, part(expected))).collect();
        Self { stacks, ..Self::default() }
    }

    pub(super) fn see(&mut self, event: &StackEvent) {
        let Some(part) = self.stacks.get_mut(&event.stack) else { return };
        let (stack, id, status) = (&event.stack, &event.logical_id, event.status.as_str());
        if event.is_of_stack() && id == stack {
            part.undoing = status.contains("ROLLBACK");
            self.after = if !status.ends_with("_IN_PROGRESS") {
                None
            } else if status.contains("_CLEANUP_") {
                Some(format!("tidying up stack {stack}"))
            } else if part.undoing {
                Some(format!("taking the change of stack {stack} back"))
            } else {
                None
            };
            return;
        }
        self.under_way.retain(|(of, one, _)| (of, one) != (stack, id));
        part.heard_of.insert(id.clone());
        if let Some(doing) = doing(status) {
            self.under_way.push((stack.clone(), id.clone(), doing));
        } else if is_through(status) && !part.undoing {
            part.done.insert(id.clone());
        }
    }

    /// The change went through.
    pub(super) fn complete(&mut self) {
        for part in self.stacks.values_mut() {
            part.expected = 0;
            part.done.clone_from(&part.heard_of);
        }
        self.under_way.clear();
        self.after = None;
    }

    pub(super) fn word(&self) -> Progress {
        let sum = |of: fn(&Part) -> usize| {
            u32::try_from(self.stacks.values().map(of).sum::<usize>()).unwrap_or(u32::MAX)
        };
        Progress {
            done: sum(|part| part.done.len()),
            total: sum(|part| part.expected.max(part.heard_of.len())),
            doing: self.after.clone().or_else(|| self.doing()),
        }
    }

    fn doing(&self) -> Option<String> {
        let (_, id, doing) = self.under_way.last()?;
        Some(match self.under_way.len() - 1 {
            0 => format!("{doing} {id}"),
            more => format!("{doing} {id} and {more} more"),
        })
    }
}

/// What a resource is going through by its status; `None`: nothing any more.
fn doing(status: &str) -> Option<&'static str> {
    let action = status.strip_suffix("_IN_PROGRESS")?;
    Some(match action {
        "CREATE" => "creating",
        "UPDATE" => "updating",
        "DELETE" => "deleting",
        "IMPORT" => "importing",
        _ => "changing",
    })
}

fn is_through(status: &str) -> bool {
    status.ends_with("_COMPLETE") || status.ends_with("_SKIPPED")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STACK: &str = "shop-dev";

    fn event(logical_id: &str, status: &str) -> StackEvent {
        let own = logical_id == STACK;
        let kind = if own { "AWS::CloudFormation::Stack" } else { "AWS::DynamoDB::Table" };
        StackEvent {
            id: "1".to_owned(),
            stack: STACK.to_owned(),
            timestamp: None,
            logical_id: logical_id.to_owned(),
            physical_id: None,
            resource_type: kind.to_owned(),
            status: status.to_owned(),
            reason: None,
        }
    }

    fn counted(expected: usize, events: &[(&str, &str)]) -> Count {
        let mut count = Count::of([(STACK.to_owned(), expected)].into());
        for (id, status) in events {
            count.see(&event(id, status));
        }
        count
    }

    fn words(count: &Count) -> (u32, u32, String) {
        let Progress { done, total, doing } = count.word();
        (done, total, doing.unwrap_or_default())
    }

    #[test]
    fn a_resource_counts_once_it_is_through_and_what_began_last_is_named() {
        let count = counted(
            3,
            &[
                (STACK, "CREATE_IN_PROGRESS"),
                ("Role", "CREATE_IN_PROGRESS"),
                ("Table", "CREATE_IN_PROGRESS"),
                ("Table", "CREATE_IN_PROGRESS"),
                ("Role", "CREATE_COMPLETE"),
            ],
        );
        assert_eq!(words(&count), (1, 3, "creating Table".into()));
    }

    #[test]
    fn several_at_once_are_counted() {
        let count = counted(2, &[("A", "UPDATE_IN_PROGRESS"), ("B", "DELETE_IN_PROGRESS")]);
        assert_eq!(words(&count), (0, 2, "deleting B and 1 more".into()));
    }

    #[test]
    fn a_replaced_resource_is_one_although_its_old_self_is_deleted_later() {
        let count = counted(
            1,
            &[
                ("Table", "UPDATE_IN_PROGRESS"),
                ("Table", "UPDATE_COMPLETE"),
                (STACK, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
                ("Table", "DELETE_IN_PROGRESS"),
                ("Table", "DELETE_COMPLETE"),
            ],
        );
        assert_eq!(words(&count), (1, 1, "tidying up stack shop-dev".into()));
    }

    #[test]
    fn what_is_taken_back_is_said_and_not_counted_as_done() {
        let count = counted(
            3,
            &[
                ("A", "CREATE_COMPLETE"),
                ("B", "CREATE_FAILED"),
                (STACK, "ROLLBACK_IN_PROGRESS"),
                ("A", "DELETE_IN_PROGRESS"),
                ("A", "DELETE_COMPLETE"),
                ("B", "DELETE_COMPLETE"),
            ],
        );
        assert_eq!(words(&count), (1, 3, "taking the change of stack shop-dev back".into()));
    }

    #[test]
    fn a_change_that_went_through_is_whole_whatever_was_expected() {
        let mut count = counted(9, &[("A", "UPDATE_COMPLETE"), ("B", "UPDATE_IN_PROGRESS")]);
        count.complete();
        assert_eq!(words(&count), (2, 2, String::new()));
    }

    #[test]
    fn another_stack_does_not_count() {
        let mut count = Count::default();
        count.see(&event("Table", "CREATE_COMPLETE"));
        assert_eq!(words(&count), (0, 0, String::new()));
    }

    proptest! {
        #[test]
        fn never_more_is_done_than_there_is(
            expected in 0_usize..6,
            events in proptest::collection::vec((0_usize..5, 0_usize..8), 0..40),
        ) {
            let names = ["A", "B", "C", "D", STACK];
            let statuses = [
                "CREATE_IN_PROGRESS", "CREATE_COMPLETE", "CREATE_FAILED", "DELETE_COMPLETE",
                "DELETE_SKIPPED", "ROLLBACK_IN_PROGRESS", "UPDATE_COMPLETE", "",
            ];
            let mut count = Count::of([(STACK.to_owned(), expected)].into());
            let mut before = 0;
            for (id, status) in events {
                count.see(&event(names[id], statuses[status]));
                let Progress { done, total, .. } = count.word();
                prop_assert!(done <= total && done >= before);
                before = done;
            }
        }
    }
}
