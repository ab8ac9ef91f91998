//! With how many resources a change will have to do: a guess, made without changing anything.
//!
//! What always holds: what cannot be read is no reason to fail; the count then grows with what is
//! heard of.

use std::collections::BTreeMap;

use aws::{Stacks, Template};

use crate::framework::{Package, PackagedStack, parameters};
use crate::git::Workspace;
use crate::job::context::Job;
use crate::job::halt::Halt;

/// The resources that differ from what each stack has now.
pub(in crate::job) async fn of_deploy(
    job: &Job,
    package: &Package,
    files: &Workspace,
    stacks: &Stacks,
) -> Result<BTreeMap<String, usize>, Halt> {
    let mut expected = BTreeMap::new();
    for stack in &package.stacks {
        let many = job.or_stopped(differing(stack, files, stacks)).await?;
        expected.insert(stack.name.clone(), many);
    }
    Ok(expected)
}

async fn differing(stack: &PackagedStack, files: &Workspace, stacks: &Stacks) -> usize {
    let Ok(new) = parameters::template(files, stack) else { return 0 };
    match stacks.template(&stack.name).await {
        Ok(None) => aws::template::added(new.tree()).len(),
        Ok(Some(live)) => match Template::parse(&live) {
            Ok(live) => aws::template::compare(live.tree(), new.tree()).len(),
            Err(_) => 0,
        },
        Err(_) => 0,
    }
}

/// All that the stacks have.
pub(in crate::job) async fn of_removal(
    job: &Job,
    names: &[String],
    stacks: &Stacks,
) -> Result<BTreeMap<String, usize>, Halt> {
    let mut expected = BTreeMap::new();
    for name in names {
        let resources = job.or_stopped(stacks.resources(name)).await?.unwrap_or_default();
        expected.insert(name.clone(), resources.len());
    }
    Ok(expected)
}
