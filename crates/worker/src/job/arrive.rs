//! Before a deploy: every stack brought into a state that takes one.
//!
//! What always holds: what is in progress is waited out; a stack that never came to be is deleted
//! and made anew, and so is one of a preview whose removal failed: somebody wants the preview back.
//! A rollback of CloudFormation's that failed is continued. What is still stuck then is said with
//! the resources it is stuck at.

use std::collections::BTreeMap;

use aws::stack::{Prepared, StackPhase, StackStatus};
use aws::{Stack, Stacks};
use model::job::FailureKind;
use model::stage::StageKind;
use model::worker_api::RemoveHow;

use super::context::Job;
use super::halt::Halt;
use super::remove::prove;
use super::{stack, stuck};
use crate::framework::{self, Authority, Foresight, Package, PackagedStack, Site, parameters};

/// The stacks as a deploy finds them.
pub(super) struct Arrived {
    /// All of them carry the artifact, by an earlier attempt of this job.
    pub(super) carried: bool,
    /// Those that are there, by name.
    pub(super) found: BTreeMap<String, Found>,
}

pub(super) struct Found {
    pub(super) stack: Stack,
    /// Its template is the package's, and nothing else could differ.
    pub(super) same: bool,
}

pub(super) async fn run(
    job: &Job,
    site: &Site<'_>,
    package: &Package,
    stacks: &Stacks,
) -> Result<Arrived, Halt> {
    let mut found = BTreeMap::new();
    for packaged in &package.stacks {
        let place = format!("{} in {}", site.target.stage, site.target.region);
        job.log().heading(&format!("stack {} of {place}", packaged.name)).await;
        if let Some(stack) = prepare(job, stacks, &packaged.name, site.target.stage_kind).await? {
            let same = carries(job, site, packaged, stacks, &stack).await?;
            found.insert(packaged.name.clone(), Found { stack, same });
        }
    }
    let carries = |name: &str| found.get(name).is_some_and(|found| found.same);
    let all = package.stacks.iter().all(|packaged| carries(&packaged.name));
    let carried = job.assignment().attempt > 1 && !package.stacks.is_empty() && all;
    Ok(Arrived { carried, found })
}

/// The stack in a state that takes a deploy; `None` when there is none yet.
async fn prepare(
    job: &Job,
    stacks: &Stacks,
    name: &str,
    kind: StageKind,
) -> Result<Option<Stack>, Halt> {
    let (mut on_event, events) = stack::collector();
    let token = job.token();
    let preparing = stacks.prepare(name, &token, stack::patience(job), &mut on_event);
    let (prepared, _) = job.or_stopped(stack::logged(job, events, preparing)).await?;
    let stack = match prepared? {
        Prepared::Absent => return Ok(None),
        Prepared::Ready(stack) => return Ok(Some(*stack)),
        Prepared::Blocked(stack) => stack,
    };
    if stack.status == StackStatus::UpdateRollbackFailed {
        let resources = job.or_stopped(stacks.stuck(&stack.id)).await??;
        return Err(stuck::halt(&stack, &resources));
    }
    if stack.status == StackStatus::DeleteFailed && kind == StageKind::Preview {
        job.log().note("an earlier removal of it failed: it is removed first").await;
        prove::gone(job, stacks, name, RemoveHow::Careful).await?;
        return Ok(None);
    }
    let Stack { status, status_reason, .. } = *stack;
    let reason = status_reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    Err(Halt::failed(
        FailureKind::Aws,
        format!(
            "stack {name} is {status} and takes no deploy{reason}: mend or delete it in CloudFormation, then run this again"
        ),
    ))
}

/// Whether the stack has this artifact's template already, with nothing else that could differ.
async fn carries(
    job: &Job,
    site: &Site<'_>,
    packaged: &PackagedStack,
    stacks: &Stacks,
    found: &Stack,
) -> Result<bool, Halt> {
    match packaged.foresight {
        Foresight::Ask => {}
        Foresight::Compare => return Ok(false),
    }
    if found.status.phase() != StackPhase::Settled {
        return Ok(false);
    }
    let template = parameters::template(&job.package_files()?, packaged)?;
    match framework::of(site.service.framework).authority() {
        Authority::Framework => {}
        Authority::Manifest => {
            let given = parameters::given(&packaged.name, template.tree(), &site.values())?;
            if !given.is_empty() {
                return Ok(false);
            }
        }
    }
    // Without the right to look it is deployed once more, which does no harm.
    let live = job.or_stopped(stacks.template(&found.id)).await?.unwrap_or_default();
    let Some(live) = live else { return Ok(false) };
    Ok(aws::Template::parse(&live).is_ok_and(|live| live.tree() == template.tree()))
}
