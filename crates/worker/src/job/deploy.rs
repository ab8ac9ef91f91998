//! A deploy job, and a rollback, which is the deploy of an older artifact: the artifact of this
//! stage and region, and nothing else, onto its stacks.
//!
//! What always holds: digest, stage and region of the artifact are checked here too, whatever the
//! server said. A stack is looked at before anything is done to it: what is in progress is waited
//! out, and a new attempt that finds the artifact deployed ends without deploying again. What is
//! known to pass is tried again, after another look. Success is what the stacks say afterwards,
//! not what the command's exit status says.
//!
//! After a crash CloudFormation goes on with what it was told; the next attempt sees to it.

use aws::Stacks;
use model::app::Level;
use model::job::FailureKind;
use model::pipeline::{self, Service};
use model::transient::Doing;
use model::worker_api::{DeployedStack, StoredArtifact, Target};

use super::arrive;
use super::context::Job;
use super::ground::{Gaps, Ground};
use super::halt::Halt;
use super::read_back::read_back;
use super::retries::{Misfire, Retries};
use super::stack::Watch;
use super::steps::{Access, failure};
use super::{
    artifact, change_sets, check, outside, package, progress, publish, stack, stuck, tags,
};
use crate::framework::manifest::{self, Manifest};
use crate::framework::{
    self, Authority, Deploying, FILE_MAX_BYTES, Package, Site, StackTags, Work,
};
use crate::git::Workspace;
use crate::step::{Order, StepOutcome};

/// Why the artifact is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It was packaged just now.
    Forward,
    /// The stage had it before. It goes there at any time: whoever rolls back repairs.
    Back,
}

pub(super) async fn run(
    job: &mut Job,
    way: Way,
    service: &Service,
    target: &Target,
    artifact: &StoredArtifact,
    trust: &str,
) -> Result<DeployedStack, Halt> {
    announce(job, way).await;
    artifact::bring(job, artifact).await?;
    let mut ground = Ground::lay(job, Some(service), target, Gaps::Refused).await?;
    publish_by(job, service, &mut ground)?;
    let (places, finds) = (job.places(service)?, job.finder());
    let workspace = Workspace::new(job.room().workspace());
    let whole = ground.target.clone();
    let inputs = ground.inputs.clone();
    let site = Site {
        workspace: &workspace,
        service,
        target: &whole,
        inputs: &inputs,
        places: &places,
        finds: &finds,
    };
    let package = packaged(job, &site)?;
    moment(job, way, target).await?;
    let stacks = stack::open(job, target).await?;
    let arrived = arrive::run(job, &site, &package, &stacks).await?;
    let carried = arrived.carried;
    let tags = tags::wanted(job, &site, &package, &arrived);
    if carried && service.commands.after_deploy.is_none() {
        job.log()
            .note("an earlier attempt has deployed this artifact: nothing is left to do")
            .await;
        return read_back(job, service, &package, &stacks).await;
    }
    if !carried {
        tags::hand_over(job, &site, &package, &tags, &mut ground)?;
    }
    if wants_source(service) {
        let workspace = job.checkout().await?;
        ground.install(job, &workspace, service, trust).await?;
    }
    if carried {
        job.log().note("an earlier attempt has deployed this artifact").await;
    } else {
        until_deployed(job, &site, &package, &stacks, &ground, &tags).await?;
    }
    let mut deployed = read_back(job, service, &package, &stacks).await?;
    if let Some(step) = &service.commands.after_deploy {
        ground.add(job, service, &deployed.outputs)?;
        let credentials = job.credentials().await?;
        job.expect_step(Some(step), &ground.scene, Access::Aws(&credentials)).await?;
        // What the command did to them is no change by others.
        deployed.left_at = outside::changed_at(job, &deployed.stacks, &stacks).await?;
    }
    Ok(deployed)
}

async fn announce(job: &Job, way: Way) {
    match way {
        Way::Forward => {}
        Way::Back => {
            let commit = job.assignment().source.commit.short();
            job.log()
                .heading(&format!("back to {commit}: the artifact that was made of it then"))
                .await;
            job.log()
                .note("data, and what plugins and commands did elsewhere, stay as they are")
                .await;
        }
    }
}

/// The safeguards that restrict when a stage may be deployed to.
async fn moment(job: &Job, way: Way, target: &Target) -> Result<(), Halt> {
    let mut seen = check::moment(&target.safeguards, super::now());
    match way {
        Way::Forward => {}
        Way::Back => {
            for finding in &mut seen.findings {
                finding.level = Level::Warning;
            }
        }
    }
    seen.judged(job).await.map(drop)
}

fn wants_source(service: &Service) -> bool {
    let commands = &service.commands;
    framework::of(service.framework).needs_source(Work::Deploy)
        || commands.deploy.is_some()
        || commands.after_deploy.is_some()
}

/// Gives a custom service's commands a file to publish by.
fn publish_by(job: &Job, service: &Service, ground: &mut Ground) -> Result<(), Halt> {
    match service.framework {
        pipeline::Framework::Custom => {
            let file = job.inside(&job.room().home().join(publish::PUBLISH_FILE))?;
            ground.scene.set("GREENROOM_PUBLISH_FILE", file.to_string_lossy());
        }
        pipeline::Framework::Serverless
        | pipeline::Framework::Cloudformation
        | pipeline::Framework::Sam
        | pipeline::Framework::Cdk => {}
    }
    Ok(())
}

/// What the package in the room is for, refused if that is not this.
fn packaged(job: &Job, site: &Site<'_>) -> Result<Package, Halt> {
    let framework = framework::of(site.service.framework);
    let files = job.package_files()?;
    let package = match framework.authority() {
        Authority::Framework => framework.made(site, &files)?,
        Authority::Manifest => {
            let text = files.read(manifest::FILE, FILE_MAX_BYTES)?;
            let app = &job.assignment().app;
            Manifest::parse(&text)?.checked(app, site.service, site.target)?
        }
    };
    package.check(site.target)?;
    Ok(package)
}

/// Deploys, again after a failure that passes.
async fn until_deployed(
    job: &mut Job,
    site: &Site<'_>,
    package: &Package,
    stacks: &Stacks,
    ground: &Ground,
    tags: &StackTags,
) -> Result<(), Halt> {
    package::describe(job, framework::of(site.service.framework), site).await;
    let mut retries = Retries::of(job, Doing::Deploy);
    loop {
        match deploy(job, site, package, stacks, ground, tags).await {
            Ok(()) => return Ok(()),
            Err(misfire) => match retries.after(job, misfire).await {
                Ok(()) => {}
                Err(halt) => return Err(stuck::told(job, stacks, package, halt).await),
            },
        }
        arrive::run(job, site, package, stacks).await?;
    }
}

async fn deploy(
    job: &mut Job,
    site: &Site<'_>,
    package: &Package,
    stacks: &Stacks,
    ground: &Ground,
    tags: &StackTags,
) -> Result<(), Misfire> {
    let framework = framework::of(site.service.framework);
    let files = job.package_files()?;
    let deploying = match &site.service.commands.deploy {
        Some(step) => Deploying::Run(step.into()),
        None => framework.deploy(site, package, &files, tags).map_err(Halt::from)?,
    };
    match deploying {
        Deploying::ChangeSets => {
            change_sets::deploy(job, site, package, &files, stacks).await.map_err(Misfire::from)
        }
        Deploying::Run(order) => {
            if check::wants_change(site.target) && !package.stacks.is_empty() {
                let seen = check::change_now(job, site, package, &files, stacks).await?;
                check::held(site.target, seen).judged(job).await?;
            }
            let expected = progress::of_deploy(job, package, &files, stacks).await?;
            job.progress().expect(expected);
            run_order(job, &order, package, stacks, ground).await?;
            job.progress().complete();
            Ok(())
        }
    }
}

/// Runs the command and writes the stacks' events into the log meanwhile.
async fn run_order(
    job: &mut Job,
    order: &Order,
    package: &Package,
    stacks: &Stacks,
    ground: &Ground,
) -> Result<(), Misfire> {
    let credentials = job.credentials().await?;
    let names: Vec<String> = package.stacks.iter().map(|stack| stack.name.clone()).collect();
    let watch = Watch::begin(job, stacks, &names).await?;
    let step = job.step(order, &ground.scene, Access::Aws(&credentials));
    let (end, cause) = watch.over(step).await;
    let end = end?;
    let said = vec![String::from_utf8_lossy(&end.captured).into_owned()];
    match (failure(order, end.outcome), cause) {
        (None, _) => Ok(()),
        (Some(Halt::Failed(_)), Some(cause)) if matches!(end.outcome, StepOutcome::Exited(_)) => {
            Err(Misfire { halt: Halt::failed(FailureKind::Aws, cause), said })
        }
        (Some(halt), _) => Err(Misfire { halt, said }),
    }
}
