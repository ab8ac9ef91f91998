//! What a deploy would make of a stack: what is asked for, and what CloudFormation says to it.
//!
//! What always holds: nothing here changes a stack. Where CloudFormation cannot be asked, the
//! templates are compared, and the answer says so.

use std::collections::BTreeMap;

use aws::stack::{Capability, ChangeError, Wanted, greenroom_tags};
use aws::{Stacks, Template};
use model::app::{Level, Policy, Safeguard};
use model::change_set::{StackChange, StackChangeKind};
use model::finding::{Check, Finding};
use model::pipeline::{self, Service};
use model::worker_api::Target;

use super::context::Job;
use super::halt::Halt;
use super::stack::patience;
use crate::framework::{self, Authority, Facts, Foresight, PackagedStack, Site, parameters};

/// CloudFormation takes a larger template from a bucket only (service quotas, "Template body size
/// in a request").
const INLINE_BYTES: usize = 51_200;
/// The bucket that the Serverless Framework makes in each of its stacks.
const SERVERLESS_BUCKET: &str = "ServerlessDeploymentBucket";

/// What the stack is to become.
pub(super) async fn wanted(
    job: &Job,
    site: &Site<'_>,
    stack: &PackagedStack,
    template: Template,
    facts: &Facts,
    stacks: &Stacks,
) -> Result<Wanted, Halt> {
    let framework = framework::of(site.service.framework);
    let parameters = match framework.authority() {
        Authority::Framework => facts.parameters.clone(),
        Authority::Manifest => parameters::given(&stack.name, template.tree(), &site.values())?,
    };
    Ok(Wanted {
        stack: stack.name.clone(),
        bucket: bucket(job, stack, &template, facts, stacks).await?,
        template,
        parameters,
        tags: tags(job, site.service, site.target, stack),
        capabilities: Capability::ALL.into(),
        role_arn: None,
        // The same for all attempts.
        token: job.assignment().job.to_string(),
    })
}

fn tags(
    job: &Job,
    service: &Service,
    target: &Target,
    stack: &PackagedStack,
) -> BTreeMap<String, String> {
    match service.framework {
        pipeline::Framework::Cloudformation => {
            let build = job.assignment().build_number.to_string();
            greenroom_tags(&job.assignment().app, &target.stage, &service.name, &build)
        }
        pipeline::Framework::Serverless
        | pipeline::Framework::Sam
        | pipeline::Framework::Cdk
        | pipeline::Framework::Custom => stack.tags.clone(),
    }
}

/// Where a template may lie that does not fit into a request.
async fn bucket(
    job: &Job,
    stack: &PackagedStack,
    template: &Template,
    facts: &Facts,
    stacks: &Stacks,
) -> Result<Option<String>, Halt> {
    if facts.bucket.is_some() || template.text().len() <= INLINE_BYTES {
        return Ok(facts.bucket.clone());
    }
    // Without the right to look there is no bucket, and the templates are compared.
    let resources = job.or_stopped(stacks.resources(&stack.name)).await?.unwrap_or_default();
    let made = resources.into_iter().find(|resource| resource.logical_id == SERVERLESS_BUCKET);
    Ok(made.and_then(|resource| resource.physical_id))
}

/// The change that the deploy would make, and what is wrong with it already.
pub(super) async fn foreseen(
    job: &Job,
    site: &Site<'_>,
    stack: &PackagedStack,
    wanted: &Wanted,
    stacks: &Stacks,
) -> Result<(Option<StackChange>, Vec<Finding>), Halt> {
    let looked = match stack.foresight {
        Foresight::Ask => job.or_stopped(stacks.foresee(wanted, patience(job))).await?,
        Foresight::Compare => job.or_stopped(compared(wanted, stacks)).await?,
    };
    let (why, finding) = match looked {
        Ok(change) => return Ok((Some(change), Vec::new())),
        Err(ChangeError::Rejected { reason, .. }) => {
            let level = match site.service.framework {
                // The deploy asks the very same.
                pipeline::Framework::Cloudformation => Level::Error,
                pipeline::Framework::Serverless
                | pipeline::Framework::Sam
                | pipeline::Framework::Cdk
                | pipeline::Framework::Custom => Level::Warning,
            };
            (reason.clone(), Some(rejected(stack, reason, level)))
        }
        Err(
            error @ (ChangeError::Slow { .. } | ChangeError::Upload(_) | ChangeError::Stack(_)),
        ) => (error.to_string(), None),
    };
    job.log()
        .note(&format!("what the deploy would change in stack {} is not known: {why}", stack.name))
        .await;
    let needed = unknown(&site.target.safeguards, &stack.name, &why);
    Ok((None, finding.into_iter().chain(needed).collect()))
}

/// Where the framework rewrites the template, the texts are all there is.
async fn compared(wanted: &Wanted, stacks: &Stacks) -> Result<StackChange, ChangeError> {
    let live = match stacks.look(&wanted.stack).await? {
        Some(_) => stacks.template(&wanted.stack).await?,
        None => None,
    };
    let new = wanted.template.tree();
    let (kind, changes, note) = match live.as_deref().map(Template::parse) {
        None => (StackChangeKind::New, aws::template::added(new), None),
        Some(Ok(live)) => (
            StackChangeKind::Update,
            aws::template::compare(live.tree(), new),
            Some(
                "this is the difference between the deployed template and the new one; addresses of uploaded code always differ, and whether a resource is replaced is not known"
                    .to_owned(),
            ),
        ),
        Some(Err(error)) => (
            StackChangeKind::Update,
            Vec::new(),
            Some(format!("the deployed template cannot be read: {error}")),
        ),
    };
    Ok(StackChange { stack: wanted.stack.clone(), kind, changes, note })
}

/// A safeguard that cannot be held without knowing the change.
fn unknown(safeguards: &[Safeguard], stack: &str, why: &str) -> Option<Finding> {
    let safeguard =
        safeguards.iter().find(|safeguard| safeguard.policy() == Policy::NoReplacement)?;
    Some(Finding {
        check: Check::Safeguard(Policy::NoReplacement),
        level: safeguard.level,
        place: format!("stack {stack}"),
        problem: format!("what the deploy would replace or remove is not known ({why})"),
        remedy: "let the stage's role look (docs/iam/deploy-policy.json has the actions), or mend what CloudFormation complains about".to_owned(),
    })
}

pub(super) fn rejected(stack: &PackagedStack, reason: String, level: Level) -> Finding {
    Finding {
        check: Check::Template,
        level,
        place: format!("{} of stack {}", stack.template, stack.name),
        problem: reason,
        remedy: "correct what the template is made from and package again".to_owned(),
    }
}
