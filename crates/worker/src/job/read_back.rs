//! After a deploy: what its stacks say, and what the service publishes by it.
//!
//! What always holds: a deploy whose stacks did not come through well is a failure, whatever its
//! command said.

use std::collections::BTreeMap;

use aws::stack::StackPhase;
use aws::{Stack, Stacks};
use model::job::FailureKind;
use model::pipeline::{self, Service};
use model::worker_api::DeployedStack;

use super::context::Job;
use super::halt::Halt;
use super::{publish, stack};
use crate::framework::Package;

/// What the stacks say after the deploy, and what the service publishes by it.
pub(super) async fn read_back(
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
    let (settled, causes) = stack::settled(job, stacks, name).await?;
    let Some(stack) = settled else {
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
