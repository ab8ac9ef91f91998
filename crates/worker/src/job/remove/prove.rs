//! A stack removed by Greenroom itself, or proven to be gone when somebody else has removed it.
//!
//! What always holds: what keeps a stack is said with what a person can do about it. A removal that
//! fails by what is known to pass is tried again.

use std::collections::BTreeSet;

use aws::stack::{FailedResource, Holdings, Removal, Why};
use aws::{Stack, Stacks};
use model::job::FailureKind;
use model::transient::Doing;
use model::worker_api::RemoveHow;

use crate::job::context::Job;
use crate::job::halt::Halt;
use crate::job::retries::{Misfire, Retries};
use crate::job::{progress, stack};

/// A resource that stays although its stack is gone.
pub(in crate::job) struct Kept {
    stack: String,
    resource: FailedResource,
}

impl Kept {
    pub(in crate::job) fn words(self) -> String {
        format!("{} of stack {}", self.resource, self.stack)
    }
}

/// Removes what is left of a stack, by its name or its ARN, and proves that nothing is.
pub(in crate::job) async fn gone(
    job: &Job,
    stacks: &Stacks,
    name_or_id: &str,
    how: RemoveHow,
) -> Result<Vec<Kept>, Halt> {
    // In an ARN the name stands before the last part.
    let name = name_or_id.rsplit('/').nth(1).unwrap_or(name_or_id);
    let mut retries = Retries::of(job, Doing::Remove);
    job.progress().expect(progress::of_removal(job, &[name.to_owned()], stacks).await?);
    let mut tries = 0;
    loop {
        tries += 1;
        // Each try is an order of its own.
        let token = format!("{}-{tries}", job.token());
        let (mut on_event, events) = stack::collector();
        let removing = stacks.remove(name_or_id, &token, how, stack::patience(job), &mut on_event);
        let (removal, _) = job.or_stopped(stack::logged(job, events, removing)).await?;
        let misfire = match removal {
            Ok(Removal::Removed { retained, .. }) => {
                job.progress().complete();
                job.log().heading(&format!("stack {name} is gone, verified")).await;
                let kept = |resource| Kept { stack: name.to_owned(), resource };
                return Ok(retained.into_iter().map(kept).collect());
            }
            Ok(Removal::StillThere { stack, why }) => Misfire::from(still_there(&stack, &why, how)),
            Err(error) => Misfire::from(Halt::from(error)),
        };
        retries.after(job, misfire).await?;
    }
}

/// The failure that a stack is which does not go.
pub(super) fn still_there(stack: &Stack, why: &Why, how: RemoveHow) -> Halt {
    let remedy = match (why, how) {
        (Why::Imported { .. }, _) => {
            ". Remove those stacks first, or have them read the value elsewhere"
        }
        (Why::Failed { resources, .. }, RemoveHow::Careful) if !resources.is_empty() => {
            ". Mend what they complain about; or remove the stage once more and keep these resources, which the stage's page offers"
        }
        (Why::Failed { resources, .. }, RemoveHow::Retaining) if !resources.is_empty() => {
            ". Remove the stage once more by force, which the stage's page offers"
        }
        (Why::Protected | Why::Failed { .. } | Why::Replaced { .. }, _) => "",
    };
    let Stack { name, status, .. } = stack;
    Halt::failed(FailureKind::Aws, format!("stack {name} is still there ({status}): {why}{remedy}"))
}

/// Deletes the logs that the stacks have left, which the removal itself does only for stacks that
/// it found.
pub(super) async fn no_logs(
    job: &Job,
    stacks: &Stacks,
    holdings: &[Holdings],
    kept: &[Kept],
) -> Result<(), Halt> {
    let stayed: BTreeSet<String> =
        kept.iter().filter_map(|kept| kept.resource.physical_id.clone()).collect();
    for held in holdings {
        let (mut on_event, events) = stack::collector();
        let deleting = stacks.delete_logs(held, &stayed, &mut on_event);
        job.or_stopped(stack::logged(job, events, deleting)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws::StackStatus;
    use aws::stack::Importer;

    fn words(why: &Why, how: RemoveHow) -> String {
        let stack = Stack {
            name: "shop-dev".to_owned(),
            id: "arn".to_owned(),
            status: StackStatus::DeleteFailed,
            status_reason: None,
            outputs: std::collections::BTreeMap::new(),
            exports: Vec::new(),
            tags: std::collections::BTreeMap::new(),
            created_at: None,
            updated_at: None,
            termination_protection: false,
        };
        match still_there(&stack, why, how) {
            Halt::Failed(failure) => failure.message,
            other @ (Halt::Refused(_) | Halt::Stopped) => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_export_in_use_is_named_with_its_importers_and_the_remedy() {
        let importers =
            vec![Importer { export: "net-id".to_owned(), stacks: vec!["api-dev".to_owned()] }];
        let words = words(&Why::Imported { importers }, RemoveHow::Careful);
        assert!(words.contains("export net-id is imported by api-dev"), "{words}");
        assert!(words.contains("Remove those stacks first"), "{words}");
    }

    #[test]
    fn a_resource_that_does_not_go_is_named_with_the_next_button() {
        let why = || Why::Failed {
            status: StackStatus::DeleteFailed,
            reason: "no".to_owned(),
            resources: vec![FailedResource {
                logical_id: "Wrong".to_owned(),
                resource_type: "Custom::Thing".to_owned(),
                physical_id: None,
                reason: Some("told to fail".to_owned()),
            }],
            troubles: Vec::new(),
        };
        let careful = words(&why(), RemoveHow::Careful);
        assert!(careful.contains("Wrong (Custom::Thing): told to fail"), "{careful}");
        assert!(careful.contains("keep these resources"), "{careful}");
        assert!(words(&why(), RemoveHow::Retaining).contains("by force"));
        assert!(!words(&why(), RemoveHow::Forced).contains("by force"));
    }
}
