//! The framework's own removal, and the service's own steps around it.
//!
//! What always holds: the stacks are looked at before anything runs; what is in progress is over by
//! then. The service's buckets are emptied between its own `before_remove`, which may have saved
//! what lies in them, and the framework's command, which fails on full ones.

use std::collections::BTreeMap;

use aws::Stacks;
use aws::stack::{Holdings, Importer, StackPhase, Why};
use model::pipeline::Service;
use model::transient::Doing;
use model::worker_api::{RemoveHow, Target};

use super::prove;
use crate::framework::{self, Package, Removing, Site, StackNames, Work};
use crate::git::Workspace;
use crate::job::context::Job;
use crate::job::ground::{Gaps, Ground};
use crate::job::halt::Halt;
use crate::job::retries::{Misfire, Retries};
use crate::job::stack::{self, Watch};
use crate::job::steps::{Access, failure};
use crate::job::{package, progress};
use crate::step::{Order, StepOutcome};

/// What came of the framework's own removal.
pub(super) enum Ended {
    /// There was nothing to remove.
    Gone,
    /// The stacks are to be removed directly.
    ByStacks,
    Command(Order, StepOutcome),
    /// Nothing more may be done: the service's own step before a removal failed, or something
    /// keeps a stack.
    Kept(Halt),
}

pub(super) struct Attempt<'a> {
    service: &'a Service,
    target: &'a Target,
    trust: &'a str,
    stacks: &'a Stacks,
    /// In the order they were deployed in; none at all for a service without any. `None`: not
    /// known yet.
    names: Option<Vec<String>>,
    /// What the stacks held before the framework's command ran.
    holdings: Vec<Holdings>,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(
        service: &'a Service,
        target: &'a Target,
        trust: &'a str,
        stacks: &'a Stacks,
    ) -> Self {
        Self { service, target, trust, stacks, names: None, holdings: Vec::new() }
    }

    pub(super) fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// The stacks' names, as far as they are known by now, and what they held.
    pub(super) fn left(self) -> (Option<Vec<String>>, Vec<Holdings>) {
        (self.names, self.holdings)
    }

    pub(super) async fn by_framework(&mut self, job: &mut Job) -> Result<Ended, Halt> {
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
        ground.install(job, &workspace, service, self.trust).await?;
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
        match self.readiness(job).await? {
            Readiness::Ready => {}
            Readiness::Gone => return Ok(Ended::Gone),
            Readiness::Kept(halt) => return Ok(Ended::Kept(halt)),
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
                self.empty(job).await?;
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
    pub(super) async fn gone(&mut self, job: &Job, names: Vec<String>) -> Result<bool, Halt> {
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

    /// Waits out what is in progress, and looks what keeps the stacks.
    async fn readiness(&self, job: &Job) -> Result<Readiness, Halt> {
        let names = self.names.as_deref().unwrap_or_default();
        let mut gone = !names.is_empty();
        for name in names {
            let (settled, _) = stack::settled(job, self.stacks, name).await?;
            let settled = settled.filter(|stack| stack.status.phase() != StackPhase::Gone);
            let Some(stack) = settled else { continue };
            gone = false;
            let why = job.or_stopped(self.stacks.obstacle(&stack)).await??;
            if let Some(why) = why.and_then(|why| by_others(why, names)) {
                let halt = prove::still_there(&stack, &why, RemoveHow::Careful);
                return Ok(Readiness::Kept(halt));
            }
        }
        Ok(if gone { Readiness::Gone } else { Readiness::Ready })
    }

    /// Empties what the framework's command would fail on, and remembers what it leaves behind.
    async fn empty(&mut self, job: &Job) -> Result<(), Halt> {
        for name in self.names.as_deref().unwrap_or_default() {
            let held = match job.or_stopped(self.stacks.holdings(name)).await? {
                Ok(held) => held,
                Err(error) => {
                    job.log().note(&format!("what the stack holds is not known: {error}")).await;
                    continue;
                }
            };
            let (mut on_event, events) = stack::collector();
            let emptying = self.stacks.empty_buckets(&held, &mut on_event);
            // What is not empty then is told when the stack does not go because of it.
            job.or_stopped(stack::logged(job, events, emptying)).await?;
            self.holdings.push(held);
        }
        Ok(())
    }

    /// Runs the command, again after a failure that passes where there is no stack to tell.
    async fn run_order(
        &self,
        job: &mut Job,
        order: &Order,
        ground: &Ground,
    ) -> Result<StepOutcome, Halt> {
        let mut retries = Retries::of(job, Doing::Remove);
        loop {
            let credentials = job.credentials().await?;
            let names = self.names.as_deref().unwrap_or_default();
            job.progress().expect(progress::of_removal(job, names, self.stacks).await?);
            let watch = Watch::begin(job, self.stacks, names).await?;
            let step = job.step(order, &ground.scene, Access::Aws(&credentials));
            let (end, cause) = watch.over(step).await;
            let end = end?;
            let Some(halt) = failure(order, end.outcome) else { return Ok(end.outcome) };
            let printed = String::from_utf8_lossy(&end.captured).into_owned();
            let said = [Some(printed), cause].into_iter().flatten().collect();
            match retries.after(job, Misfire { halt, said }).await {
                Ok(()) => {}
                Err(Halt::Stopped) => return Err(Halt::Stopped),
                // The stacks have the last word.
                Err(Halt::Failed(_) | Halt::Refused(_)) => return Ok(end.outcome),
            }
            match self.readiness(job).await? {
                Readiness::Ready => {}
                Readiness::Gone | Readiness::Kept(_) => return Ok(end.outcome),
            }
        }
    }
}

enum Readiness {
    Ready,
    Gone,
    Kept(Halt),
}

/// What keeps a stack but for the service's own stacks, which go with it.
fn by_others(why: Why, own: &[String]) -> Option<Why> {
    let importers = match why {
        Why::Imported { importers } => importers,
        other @ (Why::Protected | Why::Failed { .. } | Why::Replaced { .. }) => return Some(other),
    };
    let others = |importer: Importer| {
        let Importer { export, mut stacks } = importer;
        stacks.retain(|stack| !own.contains(stack));
        (!stacks.is_empty()).then_some(Importer { export, stacks })
    };
    let importers: Vec<Importer> = importers.into_iter().filter_map(others).collect();
    (!importers.is_empty()).then_some(Why::Imported { importers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_of_the_service_itself_do_not_keep_each_other() {
        let imported = |stacks: &[&str]| Why::Imported {
            importers: vec![Importer {
                export: "net-id".to_owned(),
                stacks: stacks.iter().map(|&name| name.to_owned()).collect(),
            }],
        };
        let own = ["base-dev".to_owned(), "api-dev".to_owned()];
        assert_eq!(by_others(imported(&["api-dev"]), &own), None);
        assert_eq!(
            by_others(imported(&["api-dev", "web-dev"]), &own),
            Some(imported(&["web-dev"]))
        );
        assert_eq!(by_others(Why::Protected, &own), Some(Why::Protected));
    }
}
