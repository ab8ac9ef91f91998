//! Safeguards: what a packaged template must hold to before it is deployed.
//!
//! The policies and their meaning are those of Serverless Framework's safeguards
//! (`@serverless/safeguards-plugin`), made to work on any CloudFormation template; `no-replacement`
//! is our own. Where they differ from the plugin, the policy's file says so.
//!
//! What always holds: the same input gives the same findings, in the order of the safeguards; a
//! finding never repeats the value of an environment variable.

mod cfn_role;
mod deploy_times;
mod description;
mod dlq;
mod framework_version;
mod function_names;
mod iam;
mod replacement;
mod runtimes;
mod s3_http;
mod secrets;
mod stack_tags;
mod state;
mod stateful;
mod target;
mod vpc;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::app::Safeguard;
use crate::app::safeguard::{Demand, Tool};
use crate::change_set::StackChange;
use crate::finding::{Check, Finding};
use crate::template::{Function, Surroundings, functions};
use crate::{Region, StageName};

pub use secrets::looks_like_a_credential;
pub use stateful::is_stateful;

use state::State;

/// What is to be deployed: one stack, with what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The framework's name of the service, or ours where it has none.
    pub service: &'a str,
    pub stage: &'a StageName,
    pub region: &'a Region,
    pub stack: &'a str,
    /// What packaged it; `None` for plain CloudFormation and custom commands.
    pub framework: Option<Framework<'a>>,
    pub template: &'a Value,
    /// `service` of the Serverless Framework's `serverless-state.json`.
    pub state: Option<&'a Value>,
    /// The tags the stack will get, beside those that `state` tells of.
    pub stack_tags: &'a BTreeMap<String, String>,
    /// The role CloudFormation assumes for the deploy, where `state` does not tell: given to the
    /// change set, `--role-arn` of SAM, the execution role of the CDK's bootstrap.
    pub deployment_role: Option<&'a str>,
    /// The values of the template's parameters, as far as they are known.
    pub parameters: &'a BTreeMap<String, String>,
    /// What the deploy will do to this stack and those nested in it; empty while it is not known.
    pub change: &'a [StackChange],
    /// `None`: what depends on the moment is not checked.
    pub now: Option<DateTime<Utc>>,
}

/// A framework with its version.
#[derive(Debug, Clone, Copy)]
pub struct Framework<'a> {
    pub tool: Tool,
    /// As it tells it; `None` if it could not be found out.
    pub version: Option<&'a str>,
}

/// Holds a subject against all safeguards.
pub fn check(safeguards: &[Safeguard], subject: &Subject<'_>) -> Vec<Finding> {
    let view = View::of(subject);
    findings(safeguards, |demand| match demand {
        Demand::AllowedRegions(regions) => target::region(regions, subject),
        Demand::AllowedStages(stages) => target::stage(stages, subject),
        Demand::AllowedRuntimes(runtimes) => runtimes::check(runtimes, &view),
        Demand::FrameworkVersion(versions) => framework_version::check(versions, subject),
        Demand::RequiredStackTags(tags) => stack_tags::check(tags, &view),
        Demand::NoWildIamRoleStatements => iam::check(&view),
        Demand::NoSecretEnvVars => secrets::check(&view),
        Demand::RequireCfnRole => cfn_role::check(&view),
        Demand::RequireDlq => dlq::check(&view),
        Demand::RequireDescription(length) => description::check(*length, &view),
        Demand::RequireGlobalVpc { min_subnets } => vpc::check(*min_subnets, &view),
        Demand::AllowedFunctionNames(pattern) => function_names::check(pattern, &view),
        Demand::ForbidS3HttpAccess => s3_http::check(&view),
        Demand::RestrictedDeployTimes(times) => {
            subject.now.map(|now| deploy_times::check(times, now)).unwrap_or_default()
        }
        Demand::NoReplacement(types) => replacement::check(types, subject.change),
    })
}

/// Holds the moment and the change against the safeguards that depend on them: for the deploy of
/// a package that was checked when it was made.
pub fn check_at_deploy(
    safeguards: &[Safeguard],
    now: DateTime<Utc>,
    change: &[StackChange],
) -> Vec<Finding> {
    findings(safeguards, |demand| match demand {
        Demand::RestrictedDeployTimes(times) => deploy_times::check(times, now),
        Demand::NoReplacement(types) => replacement::check(types, change),
        Demand::AllowedRegions(_)
        | Demand::AllowedStages(_)
        | Demand::AllowedRuntimes(_)
        | Demand::FrameworkVersion(_)
        | Demand::RequiredStackTags(_)
        | Demand::NoWildIamRoleStatements
        | Demand::NoSecretEnvVars
        | Demand::RequireCfnRole
        | Demand::RequireDlq
        | Demand::RequireDescription(_)
        | Demand::RequireGlobalVpc { .. }
        | Demand::AllowedFunctionNames(_)
        | Demand::ForbidS3HttpAccess => Vec::new(),
    })
}

fn findings(
    safeguards: &[Safeguard],
    violations: impl Fn(&Demand) -> Vec<Violation>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for safeguard in safeguards {
        found.extend(violations(&safeguard.demand).into_iter().map(|violation| Finding {
            check: Check::Safeguard(safeguard.policy()),
            level: safeguard.level,
            place: violation.place,
            problem: violation.problem,
            remedy: violation.remedy,
        }));
    }
    found
}

/// One place where a policy does not hold.
struct Violation {
    place: String,
    problem: String,
    remedy: String,
}

/// The subject, with what the policies look at in it.
struct View<'a> {
    subject: &'a Subject<'a>,
    state: State<'a>,
    surroundings: Surroundings<'a>,
}

/// A function of the service, with its name in the framework's own file.
struct Named<'a> {
    function: Function<'a>,
    /// The key below `functions:` of a `serverless.yml`.
    declared: Option<&'a str>,
}

impl<'a> View<'a> {
    fn of(subject: &'a Subject<'a>) -> Self {
        Self {
            subject,
            state: State::of(subject.state),
            surroundings: Surroundings {
                template: subject.template,
                stack: subject.stack,
                region: subject.region.as_str(),
                account: None,
                parameters: subject.parameters,
            },
        }
    }

    /// The functions that somebody wrote; not those a framework adds for itself.
    fn functions(&self) -> impl Iterator<Item = Named<'a>> {
        self.all_functions()
            .filter(|named| named.declared.is_some() || !named.function.is_of_a_framework())
    }

    fn all_functions(&self) -> impl Iterator<Item = Named<'a>> {
        functions(self.subject.template).map(|function| {
            let declared = self.state.declared(function.resource.id);
            Named { function, declared }
        })
    }
}

impl Named<'_> {
    /// What people call it.
    fn name(&self) -> &str {
        self.declared.unwrap_or(self.function.resource.id)
    }

    /// What to write, and where: a key of `serverless.yml`, or a property of the template.
    fn setting(&self, serverless: &str, property: &str) -> String {
        match self.declared {
            Some(name) => format!("`{serverless}:` of the function `{name}` in serverless.yml"),
            None => format!("`{property}` of {}", self.function.resource.id),
        }
    }
}

#[cfg(test)]
mod tests;
