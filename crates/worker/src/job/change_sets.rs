//! A deploy by change sets of Greenroom's own: asked for, shown, carried out.
//!
//! What always holds: what is carried out is the very change set that was shown and held against
//! the safeguards. A new attempt asks again: a stack that is as wanted already is left alone.

use aws::Stacks;
use aws::stack::{ChangeError, Proposal, Proposed, StackPhase, UploadError};
use model::job::FailureKind;

use super::check::{self, Seen};
use super::context::Job;
use super::foresight::wanted;
use super::halt::Halt;
use super::stack;
use crate::framework::{self, Package, Site, parameters};
use crate::git::Workspace;

pub(super) async fn deploy(
    job: &Job,
    site: &Site<'_>,
    package: &Package,
    files: &Workspace,
    stacks: &Stacks,
) -> Result<(), Halt> {
    let facts = framework::of(site.service.framework).facts(files);
    for packaged in &package.stacks {
        let template = parameters::template(files, packaged)?;
        let wanted = wanted(job, site, packaged, template, &facts, stacks).await?;
        let proposed = job.or_stopped(stacks.propose(&wanted, stack::patience(job))).await?;
        match proposed.map_err(refused)? {
            Proposed::NoChanges => {
                job.log().note(&format!("stack {} is as wanted already", packaged.name)).await;
            }
            Proposed::Change(proposal) => carry_out(job, site, *proposal).await?,
        }
    }
    Ok(())
}

async fn carry_out(job: &Job, site: &Site<'_>, proposal: Proposal) -> Result<(), Halt> {
    let seen = Seen { change: vec![proposal.change.clone()], ..Seen::default() };
    let held = check::held(site.target, seen).judged(job).await;
    if let Err(halt) = held {
        // It is refused either way; what is left behind changes nothing.
        if let Err(left) = proposal.discard(stack::patience(job)).await {
            tracing::warn!(%left, "a change set could not be deleted");
        }
        return Err(halt);
    }
    let (mut on_event, events) = stack::collector();
    let name = proposal.change.stack.clone();
    job.progress().expect([(name.clone(), proposal.change.changes.len())].into());
    let carrying = proposal.carry_out(stack::patience(job), &mut on_event);
    let (settled, causes) = job.or_stopped(stack::logged(job, events, carrying)).await?;
    let Some(stack) = settled? else {
        return Err(Halt::failed(
            FailureKind::Aws,
            format!("stack {name} was deleted while it was deployed"),
        ));
    };
    if stack.status.phase() == StackPhase::Settled {
        job.progress().complete();
        return Ok(());
    }
    let reason = causes.first().or(stack.status_reason.as_deref()).unwrap_or("no reason given");
    Err(Halt::failed(FailureKind::Aws, format!("stack {name} is {}: {reason}", stack.status)))
}

fn refused(error: ChangeError) -> Halt {
    match error {
        ChangeError::Upload(UploadError::NoBucket { bytes }) => Halt::failed(
            FailureKind::Configuration,
            format!(
                "the template has {bytes} bytes, and CloudFormation takes 51200 in a request: split it into several services, or deploy it by `framework: sam`, which uploads it"
            ),
        ),
        error @ (ChangeError::Upload(UploadError::Bucket { .. })
        | ChangeError::Rejected { .. }
        | ChangeError::Slow { .. }
        | ChangeError::Stack(_)) => error.into(),
    }
}
