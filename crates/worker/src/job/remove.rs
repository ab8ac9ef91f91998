//! A remove job: the framework's own removal where it can run, and in any case the stack looked
//! at afterwards: gone, verified, or a failure that says what keeps it.
//!
//! What always holds: the framework's word is never taken for it; a commit that is gone or an
//! install that fails does not keep a stack alive, it is then removed directly. Whatever a
//! crashed attempt left is looked at first: nothing there is a success.

use aws::Stacks;
use aws::stack::Removal;
use model::job::FailureKind;
use model::pipeline::Service;
use model::worker_api::{AwsCredentials, Target};

use super::context::{Access, Job};
use super::halt::Halt;
use super::{install, stack};
use crate::framework::serverless::argv::{self, Action};
use crate::framework::serverless::config::ServerlessYml;
use crate::framework::serverless::tool::Tool;
use crate::git::Workspace;
use crate::step::{Command, StepOutcome};

const CONFIG_MAX_BYTES: u64 = 4 * 1024 * 1024;

pub(super) async fn run(
    job: &mut Job,
    service: &Service,
    target: &Target,
    known: Option<&str>,
    trust: &str,
) -> Result<(), Halt> {
    let stacks = stack::open(job, target).await?;
    if let Some(name) = known
        && gone(job, &stacks, name).await?
    {
        return Ok(());
    }
    let source = match job.checkout().await {
        Ok(workspace) => Some(workspace),
        Err(halt) => directly(job, known, halt).await?,
    };
    let name = match (known, &source) {
        (Some(name), _) => Some(name.to_owned()),
        (None, Some(workspace)) => stack_of(workspace, service, target),
        (None, None) => None,
    };
    if let (None, Some(name)) = (known, &name)
        && gone(job, &stacks, name).await?
    {
        return Ok(());
    }
    let ready = match source {
        None => None,
        Some(workspace) => {
            match install::run(job, &workspace, service, Some(target), trust).await {
                Ok(()) => Some(workspace),
                Err(halt) => directly(job, name.as_deref(), halt).await?,
            }
        }
    };
    let mut by_framework = None;
    if let Some(workspace) = &ready {
        let credentials = job.credentials().await?;
        let access = Access::Aws(&credentials);
        let before = service.commands.before_remove.as_deref();
        job.expect_line(before, service, Some(target), access).await?;
        let outcome =
            remove(job, service, target, workspace, &stacks, name.as_deref(), &credentials).await;
        by_framework = match outcome {
            Ok(outcome) => Some(outcome),
            Err(halt) => directly(job, name.as_deref(), halt).await?,
        };
    }
    match (name, by_framework) {
        (Some(name), _) => prove(job, &stacks, &name).await,
        (None, Some(StepOutcome::Exited(0))) => Ok(()),
        (None, _) => Err(Halt::failed(
            FailureKind::Step,
            "the remove command failed, and the stack's name is a variable that only the framework can resolve: see the log",
        )),
    }
}

/// Whether there is nothing to remove.
async fn gone(job: &Job, stacks: &Stacks, name: &str) -> Result<bool, Halt> {
    let gone = job.or_stopped(stacks.look(name)).await??.is_none();
    if gone {
        job.log().note(&format!("there is no stack {name}: nothing to remove")).await;
    }
    Ok(gone)
}

/// What kept the framework from running does not keep a stack of a known name.
async fn directly<T>(job: &Job, name: Option<&str>, halt: Halt) -> Result<Option<T>, Halt> {
    match (halt, name) {
        (Halt::Failed(failure), Some(name)) => {
            job.log().note(&failure.message).await;
            job.log()
                .note(&format!("the framework cannot run: stack {name} is removed without it"))
                .await;
            Ok(None)
        }
        (halt, _) => Err(halt),
    }
}

/// The stack as `serverless.yml` names it.
fn stack_of(workspace: &Workspace, service: &Service, target: &Target) -> Option<String> {
    ["serverless.yml", "serverless.yaml"].into_iter().find_map(|file| {
        let path = crate::detect::within(&service.path, file);
        let text = String::from_utf8(workspace.read(path, CONFIG_MAX_BYTES).ok()?).ok()?;
        ServerlessYml::parse(&text).ok()?.stack(&target.stage)
    })
}

async fn remove(
    job: &mut Job,
    service: &Service,
    target: &Target,
    workspace: &Workspace,
    stacks: &Stacks,
    name: Option<&str>,
    credentials: &AwsCredentials,
) -> Result<StepOutcome, Halt> {
    let (heading, command) = match &service.commands.remove {
        Some(line) => (line.clone(), Command::Shell(line.clone())),
        None => {
            let tool = Tool::find(workspace, &service.path)?;
            job.log().note(&format!("framework: {}", tool.describe())).await;
            let argv = argv::argv(&tool.program, Action::Remove, target);
            (argv::shown(&tool.package, Action::Remove, target), Command::Argv(argv))
        }
    };
    let access = Access::Aws(credentials);
    let Some(name) = name else {
        return Ok(job.step(&heading, command, service, Some(target), access).await?.outcome);
    };
    let cursor = job.or_stopped(stacks.cursor_now(name)).await??;
    let log = job.log().clone();
    let poll = stack::patience(job).poll;
    let step = job.step(&heading, command, service, Some(target), access);
    let (end, _) = stack::watched((stacks, name, &log), cursor, poll, step).await;
    Ok(end?.outcome)
}

/// Removes what is left and proves that nothing is.
async fn prove(job: &Job, stacks: &Stacks, name: &str) -> Result<(), Halt> {
    let (mut on_event, events) = stack::collector();
    let token = job.token();
    let removing = stacks.remove(name, &token, stack::patience(job), &mut on_event);
    let (removal, _) = job.or_stopped(stack::logged(job.log(), events, removing)).await?;
    match removal? {
        Removal::Removed { .. } => {
            job.log().heading(&format!("stack {name} is gone, verified")).await;
            Ok(())
        }
        Removal::StillThere { stack, why } => Err(Halt::failed(
            FailureKind::Aws,
            format!("stack {name} is still there ({}): {why}", stack.status),
        )),
    }
}
