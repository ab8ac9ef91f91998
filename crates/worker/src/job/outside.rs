//! A look at the stacks, to see whether somebody else has changed them since the last deploy.
//!
//! What always holds: looking changes nothing and fails no job; a stack that could not be looked at
//! is said in the log and not told of. A package looks before it asks CloudFormation anything.

use std::collections::BTreeMap;

use aws::{Stack, StackPhase, Stacks};
use chrono::{DateTime, Utc};
use model::outside::{Found, Left};

use super::context::Job;
use super::halt::Halt;
use crate::framework::Package;

/// Those of the package's stacks that can be held against how they were left.
pub(super) async fn found(
    job: &Job,
    left: &Left,
    package: &Package,
    stacks: &Stacks,
) -> Result<BTreeMap<String, Found>, Halt> {
    let is_packaged = |name: &str| package.stacks.iter().any(|stack| stack.name == name);
    let names = left.stacks().into_iter().filter(|name| is_packaged(name));
    look(job, names, stacks).await
}

/// All stacks that can be held against how they were left.
pub(super) async fn found_all(
    job: &Job,
    left: &Left,
    stacks: &Stacks,
) -> Result<BTreeMap<String, Found>, Halt> {
    look(job, left.stacks().into_iter(), stacks).await
}

/// When each stack was last changed.
pub(super) async fn changed_at(
    job: &Job,
    names: &[String],
    stacks: &Stacks,
) -> Result<BTreeMap<String, DateTime<Utc>>, Halt> {
    let found = look(job, names.iter().map(String::as_str), stacks).await?;
    Ok(found.into_iter().filter_map(|(name, stack)| Some((name, stack.changed_at()?))).collect())
}

async fn look(
    job: &Job,
    names: impl Iterator<Item = &str>,
    stacks: &Stacks,
) -> Result<BTreeMap<String, Found>, Halt> {
    let mut all = BTreeMap::new();
    for name in names {
        match job.or_stopped(stacks.look(name)).await? {
            Ok(stack) => all.extend(seen(stack.as_ref()).map(|found| (name.to_owned(), found))),
            Err(error) => {
                job.log()
                    .note(&format!(
                        "whether somebody else changed stack {name} is not known: {error}"
                    ))
                    .await;
            }
        }
    }
    Ok(all)
}

/// `None` where AWS tells no time.
fn seen(stack: Option<&Stack>) -> Option<Found> {
    let Some(stack) = stack else { return Some(Found::Gone) };
    match stack.status.phase() {
        StackPhase::Gone => Some(Found::Gone),
        StackPhase::Settled => Some(Found::Settled { changed_at: stack.changed_at()? }),
        StackPhase::InProgress | StackPhase::RolledBack(_) | StackPhase::Stuck(_) => {
            let status = stack.status.to_string();
            Some(Found::Unsettled { changed_at: stack.changed_at()?, status })
        }
    }
}
