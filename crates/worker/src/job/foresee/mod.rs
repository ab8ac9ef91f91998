//! A foresee job: what a commit would change in a stage that it is meant for, told before anybody
//! decides to let it go there.
//!
//! The service is packaged for that stage, with credentials that change nothing and without its
//! secrets, and held against the templates that are deployed there. CloudFormation is not asked:
//! a change set is already something on the stack.
//!
//! What always holds: nothing of it is kept, neither in the stage nor in the store. No secret of
//! the stage is read: a fixed text stands in the place of each, and what differs by that text alone
//! is left out. What the templates cannot tell is said.

mod level;
mod named;

use std::collections::BTreeSet;

use aws::{Stacks, Template};
use model::change_set::{StackChange, StackChangeKind};
use model::pipeline::Service;
use model::worker_api::Target;

use super::context::Job;
use super::ground::{Gaps, Ground, UNKNOWN};
use super::halt::Halt;
use super::{check, package, stack};
use crate::framework::{PackagedStack, Site, parameters};
use crate::git::Workspace;

pub(super) const PLACEHOLDER: &str = "GREENROOM_PLACEHOLDER";

/// The change of each stack, and why it may not be all.
pub(super) async fn run(
    job: &mut Job,
    service: &Service,
    target: &Target,
    trust: &str,
) -> Result<(Vec<StackChange>, Vec<String>), Halt> {
    let workspace = job.checkout().await?;
    job.make_package_directory()?;
    let mut target = target.clone();
    let unknown = named::fill_in(&workspace, service, &mut target);
    if !unknown.is_empty() {
        let names: Vec<&str> = unknown.iter().map(String::as_str).collect();
        job.log().note(&format!("without their values: {}", names.join(", "))).await;
    }
    let mut ground = Ground::lay(job, Some(service), &target, Gaps::Marked).await?;
    ground.install(job, &workspace, service, trust).await?;
    // Outputs that nobody publishes there yet are no more known than a secret.
    ground.scene.set(PLACEHOLDER, UNKNOWN);
    let (places, finds) = (job.places(service)?, job.finder());
    let site = Site {
        workspace: &workspace,
        service,
        target: &ground.target,
        inputs: &ground.inputs,
        places: &places,
        finds: &finds,
    };
    let package = package::make(job, &site, &ground).await?;
    let stacks = stack::open(job, &target).await?;
    let files = job.package_files()?;
    let mut change = Vec::new();
    let mut left_out = 0;
    for packaged in &package.stacks {
        let (one, settled) = compared(job, packaged, &files, &stacks).await?;
        left_out += settled;
        check::show(job, &one).await;
        change.push(one);
    }
    let notes = notes(&unknown, left_out, package.stacks.is_empty());
    for note in &notes {
        job.log().note(note).await;
    }
    Ok((change, notes))
}

/// The difference between what is deployed and the package; how many values were left out of it.
async fn compared(
    job: &Job,
    packaged: &PackagedStack,
    files: &Workspace,
    stacks: &Stacks,
) -> Result<(StackChange, usize), Halt> {
    let template = parameters::template(files, packaged)?;
    let live = match job.or_stopped(stacks.look(&packaged.name)).await?? {
        Some(found) => job.or_stopped(stacks.template(&found.id)).await??,
        None => None,
    };
    let stack = packaged.name.clone();
    let Some(live) = live else {
        let changes = aws::template::added(template.tree());
        return Ok((StackChange { stack, kind: StackChangeKind::New, changes, note: None }, 0));
    };
    let (changes, left_out, note) = match Template::parse(&live) {
        Ok(live) => {
            let level = level::with(template.tree(), live.tree(), UNKNOWN);
            let mut changes = aws::template::compare(live.tree(), &level.template);
            changes.retain(|change| !level.passing.contains(&change.logical_id));
            (changes, level.left_out, "by the templates alone: whether a resource is replaced, and what values from elsewhere do, only the deploy will tell".to_owned())
        }
        Err(error) => (Vec::new(), 0, format!("the deployed template cannot be read: {error}")),
    };
    let change = StackChange { stack, kind: StackChangeKind::Update, changes, note: Some(note) };
    Ok((change, left_out))
}

fn notes(unknown: &BTreeSet<String>, left_out: usize, without_stacks: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if without_stacks {
        notes.push(
            "the service has no stacks: what its commands would do is not known before".to_owned(),
        );
    }
    if !unknown.is_empty() {
        let names: Vec<&str> = unknown.iter().map(String::as_str).collect();
        let names = names.join(", ");
        notes.push(format!(
            "the values of {names} are not known to this look: whether they change is not told"
        ));
    } else if left_out > 0 {
        notes.push(
            "values that are not known to this look were left out: whether they change is not told"
                .to_owned(),
        );
    }
    notes
}
