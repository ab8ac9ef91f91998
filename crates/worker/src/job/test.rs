//! A test job: install, lint, test. No credentials of AWS, ever.

use model::pipeline::Service;
use model::worker_api::Target;

use super::context::Job;
use super::environment::Scene;
use super::halt::Halt;
use super::install;
use super::steps::Access;

pub(super) async fn run(
    job: &mut Job,
    service: &Service,
    target: Option<&Target>,
    trust: &str,
) -> Result<(), Halt> {
    let commands = &service.commands;
    if commands.lint.is_none() && commands.test.is_none() {
        for note in
            service.notes.iter().filter(|note| note.starts_with("lint") || note.starts_with("test"))
        {
            job.log().note(note).await;
        }
        job.log().note("nothing to run").await;
        return Ok(());
    }
    let workspace = job.checkout().await?;
    let scene = Scene::of_test(job.assignment(), service, target);
    install::run(job, &workspace, service, &scene, trust).await?;
    for step in [&commands.lint, &commands.test] {
        job.expect_step(step.as_ref(), &scene, Access::None).await?;
    }
    Ok(())
}
