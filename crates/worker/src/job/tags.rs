//! The tags by which a stack says whose it is, at a deploy by whatever framework.
//!
//! What always holds: every stack of a deploy is told app, stage, service and build. Where the
//! deploy changes nothing of a stack, the build that changed it last stays in the tag: another one
//! would be a change of the stack and of all that it holds.

use aws::stack::{GreenroomTags, greenroom_tags};

use super::arrive::Arrived;
use super::context::Job;
use super::ground::Ground;
use super::halt::Halt;
use crate::framework::{self, Package, Site, StackTags};

/// For commands of the user's own and for our plugin: the tags of the first stack, as JSON.
const VARIABLE: &str = "GREENROOM_STACK_TAGS";

/// What the stacks of the package are to be given.
pub(super) fn wanted(
    job: &Job,
    site: &Site<'_>,
    package: &Package,
    arrived: &Arrived,
) -> StackTags {
    let assignment = job.assignment();
    let of = |stack: &str| {
        let last = arrived.found.get(stack).filter(|found| found.same);
        let said = last.and_then(|found| GreenroomTags::of(&found.stack.tags)?.build);
        let build = said.unwrap_or(assignment.build_number).to_string();
        greenroom_tags(&assignment.app, &site.target.stage, &site.service.name, &build)
    };
    let stacks = package.stacks.iter().map(|stack| (stack.name.clone(), of(&stack.name)));
    StackTags(stacks.collect())
}

/// Puts them where the deploy will read them, before any step runs.
pub(super) fn hand_over(
    job: &Job,
    site: &Site<'_>,
    package: &Package,
    tags: &StackTags,
    ground: &mut Ground,
) -> Result<(), Halt> {
    let framework = framework::of(site.service.framework);
    for file in framework.tagged(&job.package_files()?, tags)? {
        job.write_packaged(&file.name, &file.content)?;
    }
    if let Some(first) = package.stacks.first() {
        let text = serde_json::to_string(&tags.of(&first.name)).map_err(Halt::internal)?;
        ground.scene.set(VARIABLE, text);
    }
    Ok(())
}
