//! The stage's own step, when all of a build's deploys are through: in the repository's root, with
//! the stage's parameters, credentials and the outputs of all of its services.
//!
//! What always holds: it runs once. How far a command of the user's came before a crash cannot be
//! known, so nothing repeats it.

use model::pipeline::Step;
use model::worker_api::Target;

use super::context::Job;
use super::ground::{Gaps, Ground};
use super::halt::Halt;
use super::steps::Access;

pub(super) async fn run(job: &mut Job, step: &Step, target: &Target) -> Result<(), Halt> {
    job.checkout().await?;
    let ground = Ground::lay(job, None, target, Gaps::Refused).await?;
    let credentials = job.credentials().await?;
    job.expect(&step.into(), &ground.scene, Access::Aws(&credentials)).await
}
