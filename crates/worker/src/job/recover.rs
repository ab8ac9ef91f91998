//! A recover job: a rollback of CloudFormation's that failed is continued, without the resources
//! that a person has chosen to leave as they are.
//!
//! What always holds: success is that every stack takes updates again, looked at afterwards. Only
//! resources that the rollback failed at are skipped: CloudFormation takes no others. A new attempt
//! finds what an earlier one brought on and leaves it alone.

use aws::stack::{FailedResource, Recovery, Rollback, StackPhase, Stuck};
use aws::{Stack, Stacks};
use model::job::FailureKind;
use model::worker_api::Target;

use super::context::Job;
use super::halt::Halt;
use super::{stack, stuck};

pub(super) async fn run(
    job: &Job,
    target: &Target,
    names: &[String],
    skip: &[String],
) -> Result<(), Halt> {
    let stacks = stack::open(job, target).await?;
    for name in names {
        job.log().heading(&format!("stack {name} of {} in {}", target.stage, target.region)).await;
        one(job, &stacks, name, skip).await?;
    }
    Ok(())
}

async fn one(job: &Job, stacks: &Stacks, name: &str, skip: &[String]) -> Result<(), Halt> {
    // What is stuck is known only when nothing goes on any more.
    stack::settled(job, stacks, name).await?;
    let failed = job.or_stopped(stacks.stuck(name)).await??;
    for resource in &failed {
        let what = if skip.contains(&resource.logical_id) {
            "left as it is, and from now on not what the template says"
        } else {
            "brought back"
        };
        job.log().note(&format!("  {what}: {resource}")).await;
    }
    let skipped = skipped(&failed, skip);
    let (mut on_event, events) = stack::collector();
    let recovering = stacks.recover(name, &skipped, stack::patience(job), &mut on_event);
    let (recovery, _) = job.or_stopped(stack::logged(job, events, recovering)).await?;
    match recovery? {
        Recovery::Absent => {
            job.log().note(&format!("there is no stack {name}: nothing to continue")).await;
            Ok(())
        }
        Recovery::Recovered(stack) => {
            let heading = format!("stack {name} is {}: it takes deploys again", stack.status);
            job.log().heading(&heading).await;
            Ok(())
        }
        Recovery::NotStuck(stack) => not_stuck(job, &stack).await,
        Recovery::StillStuck { stack, resources } => Err(stuck::halt(&stack, &resources)),
    }
}

/// Those to skip that this stack's rollback failed at; the others may be another stack's.
fn skipped(failed: &[FailedResource], skip: &[String]) -> Vec<String> {
    let ids = failed.iter().map(|resource| &resource.logical_id);
    ids.filter(|id| skip.contains(id)).cloned().collect()
}

/// Whether a stack takes updates that was in no need of this.
async fn not_stuck(job: &Job, stack: &Stack) -> Result<(), Halt> {
    let Stack { name, status, .. } = stack;
    match status.phase() {
        StackPhase::Settled
        | StackPhase::RolledBack(Rollback::OfUpdate)
        | StackPhase::Stuck(Stuck::UpdateFailed) => {
            job.log()
                .note(&format!("stack {name} is {status}: there is nothing to continue"))
                .await;
            Ok(())
        }
        StackPhase::RolledBack(Rollback::OfCreation)
        | StackPhase::InProgress
        | StackPhase::Gone
        | StackPhase::Stuck(_) => Err(Halt::failed(
            FailureKind::Aws,
            format!(
                "stack {name} is {status}: continuing a rollback does not help there; deploy or remove the stage instead"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_this_stacks_rollback_failed_at_is_skipped() {
        let failed = |id: &str| FailedResource {
            logical_id: id.to_owned(),
            resource_type: "AWS::SQS::Queue".to_owned(),
            physical_id: None,
            reason: None,
        };
        let skip = ["Queue", "Elsewhere"].map(str::to_owned);
        assert_eq!(skipped(&[failed("Queue"), failed("Topic")], &skip), ["Queue"]);
    }
}
