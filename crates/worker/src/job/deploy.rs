//! A deploy job: the artifact of this stage and region, and nothing else, onto its stack.
//!
//! What always holds: digest, stage and region of the artifact are checked here too, whatever the
//! server said. The stack is looked at before anything is done to it: what is in progress is
//! waited out, and a new attempt that finds the artifact deployed ends without deploying again.
//! Success is what the stack says afterwards, not what the command's exit status says.
//!
//! After a crash CloudFormation goes on with what it was told; the next attempt sees to it.

use aws::stack::{Prepared, StackPhase};
use aws::{Stack, Stacks};
use model::job::FailureKind;
use model::pipeline::Service;
use model::worker_api::{DeployedStack, StoredArtifact, Target};
use tokio::io::{AsyncReadExt, BufReader};

use super::context::{Access, Job, failure};
use super::halt::Halt;
use super::{install, package, stack};
use crate::archive::{self, ArchiveLimits};
use crate::framework::serverless::argv::{self, Action};
use crate::framework::serverless::package::{PackageState, TEMPLATE_FILE};
use crate::framework::serverless::tool::Tool;
use crate::git::Workspace;
use crate::step::{Command, StepEnd, StepOutcome};

pub(super) async fn run(
    job: &mut Job,
    service: &Service,
    target: &Target,
    artifact: &StoredArtifact,
    trust: &str,
) -> Result<DeployedStack, Halt> {
    let state = unpack(job, artifact).await?;
    state.check(target)?;
    job.log()
        .heading(&format!("stack {} of {} in {}", state.stack, target.stage, target.region))
        .await;
    let stacks = stack::open(job, target).await?;
    let prepared = prepare(job, &stacks, &state.stack).await?;
    let carried = match &prepared {
        Some(found) if job.assignment().attempt > 1 => carries(job, &stacks, found).await?,
        Some(_) | None => false,
    };
    if carried && service.commands.after_deploy.is_none() {
        job.log()
            .note("an earlier attempt has deployed this artifact: nothing is left to do")
            .await;
        return read_back(job, &stacks, &state.stack).await;
    }
    let workspace = job.checkout().await?;
    install::run(job, &workspace, service, Some(target), trust).await?;
    if carried {
        job.log().note("an earlier attempt has deployed this artifact").await;
    } else {
        deploy(job, service, target, &workspace, &stacks, &state.stack).await?;
    }
    let deployed = read_back(job, &stacks, &state.stack).await?;
    if let Some(line) = &service.commands.after_deploy {
        let credentials = job.credentials().await?;
        job.expect_line(Some(line), service, Some(target), Access::Aws(&credentials)).await?;
    }
    Ok(deployed)
}

/// Brings the artifact into the room, checked against its digest.
async fn unpack(job: &Job, artifact: &StoredArtifact) -> Result<PackageState, Halt> {
    let file = job.room().backstage()?.join("artifact.tar.zst");
    job.hold()
        .ask(|| job.client().fetch_artifact(&file))
        .await
        .map_err(|error| Halt::unanswered(FailureKind::Internal, "the artifact", error))?;
    let found = digest(&file).await?;
    if found != artifact.digest {
        return Err(Halt::internal(format!(
            "the artifact has the digest {found}, not {}: it was changed in the store; package again",
            artifact.digest
        )));
    }
    let open = tokio::fs::File::open(&file).await.map_err(Halt::internal)?;
    let directory = job.package_directory();
    let unpack = archive::unpack(BufReader::new(open), &directory, ArchiveLimits::default());
    job.or_stopped(unpack).await??;
    let user = job.machine().executor.user(job.room().slot());
    job.room().give(user, &directory)?;
    package::read_state(job)
}

async fn digest(file: &std::path::Path) -> Result<String, Halt> {
    let mut open = tokio::fs::File::open(file).await.map_err(Halt::internal)?;
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let length = open.read(&mut buffer).await.map_err(Halt::internal)?;
        if length == 0 {
            return Ok(hex::encode(context.finish()));
        }
        context.update(&buffer[..length]);
    }
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

/// Whether the stack has this artifact's template already.
async fn carries(job: &Job, stacks: &Stacks, found: &Stack) -> Result<bool, Halt> {
    if found.status.phase() != StackPhase::Settled {
        return Ok(false);
    }
    let packaged = package::read_packaged(&job.home(), job, TEMPLATE_FILE)?;
    let Some(live) = stacks.template(&found.id).await? else { return Ok(false) };
    let live: Option<serde_json::Value> = serde_json::from_str(&live).ok();
    let packaged: Option<serde_json::Value> = serde_json::from_slice(&packaged).ok();
    Ok(live.is_some() && live == packaged)
}

async fn deploy(
    job: &mut Job,
    service: &Service,
    target: &Target,
    workspace: &Workspace,
    stacks: &Stacks,
    name: &str,
) -> Result<(), Halt> {
    let (heading, command) = match &service.commands.deploy {
        Some(line) => (line.clone(), Command::Shell(line.clone())),
        None => {
            let tool = Tool::find(workspace, &service.path)?;
            job.log().note(&format!("framework: {}", tool.describe())).await;
            let from = package::package_path(job, service)?;
            let action = Action::Deploy { from: &from };
            let argv = argv::argv(&tool.program, action, target);
            (argv::shown(&tool.package, action, target), Command::Argv(argv))
        }
    };
    let credentials = job.credentials().await?;
    let cursor = job.or_stopped(stacks.cursor_now(name)).await??;
    let log = job.log().clone();
    let poll = stack::patience(job).poll;
    let step = job.step(&heading, command, service, Some(target), Access::Aws(&credentials));
    let (end, causes) = stack::watched((stacks, name, &log), cursor, poll, step).await;
    let StepEnd { outcome, .. } = end?;
    match (failure(&heading, outcome), causes.first()) {
        (None, _) => Ok(()),
        (Some(Halt::Failed(_)), Some(cause)) if matches!(outcome, StepOutcome::Exited(_)) => {
            Err(Halt::failed(FailureKind::Aws, format!("stack {name}: {cause}")))
        }
        (Some(halt), _) => Err(halt),
    }
}

/// What the stack says after the deploy.
async fn read_back(job: &Job, stacks: &Stacks, name: &str) -> Result<DeployedStack, Halt> {
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
    let endpoints: Vec<String> =
        aws::endpoints(&stack.outputs).into_iter().map(|endpoint| endpoint.url).collect();
    job.log().heading(&format!("stack {name} is {}", stack.status)).await;
    for endpoint in &endpoints {
        job.log().note(&format!("  {endpoint}")).await;
    }
    Ok(DeployedStack { stack: stack.name, outputs: stack.outputs, endpoints })
}
