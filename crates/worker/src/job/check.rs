//! Before a deploy: what the package's templates say is held against the limits of AWS, the
//! safeguards of the profile and CloudFormation's own word, and what the deploy would change is
//! shown.
//!
//! What always holds: looking changes nothing. What the session may not look at is said and the
//! work goes on, unless a safeguard needs the answer. A refusal names every error that was found,
//! with the way to mend it.

use std::collections::BTreeMap;

use aws::Stacks;
use aws::stack::{ChangeError, Upload, Wanted};
use chrono::{DateTime, Utc};
use model::app::{Level, Policy, Safeguard};
use model::approval;
use model::change_set::StackChange;
use model::finding::Finding;
use model::job::{Failure, FailureKind};
use model::outside::Found;
use model::preflight;
use model::safeguard::{self, Subject};
use model::worker_api::{JobResult, Target};

use super::change;
use super::context::Job;
use super::environment::Environment;
use super::foresight::{foreseen, rejected, wanted};
use super::halt::{Halt, Refusal};
use crate::framework::{
    self, Authority, Facts, Package, PackagedStack, Site, ToolFound, parameters,
};
use crate::git::Workspace;

/// What looking at a package brought out.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) change: Vec<StackChange>,
    pub(super) findings: Vec<Finding>,
    /// The stacks as they are, of a package.
    pub(super) found: BTreeMap<String, Found>,
}

impl Seen {
    /// Says it in the log, and refuses what has an error in it.
    pub(super) async fn judged(self, job: &Job) -> Result<Self, Halt> {
        for stack in &self.change {
            show(job, stack).await;
        }
        for finding in &self.findings {
            let level = match finding.level {
                Level::Warning => "warning",
                Level::Error => "error",
            };
            job.log().note(&format!("{level}: {}", change::line(finding))).await;
        }
        let errors: Vec<String> = self
            .findings
            .iter()
            .filter(|finding| finding.level == Level::Error)
            .map(change::line)
            .collect();
        if errors.is_empty() {
            return Ok(self);
        }
        let Self { change, findings, found } = self;
        Err(Halt::Refused(Box::new(Refusal {
            failure: Failure { kind: FailureKind::Safeguard, message: errors.join("\n") },
            result: JobResult::Checked { change, findings, found },
        })))
    }
}

pub(super) async fn show(job: &Job, change: &StackChange) {
    let (heading, rows) = change::table(change);
    job.log().heading(&heading).await;
    for row in rows {
        job.log().note(&row).await;
    }
}

/// A package that was made just now.
pub(super) async fn package(
    job: &Job,
    site: &Site<'_>,
    package: &Package,
    files: &Workspace,
    stacks: &Stacks,
) -> Result<Seen, Halt> {
    let framework = framework::of(site.service.framework);
    let facts = framework.facts(files);
    let tool = tool(job, site).await?;
    let mut seen = Seen::default();
    if package.stacks.is_empty() {
        seen.findings = without_stacks(site);
    }
    for stack in &package.stacks {
        let Checked { change, findings } =
            one(job, site, stack, files, stacks, &facts, tool.as_ref()).await?;
        seen.change.extend(change);
        seen.findings.extend(findings);
    }
    Ok(seen)
}

struct Checked {
    change: Option<StackChange>,
    findings: Vec<Finding>,
}

async fn one(
    job: &Job,
    site: &Site<'_>,
    stack: &PackagedStack,
    files: &Workspace,
    stacks: &Stacks,
    facts: &Facts,
    tool: Option<&ToolFound>,
) -> Result<Checked, Halt> {
    let target = site.target;
    let template = match parameters::template(files, stack) {
        Ok(template) => template,
        Err(failure) => {
            let place = format!("stack {}", stack.name);
            let finding = Finding { place, ..rejected(stack, failure.message, Level::Error) };
            return Ok(Checked { change: None, findings: vec![finding] });
        }
    };
    let wanted = wanted(job, site, stack, template, facts, stacks).await?;
    let tree = wanted.template.tree();
    let framework = framework::of(site.service.framework);
    let mut findings = preflight::check(
        tree,
        &preflight::About {
            stack: &stack.name,
            stage: &target.stage,
            kind: target.stage_kind,
            region: &target.region,
            account: None,
            parameters: &wanted.parameters,
            body_bytes: match framework.authority() {
                Authority::Framework => None,
                Authority::Manifest => Some(wanted.template.text().len()),
            },
        },
    );
    findings.extend(validated(job, stack, &wanted, stacks).await?);
    let (change, doubts) = foreseen(job, site, stack, &wanted, stacks).await?;
    findings.extend(doubts);
    let subject = Subject {
        service: facts.service.as_deref().unwrap_or(site.service.name.as_str()),
        stage: &target.stage,
        region: &target.region,
        stack: &stack.name,
        framework: tool
            .map(|tool| safeguard::Framework { tool: tool.tool, version: tool.version.as_deref() }),
        template: tree,
        state: facts.state.as_ref(),
        stack_tags: &wanted.tags,
        deployment_role: stack.deployment_role.as_deref(),
        parameters: &wanted.parameters,
        change: change.as_slice(),
        now: None,
    };
    findings.extend(safeguard::check(&target.safeguards, &subject));
    Ok(Checked { change, findings })
}

async fn validated(
    job: &Job,
    stack: &PackagedStack,
    wanted: &Wanted,
    stacks: &Stacks,
) -> Result<Option<Finding>, Halt> {
    let upload = wanted.bucket.clone().map(|bucket| Upload { bucket, token: wanted.token.clone() });
    let validating = stacks.validate_template(&stack.name, &wanted.template, upload.as_ref());
    match job.or_stopped(validating).await? {
        Ok(_) => Ok(None),
        Err(ChangeError::Rejected { reason, .. }) => {
            Ok(Some(rejected(stack, reason, Level::Error)))
        }
        Err(
            error @ (ChangeError::Slow { .. } | ChangeError::Upload(_) | ChangeError::Stack(_)),
        ) => {
            job.log()
                .note(&format!("CloudFormation did not look at {}: {error}", stack.template))
                .await;
            Ok(None)
        }
    }
}

/// The moment of a deploy held against the safeguards that restrict it, before a stack is touched.
pub(super) fn moment(safeguards: &[Safeguard], now: DateTime<Utc>) -> Seen {
    let findings = safeguard::check_at_deploy(safeguards, now, &[]);
    Seen { findings, ..Seen::default() }
}

/// The change held against the safeguards that want to know it, and against what was approved; the
/// moment was looked at before.
pub(super) fn held(target: &Target, mut seen: Seen) -> Seen {
    let of_the_change: Vec<Safeguard> =
        target.safeguards.iter().filter(|one| is_of_the_change(one)).cloned().collect();
    let broken = safeguard::check_at_deploy(&of_the_change, super::now(), &seen.change);
    seen.findings.extend(broken);
    if let Some(approved) = &target.approved {
        seen.findings.extend(approval::unseen(approved, &seen.change));
    }
    seen
}

/// Whether somebody wants to know the change: a safeguard, or whoever approved another.
pub(super) fn wants_change(target: &Target) -> bool {
    target.approved.is_some() || target.safeguards.iter().any(is_of_the_change)
}

fn is_of_the_change(safeguard: &Safeguard) -> bool {
    safeguard.policy() == Policy::NoReplacement
}

/// The change of a stack as a deploy would make it now, for safeguards that want to know.
pub(super) async fn change_now(
    job: &Job,
    site: &Site<'_>,
    package: &Package,
    files: &Workspace,
    stacks: &Stacks,
) -> Result<Seen, Halt> {
    let facts = framework::of(site.service.framework).facts(files);
    let mut seen = Seen::default();
    for stack in &package.stacks {
        let template = parameters::template(files, stack)?;
        let wanted = wanted(job, site, stack, template, &facts, stacks).await?;
        let (change, findings) = foreseen(job, site, stack, &wanted, stacks).await?;
        seen.change.extend(change);
        seen.findings.extend(findings);
    }
    Ok(seen)
}

/// Where there is no template, only the place can be checked.
fn without_stacks(site: &Site<'_>) -> Vec<Finding> {
    let target = site.target;
    let of_the_place = |safeguard: &&Safeguard| {
        matches!(safeguard.policy(), Policy::AllowedRegions | Policy::AllowedStages)
    };
    let safeguards: Vec<Safeguard> =
        target.safeguards.iter().filter(of_the_place).cloned().collect();
    let (template, none) = (serde_json::Value::Null, BTreeMap::new());
    let subject = Subject {
        service: site.service.name.as_str(),
        stage: &target.stage,
        region: &target.region,
        stack: "",
        framework: None,
        template: &template,
        state: None,
        stack_tags: &none,
        deployment_role: None,
        parameters: &none,
        change: &[],
        now: None,
    };
    safeguard::check(&safeguards, &subject)
}

/// The framework's program, with its version where a safeguard asks for it.
async fn tool(job: &Job, site: &Site<'_>) -> Result<Option<ToolFound>, Halt> {
    let found = framework::of(site.service.framework).tool(site);
    let asked = site
        .target
        .safeguards
        .iter()
        .any(|safeguard| safeguard.policy() == Policy::FrameworkVersion);
    match found {
        Some(mut tool) if tool.version.is_none() && asked => {
            let answer = job.ask(&format!("{} --version", tool.name), Environment::new()).await?;
            tool.version = answer.as_deref().and_then(version);
            Ok(Some(tool))
        }
        found => Ok(found),
    }
}

/// The version in `SAM CLI, version 1.170.0` and its like.
fn version(answer: &str) -> Option<String> {
    let words = answer.split_whitespace();
    words
        .map(|word| word.trim_start_matches('v'))
        .find(|word| starts_with_version(word))
        .map(str::to_owned)
}

fn starts_with_version(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_what_a_program_says_of_itself() {
        assert_eq!(version("SAM CLI, version 1.170.0\n").as_deref(), Some("1.170.0"));
        assert_eq!(version("2.1148.1 (build abc)").as_deref(), Some("2.1148.1"));
        assert_eq!(version("none to be had"), None);
    }
}
