//! A remove job: the framework's own removal where it has one and can run, and in any case every
//! stack looked at afterwards: gone, verified, or a failure that says what keeps it.
//!
//! What always holds: no command's word is taken for it; a commit that is gone or an install that
//! fails does not keep a stack alive, it is then removed directly. Only a `before_remove` that
//! fails does: it may have been there to save something. Whatever a crashed attempt left is looked
//! at first: nothing there is a success. A service without stacks is believed, for there is
//! nothing of it to look at.

use std::collections::BTreeMap;

use aws::Stacks;
use aws::stack::Removal;
use model::job::FailureKind;
use model::pipeline::Service;
use model::worker_api::Target;

use super::context::Job;
use super::ground::{Gaps, Ground};
use super::halt::Halt;
use super::stack::Watch;
use super::steps::{Access, failure};
use super::{install, package, stack};
use crate::framework::{self, Package, Removing, Site, StackNames, Work};
use crate::git::Workspace;
use crate::step::{Order, StepOutcome};

pub(super) async fn run(
    job: &mut Job,
    service: &Service,
    target: &Target,
    known: &[String],
    trust: &str,
) -> Result<(), Halt> {
    let stacks = stack::open(job, target).await?;
    let mut attempt = Attempt { service, target, trust, stacks: &stacks, names: None };
    if !known.is_empty() && attempt.gone(job, known.to_vec()).await? {
        return Ok(());
    }
    let ended = match attempt.by_framework(job).await {
        Ok(ended) => ended,
        Err(halt) => directly(job, attempt.names.as_deref(), halt).await?,
    };
    let names = attempt.names;
    match (ended, names.as_deref()) {
        (Ended::Gone, _) | (Ended::ByStacks, Some([])) => Ok(()),
        (Ended::Kept(halt), _) => Err(halt),
        (Ended::ByStacks | Ended::Command(..), Some(names @ [_, ..])) => {
            // What was deployed last may import from what was deployed first.
            for name in names.iter().rev() {
                prove(job, &stacks, name).await?;
            }
            Ok(())
        }
        (Ended::Command(order, outcome), Some([])) => failure(&order, outcome).map_or(Ok(()), Err),
        (Ended::Command(_, StepOutcome::Exited(0)), None) => Ok(()),
        (Ended::Command(..) | Ended::ByStacks, None) => Err(Halt::failed(
            FailureKind::Step,
            "the remove command failed, and the stack's name is a variable that only the framework can resolve: see the log",
        )),
    }
}

/// What came of the framework's own removal.
enum Ended {
    /// There was nothing to remove.
    Gone,
    /// The stacks are to be removed directly.
    ByStacks,
    Command(Order, StepOutcome),
    /// The service's own step before a removal failed.
    Kept(Halt),
}

struct Attempt<'a> {
    service: &'a Service,
    target: &'a Target,
    trust: &'a str,
    stacks: &'a Stacks,
    /// In the order they were deployed in; none at all for a service without any. `None`: not
    /// known yet.
    names: Option<Vec<String>>,
}

impl Attempt<'_> {
    async fn by_framework(&mut self, job: &mut Job) -> Result<Ended, Halt> {
        let service = self.service;
        let framework = framework::of(service.framework);
        if self.named(job).await? {
            return Ok(Ended::Gone);
        }
        let in_package = self.names.is_none() && self.told(job)? == StackNames::InPackage;
        let commands = &service.commands;
        let wants_source = framework.needs_source(Work::Remove)
            || commands.before_remove.is_some()
            || commands.remove.is_some()
            || in_package;
        if !wants_source {
            return Ok(Ended::ByStacks);
        }
        let workspace = job.checkout().await?;
        if self.named(job).await? {
            return Ok(Ended::Gone);
        }
        if in_package {
            job.make_package_directory()?;
        }
        let mut ground = Ground::lay(job, Some(service), self.target, Gaps::LeftOut).await?;
        install::run(job, &workspace, service, &ground.scene, self.trust).await?;
        ground.plug(job, service)?;
        let (places, finds) = (job.places(service)?, job.finder());
        let site = Site {
            workspace: &workspace,
            service,
            target: &ground.target,
            inputs: &ground.inputs,
            places: &places,
            finds: &finds,
        };
        if in_package {
            let Package { stacks, .. } = package::make(job, &site, &ground).await?;
            let names = stacks.into_iter().map(|stack| stack.name).collect();
            if self.gone(job, names).await? {
                return Ok(Ended::Gone);
            }
        }
        if let Some(step) = &commands.before_remove {
            let credentials = job.credentials().await?;
            let access = Access::Aws(&credentials);
            match job.expect_step(Some(step), &ground.scene, access).await {
                Ok(()) => {}
                Err(halt) => return Ok(Ended::Kept(halt)),
            }
        }
        let removing = match &commands.remove {
            Some(step) => Removing::Run(step.into()),
            None => framework.remove(&site)?,
        };
        match removing {
            Removing::Stacks => Ok(Ended::ByStacks),
            Removing::Run(order) => {
                package::describe(job, framework, &site).await;
                let outcome = self.run_order(job, &order, &ground).await?;
                Ok(Ended::Command(order, outcome))
            }
        }
    }

    /// Whether there turns out to be nothing to remove, once the commit's files name the stacks.
    async fn named(&mut self, job: &Job) -> Result<bool, Halt> {
        if self.names.is_some() {
            return Ok(false);
        }
        match self.told(job)? {
            StackNames::Known(names) => self.gone(job, names).await,
            StackNames::InPackage | StackNames::Unknown => Ok(false),
        }
    }

    /// What the framework knows of the stacks by the files that are there by now.
    fn told(&self, job: &Job) -> Result<StackNames, Halt> {
        let workspace = Workspace::new(job.room().workspace());
        let (places, finds) = (job.places(self.service)?, job.finder());
        let site = Site {
            workspace: &workspace,
            service: self.service,
            target: self.target,
            inputs: &BTreeMap::new(),
            places: &places,
            finds: &finds,
        };
        Ok(framework::of(self.service.framework).stacks(&site))
    }

    /// Takes the names; whether there is nothing of them to remove.
    async fn gone(&mut self, job: &Job, names: Vec<String>) -> Result<bool, Halt> {
        let mut gone = !names.is_empty();
        for name in &names {
            if job.or_stopped(self.stacks.look(name)).await??.is_some() {
                gone = false;
            } else {
                job.log().note(&format!("there is no stack {name}")).await;
            }
        }
        self.names = Some(names);
        if gone {
            job.log().note("nothing to remove").await;
        }
        Ok(gone)
    }

    async fn run_order(
        &self,
        job: &mut Job,
        order: &Order,
        ground: &Ground,
    ) -> Result<StepOutcome, Halt> {
        let credentials = job.credentials().await?;
        let names = self.names.as_deref().unwrap_or_default();
        let watch = Watch::begin(job, self.stacks, names).await?;
        let step = job.step(order, &ground.scene, Access::Aws(&credentials));
        let (end, _) = watch.over(step).await;
        Ok(end?.outcome)
    }
}

/// What kept the framework from running does not keep stacks of known names.
async fn directly(job: &Job, names: Option<&[String]>, halt: Halt) -> Result<Ended, Halt> {
    match (halt, names) {
        (Halt::Failed(failure), Some(names @ [_, ..])) => {
            job.log().note(&failure.message).await;
            let names = names.join(", ");
            job.log()
                .note(&format!("the framework cannot run: {names} is removed without it"))
                .await;
            Ok(Ended::ByStacks)
        }
        (halt @ (Halt::Failed(_) | Halt::Refused(_) | Halt::Stopped), _) => Err(halt),
    }
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
