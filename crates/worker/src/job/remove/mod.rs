//! A remove job: the framework's own removal where it has one and can run, and in any case every
//! stack looked at afterwards: gone, verified, or a failure that says what keeps it.
//!
//! What always holds: no command's word is taken for it; a commit that is gone or an install that
//! fails does not keep a stack alive, it is then removed directly. Only a `before_remove` that
//! fails does: it may have been there to save something. What is in progress is waited out, and
//! while something is known to keep a stack (an export in use, termination protection), nothing of
//! it is touched. Resources are kept only when the job says so, and each is named then. Whatever a
//! crashed attempt left is looked at first: nothing there is a success. A service without stacks is
//! believed, for there is nothing of it to look at. What people deployed from their own machines is
//! found by its tags too.

mod by_framework;
pub(super) mod prove;

use aws::stack::Holdings;
use model::job::FailureKind;
use model::pipeline::Service;
use model::stage::StageKind;
use model::worker_api::{RemoveHow, Target};

use super::context::Job;
use super::halt::Halt;
use super::stack;
use super::steps::failure;
use crate::step::StepOutcome;
use by_framework::{Attempt, Ended};

/// What is kept although the stacks are gone, in words.
pub(super) async fn run(
    job: &mut Job,
    service: &Service,
    target: &Target,
    known: &[String],
    trust: &str,
    how: RemoveHow,
) -> Result<Vec<String>, Halt> {
    let stacks = stack::open(job, target).await?;
    let known = match target.stage_kind {
        StageKind::Personal => &with_tagged(job, &stacks, service, target, known).await?,
        StageKind::LongLived | StageKind::Preview => known,
    };
    let mut attempt = Attempt::new(service, target, trust, &stacks);
    if !known.is_empty() && attempt.gone(job, known.to_vec()).await? {
        return Ok(Vec::new());
    }
    let ended = match attempt.by_framework(job).await {
        Ok(ended) => ended,
        Err(halt) => directly(job, attempt.names(), halt).await?,
    };
    let (names, holdings) = attempt.left();
    match (ended, names.as_deref()) {
        (Ended::Gone, _) | (Ended::ByStacks, Some([])) => Ok(Vec::new()),
        (Ended::Kept(halt), _) => Err(halt),
        (Ended::ByStacks | Ended::Command(..), Some(names @ [_, ..])) => {
            gone(job, &stacks, names, &holdings, how).await
        }
        (Ended::Command(order, outcome), Some([])) => {
            failure(&order, outcome).map_or(Ok(Vec::new()), Err)
        }
        (Ended::Command(_, StepOutcome::Exited(0)), None) => Ok(Vec::new()),
        (Ended::Command(..) | Ended::ByStacks, None) => Err(Halt::failed(
            FailureKind::Step,
            "the remove command failed, and the stack's name is a variable that only the framework can resolve: see the log",
        )),
    }
}

/// The stacks of a service that people deploy from their own machines: no deploy job of ours saw them,
/// so those that say they are the service's are found by their tags.
async fn with_tagged(
    job: &Job,
    stacks: &aws::Stacks,
    service: &Service,
    target: &Target,
    known: &[String],
) -> Result<Vec<String>, Halt> {
    let app = &job.assignment().app;
    let tagged = job.or_stopped(stacks.tagged(&target.region)).await??;
    let ours = tagged.into_iter().filter(|stack| {
        stack.app == app.as_str()
            && stack.stage.as_deref() == Some(target.stage.as_str())
            && stack.service.as_deref() == Some(service.name.as_str())
    });
    let mut names = known.to_vec();
    for stack in ours {
        if !names.contains(&stack.name) {
            names.push(stack.name);
        }
    }
    Ok(names)
}

/// Removes what is left of the stacks and proves that nothing is.
async fn gone(
    job: &Job,
    stacks: &aws::Stacks,
    names: &[String],
    holdings: &[Holdings],
    how: RemoveHow,
) -> Result<Vec<String>, Halt> {
    let mut kept = Vec::new();
    // What was deployed last may import from what was deployed first.
    for name in names.iter().rev() {
        kept.extend(prove::gone(job, stacks, name, how).await?);
    }
    prove::no_logs(job, stacks, holdings, &kept).await?;
    let words: Vec<String> = kept.into_iter().map(prove::Kept::words).collect();
    for kept in &words {
        job.log().note(&format!("kept: {kept}")).await;
    }
    Ok(words)
}

/// What kept the framework from running does not keep stacks of known names.
async fn directly(job: &Job, names: Option<&[String]>, halt: Halt) -> Result<Ended, Halt> {
    match (halt, names) {
        (Halt::Failed(failure), Some(names @ [_, ..])) => {
            job.log().note(&failure.message).await;
            let names = names.join(", ");
            job.log()
                .note(&format!("the framework cannot run: {names} is removed without it"))
                .await;
            Ok(Ended::ByStacks)
        }
        (halt @ (Halt::Failed(_) | Halt::Refused(_) | Halt::Stopped), _) => Err(halt),
    }
}
