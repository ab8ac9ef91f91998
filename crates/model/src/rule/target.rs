//! Which stages the branch and tag rules send a ref to, and with which services.
//!
//! What always holds: united, a stage stands once; its services are those of all its rules, and
//! all services if any of its rules is for all.

use std::collections::BTreeSet;

use crate::app::{RefPattern, Rule, Settings, Trigger};
use crate::{BranchName, ServiceName, StageName, TagName};

/// A stage to build for, and what of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub stage: StageName,
    /// Never empty; `None`: every service.
    pub services: Option<BTreeSet<ServiceName>>,
}

/// A rule that matches a branch or a tag.
pub(super) struct Match<'a> {
    stage: &'a StageName,
    services: Option<&'a BTreeSet<ServiceName>>,
    pub(super) trigger: Trigger,
    precision: Precision,
}

/// Smaller comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    Name,
    Glob,
}

impl Precision {
    fn of<N>(pattern: &RefPattern<N>) -> Self {
        match pattern {
            RefPattern::Name(_) => Self::Name,
            RefPattern::Glob(_) => Self::Glob,
        }
    }
}

/// The branch rules that match, those that name the branch first, else in the order of the file.
pub(super) fn of_branch<'a>(settings: &'a Settings, name: &BranchName) -> Vec<Match<'a>> {
    precise_first(settings.rules.iter().filter_map(|rule| match rule {
        Rule::Branch { branch, stage, trigger, services } => branch.matches(name).then(|| Match {
            stage,
            services: services.as_ref(),
            trigger: *trigger,
            precision: Precision::of(branch),
        }),
        Rule::Tag { .. } | Rule::Preview { .. } => None,
    }))
}

/// The tag rules that match, those that name the tag first, else in the order of the file.
pub(super) fn of_tag<'a>(settings: &'a Settings, name: &TagName) -> Vec<Match<'a>> {
    precise_first(settings.rules.iter().filter_map(|rule| match rule {
        Rule::Tag { tag, stage, trigger, services } => tag.matches(name).then(|| Match {
            stage,
            services: services.as_ref(),
            trigger: *trigger,
            precision: Precision::of(tag),
        }),
        Rule::Branch { .. } | Rule::Preview { .. } => None,
    }))
}

fn precise_first<'a>(found: impl Iterator<Item = Match<'a>>) -> Vec<Match<'a>> {
    let mut found: Vec<Match<'a>> = found.collect();
    found.sort_by_key(|rule| rule.precision);
    found
}

/// Each stage once, in the order in which it first appears.
pub(super) fn united(found: &[Match<'_>]) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    for rule in found {
        match targets.iter_mut().find(|target| target.stage == *rule.stage) {
            Some(target) => {
                let both = target.services.take().zip(rule.services);
                target.services = both.map(|(mut services, more)| {
                    services.extend(more.iter().cloned());
                    services
                });
            }
            None => {
                let services = rule.services.cloned();
                targets.push(Target { stage: rule.stage.clone(), services });
            }
        }
    }
    targets
}
