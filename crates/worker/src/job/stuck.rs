//! A stack whose rollback failed: which resources it is stuck at and why, in words by which a
//! person can decide to leave them as they are. `model::stuck` reads the list from the words.

use aws::stack::FailedResource;
use aws::{Stack, StackStatus, Stacks};
use model::job::{Failure, FailureKind};

use super::context::Job;
use super::halt::Halt;
use crate::framework::Package;

/// The failure of a job that did not get the stack on.
pub(super) fn halt(stack: &Stack, resources: &[FailedResource]) -> Halt {
    let what = "is UPDATE_ROLLBACK_FAILED, and continuing its rollback failed again";
    Halt::failed(FailureKind::Aws, words(stack, what, resources))
}

/// A deploy's failure, and what its stacks are stuck at since, if they are.
pub(super) async fn told(job: &Job, stacks: &Stacks, package: &Package, halt: Halt) -> Halt {
    let Failure { kind, mut message } = match halt {
        Halt::Failed(failure) => failure,
        other @ (Halt::Refused(_) | Halt::Stopped) => return other,
    };
    for packaged in &package.stacks {
        // Without the right to look the failure says as much as it did.
        let Ok(Ok(Some(stack))) = job.or_stopped(stacks.look(&packaged.name)).await else {
            continue;
        };
        if stack.status != StackStatus::UpdateRollbackFailed {
            continue;
        }
        let Ok(Ok(resources)) = job.or_stopped(stacks.stuck(&stack.id)).await else { continue };
        let what = "is UPDATE_ROLLBACK_FAILED: bringing it back failed too";
        message = format!("{message}\n{}", words(&stack, what, &resources));
    }
    Halt::failed(kind, message)
}

fn words(stack: &Stack, what: &str, resources: &[FailedResource]) -> String {
    let stuck = format!("stack {} {what}", stack.name);
    if resources.is_empty() {
        let reason = stack.status_reason.as_deref().unwrap_or("it gives no reason");
        return format!(
            "{stuck}: {reason}. Mend what it complains about, then continue the rollback on the stage's page"
        );
    }
    let list: String = resources.iter().map(line).collect();
    format!(
        "{stuck} at:{list}\nMend what they complain about, or continue the rollback without them: the stage's page offers to skip them"
    )
}

fn line(resource: &FailedResource) -> String {
    let FailedResource { logical_id, resource_type, reason, .. } = resource;
    let reason = reason.as_deref().unwrap_or("no reason given").replace(['\n', '\r'], " ");
    format!("\n- {logical_id} ({resource_type}): {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn stuck(reason: &str, resources: &[FailedResource]) -> String {
        let stack = Stack {
            name: "shop-dev".to_owned(),
            id: "arn".to_owned(),
            status: StackStatus::UpdateRollbackFailed,
            status_reason: Some(reason.to_owned()),
            outputs: BTreeMap::new(),
            exports: Vec::new(),
            tags: BTreeMap::new(),
            created_at: None,
            updated_at: None,
            termination_protection: false,
        };
        match halt(&stack, resources) {
            Halt::Failed(failure) => failure.message,
            other @ (Halt::Refused(_) | Halt::Stopped) => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_resource_is_named_so_that_the_stages_page_can_offer_to_skip_it() {
        let resource = |logical_id: &str, reason: Option<&str>| FailedResource {
            logical_id: logical_id.to_owned(),
            physical_id: Some("notes-1".to_owned()),
            resource_type: "AWS::DynamoDB::Table".to_owned(),
            reason: reason.map(str::to_owned),
        };
        let words =
            stuck("ignored", &[resource("Notes", Some("it is\ngone")), resource("Old", None)]);
        let read = model::stuck::stuck_at(&words);
        let read: Vec<_> = read.iter().map(|one| (&*one.logical_id, &*one.reason)).collect();
        assert_eq!(read, [("Notes", "it is gone"), ("Old", "no reason given")], "{words}");
        assert!(words.contains("offers to skip them"), "{words}");
    }

    #[test]
    fn without_resources_the_stack_says_why() {
        let words = stuck("the role is gone", &[]);
        assert!(words.contains("failed again: the role is gone."), "{words}");
    }
}
