//! A stack whose rollback failed, brought back to where it takes updates.
//!
//! What always holds: nothing is skipped that the caller did not name; CloudFormation takes skipped
//! resources for rolled back although they are as they are. A stack in any other state is left
//! alone. After a crash the next call waits out the rollback that goes on and says how it ended.

use std::collections::BTreeSet;

use super::{
    FailedResource, Patience, Rollback, Stack, StackError, StackEvent, StackPhase, StackStatus,
    Stacks, Stuck,
};
use crate::failure::Failure;
use crate::template::NESTED_STACK;

/// What came of a recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// There is no stack.
    Absent,
    /// The rollback is through: the stack takes updates.
    Recovered(Box<Stack>),
    /// The rollback had not failed, so there was nothing to do.
    NotStuck(Box<Stack>),
    /// It failed again, because of these.
    StillStuck { stack: Box<Stack>, resources: Vec<FailedResource> },
}

/// How CloudFormation says that a resource failed only because another one did.
const ANOTHER_FAILED: [&str; 2] = ["update cancelled", "update canceled"];

impl Stacks {
    /// Continues the rollback and waits for its end, past the resources of `skip`: logical ids as
    /// [`Stacks::stuck`] lists them. One that it does not list any more is not skipped.
    pub async fn recover(
        &self,
        name: &str,
        skip: &[String],
        patience: Patience,
        on_event: &mut (dyn FnMut(&StackEvent) + Send),
    ) -> Result<Recovery, StackError> {
        let mut cursor = self.cursor_now(name).await?;
        let found = self.wait_settled(name, &mut cursor, patience, on_event).await?;
        let Some(stack) = found else { return Ok(Recovery::Absent) };
        match Standing::of(&stack) {
            Standing::Gone => return Ok(Recovery::Absent),
            // By an attempt before this one, or by somebody else: it is what was wanted.
            Standing::RolledBack => return Ok(Recovery::Recovered(Box::new(stack))),
            Standing::Otherwise => return Ok(Recovery::NotStuck(Box::new(stack))),
            Standing::Stuck => {}
        }
        let stuck = self.stuck(&stack.id).await?;
        let names = stuck.into_iter().map(|resource| resource.logical_id);
        let skipped: Vec<String> = names.filter(|name| skip.contains(name)).collect();
        self.continue_rollback(&stack.id, &skipped).await?;
        // The order shows in the status a moment later; looking at once could see the old one.
        tokio::time::sleep(patience.poll).await;
        let ended = self.wait_settled(&stack.id, &mut cursor, patience, on_event).await?;
        let Some(stack) = ended else { return Ok(Recovery::Absent) };
        match Standing::of(&stack) {
            Standing::Gone => Ok(Recovery::Absent),
            Standing::RolledBack => Ok(Recovery::Recovered(Box::new(stack))),
            Standing::Stuck => {
                let resources = self.stuck(&stack.id).await?;
                Ok(Recovery::StillStuck { stack: Box::new(stack), resources })
            }
            Standing::Otherwise => Ok(Recovery::NotStuck(Box::new(stack))),
        }
    }

    /// The resources that keep a rollback from ending, by name or id of the stack: what may be
    /// skipped. Those of nested stacks come as `NAME.RESOURCE`, which is how CloudFormation takes
    /// them (CloudFormation API reference, `ContinueUpdateRollback`). Empty when there is no stack.
    pub async fn stuck(&self, name_or_id: &str) -> Result<Vec<FailedResource>, StackError> {
        let mut stuck = Vec::new();
        let Some(stack) = self.look(name_or_id).await? else { return Ok(stuck) };
        let mut open = vec![(stack.id, None::<String>)];
        while let Some((id, prefix)) = open.pop() {
            // The list of resources says the same of AWS's, but not of every CloudFormation.
            let updating =
                |event: &StackEvent| event.is_of(&id) && event.status == "UPDATE_IN_PROGRESS";
            let events = self.latest_events(&id, updating).await?;
            for event in last_of_each(&events).into_iter().filter(|event| by_itself(event)) {
                let mut failed = FailedResource {
                    logical_id: event.logical_id.clone(),
                    resource_type: event.resource_type.clone(),
                    physical_id: event.physical_id.clone(),
                    reason: event.reason.clone(),
                };
                if let Some(nested) = self.stuck_inside(&failed).await? {
                    open.push((nested.id, Some(nested.name)));
                    continue;
                }
                if let Some(prefix) = &prefix {
                    failed.logical_id = format!("{prefix}.{}", failed.logical_id);
                }
                stuck.push(failed);
            }
        }
        Ok(stuck)
    }

    /// The nested stack that failed because something inside it did.
    async fn stuck_inside(&self, failed: &FailedResource) -> Result<Option<Stack>, StackError> {
        let id = failed.physical_id.as_deref().filter(|_| failed.resource_type == NESTED_STACK);
        let Some(id) = id else { return Ok(None) };
        let stack = self.look(id).await?;
        Ok(stack.filter(|stack| stack.status == StackStatus::UpdateRollbackFailed))
    }

    /// Orders the rollback to go on, past these resources. CloudFormation refuses the order when it
    /// takes one of them for none that failed.
    pub async fn continue_rollback(&self, id: &str, skip: &[String]) -> Result<(), StackError> {
        let answer = self
            .cloudformation
            .continue_update_rollback()
            .stack_name(id)
            .set_resources_to_skip((!skip.is_empty()).then(|| skip.to_vec()))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) => Err(StackError::of(Failure::of(&error), "ContinueUpdateRollback", id)),
        }
    }
}

/// Where a stack stands, for whoever wants its rollback ended.
enum Standing {
    Stuck,
    RolledBack,
    Gone,
    Otherwise,
}

impl Standing {
    fn of(stack: &Stack) -> Self {
        match stack.status.phase() {
            StackPhase::Stuck(Stuck::UpdateRollbackFailed) => Self::Stuck,
            StackPhase::RolledBack(Rollback::OfUpdate) => Self::RolledBack,
            StackPhase::Gone => Self::Gone,
            StackPhase::InProgress
            | StackPhase::Settled
            | StackPhase::RolledBack(Rollback::OfCreation)
            | StackPhase::Stuck(_) => Self::Otherwise,
        }
    }
}

/// What happened last to each resource, in the order in which it happened.
fn last_of_each(events: &[StackEvent]) -> Vec<&StackEvent> {
    let mut known = BTreeSet::new();
    let newest_first = events.iter().rev().filter(|event| known.insert(&event.logical_id));
    let mut last: Vec<_> = newest_first.collect();
    last.reverse();
    last
}

/// Whether a resource's own rollback failed; CloudFormation does not let others be skipped.
fn by_itself(event: &StackEvent) -> bool {
    let because_of_another = event.reason.as_deref().is_some_and(|reason| {
        let reason = reason.to_lowercase();
        ANOTHER_FAILED.iter().any(|words| reason.contains(words))
    });
    event.status == "UPDATE_FAILED" && !because_of_another
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(logical_id: &str, status: &str, reason: &str) -> StackEvent {
        StackEvent::ours(logical_id, "AWS::SQS::Queue", status, reason.to_owned())
    }

    #[test]
    fn only_what_failed_by_itself_may_be_skipped() {
        assert!(by_itself(&event("Queue", "UPDATE_FAILED", "Queue does not exist")));
        assert!(!by_itself(&event("Queue", "UPDATE_FAILED", "Resource update cancelled")));
        assert!(!by_itself(&event("Queue", "UPDATE_COMPLETE", "")));
    }

    #[test]
    fn what_was_rolled_back_in_the_end_is_not_stuck() {
        let events = [
            event("Mended", "UPDATE_FAILED", "no"),
            event("Stuck", "UPDATE_FAILED", "no"),
            event("Mended", "UPDATE_COMPLETE", ""),
            event("Stuck", "UPDATE_IN_PROGRESS", ""),
            event("Stuck", "UPDATE_FAILED", "still not"),
        ];
        let last: Vec<_> =
            last_of_each(&events).into_iter().filter(|event| by_itself(event)).collect();
        assert_eq!(last, [&events[4]]);
    }
}
