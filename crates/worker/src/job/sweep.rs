//! A sweep job: the stacks of an account that say they are Greenroom's, in each region.
//!
//! What always holds: looking changes nothing. One region that cannot be listed fails the job: a
//! list with a hole in it would read as if the stacks there were gone.

use aws::Stacks;
use model::Region;
use model::sweep::TaggedStack;

use super::context::Job;
use super::halt::Halt;
use super::session;

pub(super) async fn run(job: &Job, regions: &[Region]) -> Result<Vec<TaggedStack>, Halt> {
    let session = session::open(job).await?;
    let mut found = Vec::new();
    for region in regions {
        let credentials = std::sync::Arc::clone(&session.credentials);
        let stacks = Stacks::new(credentials, region.as_str(), &session.endpoint)?;
        let tagged = job.or_stopped(stacks.tagged(region)).await??;
        let (count, noun) = (tagged.len(), if tagged.len() == 1 { "stack" } else { "stacks" });
        job.log().heading(&format!("{region}: {count} {noun} of Greenroom's")).await;
        for stack in &tagged {
            let stage = stack.stage.as_deref().unwrap_or("no stage");
            job.log()
                .note(&format!("  {} ({}, {stage}) {}", stack.name, stack.app, stack.status))
                .await;
        }
        found.extend(tagged);
    }
    Ok(found)
}
