//! A deploy job: the artifact of this stage and region, and nothing else, onto its stacks.
//!
//! What always holds: digest, stage and region of the artifact are checked here too, whatever the
//! server said. A stack is looked at before anything is done to it: what is in progress is waited
//! out, and a new attempt that finds the artifact deployed ends without deploying again. Success
//! is what the stacks say afterwards, not what the command's exit status says.
//!
//! After a crash CloudFormation goes on with what it was told; the next attempt sees to it.

use std::collections::BTreeMap;

use aws::stack::{Prepared, StackPhase};
use aws::{Stack, Stacks};
use model::job::FailureKind;
use model::pipeline::{self, Service};
use model::worker_api::{DeployedStack, StoredArtifact, Target};

use super::context::Job;
use super::ground::{Gaps, Ground};
use super::halt::Halt;
use super::stack::Watch;
use super::steps::{Access, failure};
use super::{artifact, change_sets, check, install, outside, package, publish, stack};
use crate::framework::manifest::{self, Manifest};
use crate::framework::{
    self, Authority, Deploying, FILE_MAX_BYTES, Foresight, Package, Site, Work, parameters,
};
use crate::git::Workspace;
use crate::step::{Order, StepOutcome};

pub(super) async fn run(
    job: &mut Job,
    service: &Service,
    target: &Target,
    artifact: &StoredArtifact,
    trust: &str,
) -> Result<DeployedStack, Halt> {
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
    check::moment(&target.safeguards, super::now()).judged(job).await?;
    let stacks = stack::open(job, target).await?;
    let carried = arrive(job, &site, &package, &stacks).await?;
    if carried && service.commands.after_deploy.is_none() {
        job.log()
            .note("an earlier attempt has deployed this artifact: nothing is left to do")
            .await;
        return read_back(job, service, &package, &stacks).await;
    }
    if wants_source(service) {
        let workspace = job.checkout().await?;
        install::run(job, &workspace, service, &ground.scene, trust).await?;
        ground.plug(job, service)?;
    }
    if carried {
        job.log().note("an earlier attempt has deployed this artifact").await;
    } else {
        deploy(job, &site, &package, &stacks, &ground).await?;
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

/// Brings every stack into a state that takes a deploy. Whether all of them carry the artifact
/// already.
async fn arrive(
    job: &Job,
    site: &Site<'_>,
    package: &Package,
    stacks: &Stacks,
) -> Result<bool, Halt> {
    let mut carried = job.assignment().attempt > 1 && !package.stacks.is_empty();
    for packaged in &package.stacks {
        let place = format!("{} in {}", site.target.stage, site.target.region);
        job.log().heading(&format!("stack {} of {place}", packaged.name)).await;
        let found = prepare(job, stacks, &packaged.name).await?;
        carried = carried
            && match found {
                Some(found) => carries(job, site, packaged, stacks, &found).await?,
                None => false,
            };
    }
    Ok(carried)
}

/// The stack in a state that takes a deploy; `None` when there is none yet.
async fn prepare(job: &Job, stacks: &Stacks, name: &str) -> Result<Option<Stack>, Halt> {
    let (mut on_event, events) = stack::collector();
    let token = job.token();
    let preparing = stacks.prepare(name, &token, stack::patience(job), &mut on_event);
    let (prepared, _) = job.or_stopped(stack::logged(job.log(), events, preparing)).await?;
    match prepared? {
        Prepared::Absent => Ok(None),
        Prepared::Ready(stack) => Ok(Some(*stack)),
        Prepared::Blocked(stack) => Err(Halt::failed(
            FailureKind::Aws,
            format!(
                "stack {name} is {} and takes no deploy{}: mend or delete it in CloudFormation, then run this again",
                stack.status,
                stack.status_reason.map_or_else(String::new, |reason| format!(" ({reason})")),
            ),
        )),
    }
}

/// Whether the stack has this artifact's template already, with nothing else that could differ.
async fn carries(
    job: &Job,
    site: &Site<'_>,
    packaged: &framework::PackagedStack,
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
    let Some(live) = job.or_stopped(stacks.template(&found.id)).await?? else { return Ok(false) };
    Ok(aws::Template::parse(&live).is_ok_and(|live| live.tree() == template.tree()))
}

async fn deploy(
    job: &mut Job,
    site: &Site<'_>,
    package: &Package,
    stacks: &Stacks,
    ground: &Ground,
) -> Result<(), Halt> {
    let framework = framework::of(site.service.framework);
    package::describe(job, framework, site).await;
    let files = job.package_files()?;
    let deploying = match &site.service.commands.deploy {
        Some(step) => Deploying::Run(step.into()),
        None => framework.deploy(site, package, &files)?,
    };
    match deploying {
        Deploying::ChangeSets => change_sets::deploy(job, site, package, &files, stacks).await,
        Deploying::Run(order) => {
            if check::wants_change(&site.target.safeguards) && !package.stacks.is_empty() {
                let seen = check::change_now(job, site, package, &files, stacks).await?;
                check::held(&site.target.safeguards, seen).judged(job).await?;
            }
            run_order(job, &order, package, stacks, ground).await
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
) -> Result<(), Halt> {
    let credentials = job.credentials().await?;
    let names: Vec<String> = package.stacks.iter().map(|stack| stack.name.clone()).collect();
    let watch = Watch::begin(job, stacks, &names).await?;
    let step = job.step(order, &ground.scene, Access::Aws(&credentials));
    let (end, cause) = watch.over(step).await;
    let outcome = end?.outcome;
    match (failure(order, outcome), cause) {
        (None, _) => Ok(()),
        (Some(Halt::Failed(_)), Some(cause)) if matches!(outcome, StepOutcome::Exited(_)) => {
            Err(Halt::failed(FailureKind::Aws, cause))
        }
        (Some(halt), _) => Err(halt),
    }
}

/// What the stacks say after the deploy, and what the service publishes by it.
async fn read_back(
    job: &Job,
    service: &Service,
    package: &Package,
    stacks: &Stacks,
) -> Result<DeployedStack, Halt> {
    let mut of_stacks: BTreeMap<String, String> = BTreeMap::new();
    let mut names = Vec::new();
    let mut left_at = BTreeMap::new();
    for packaged in &package.stacks {
        let stack = settled(job, stacks, &packaged.name).await?;
        left_at.extend(stack.changed_at().map(|at| (stack.name.clone(), at)));
        for (key, value) in stack.outputs {
            if of_stacks.contains_key(&key) {
                let name = &packaged.name;
                job.log()
                    .note(&format!("output {key} of stack {name} is not published: an earlier stack of the service has one of that name"))
                    .await;
                continue;
            }
            of_stacks.insert(key, value);
        }
        names.push(stack.name);
    }
    let mut endpoints: Vec<String> =
        aws::endpoints(&of_stacks).into_iter().map(|endpoint| endpoint.url).collect();
    let mut outputs = publish::published(&job.package_files()?, &of_stacks)?;
    match service.framework {
        pipeline::Framework::Custom => {
            outputs.extend(publish::by_command(&job.home())?);
            endpoints = publish::endpoints(&outputs);
        }
        pipeline::Framework::Serverless
        | pipeline::Framework::Cloudformation
        | pipeline::Framework::Sam
        | pipeline::Framework::Cdk => {}
    }
    for endpoint in &endpoints {
        job.log().note(&format!("  {endpoint}")).await;
    }
    Ok(DeployedStack { stacks: names, left_at, outputs, endpoints })
}

/// The stack once nothing is in progress, which it must have come through well.
async fn settled(job: &Job, stacks: &Stacks, name: &str) -> Result<Stack, Halt> {
    let (mut on_event, events) = stack::collector();
    let mut cursor = job.or_stopped(stacks.cursor_now(name)).await??;
    let waiting = stacks.wait_settled(name, &mut cursor, stack::patience(job), &mut on_event);
    let (settled, causes) = job.or_stopped(stack::logged(job.log(), events, waiting)).await?;
    let Some(stack) = settled? else {
        return Err(Halt::failed(
            FailureKind::Aws,
            format!(
                "the deploy command succeeded, but there is no stack {name} in this account and region"
            ),
        ));
    };
    if stack.status.phase() != StackPhase::Settled {
        let reason = causes.first().or(stack.status_reason.as_deref()).unwrap_or("no reason given");
        return Err(Halt::failed(
            FailureKind::Aws,
            format!("the deploy command succeeded, but stack {name} is {}: {reason}", stack.status),
        ));
    }
    job.log().heading(&format!("stack {name} is {}", stack.status)).await;
    Ok(stack)
}
