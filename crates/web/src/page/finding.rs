//! What the checks before a deploy found: what, where, and how to mend it.
//!
//! What always holds: what refuses a deploy stands above what only warns.

use std::collections::BTreeSet;

use model::app::Level;
use model::approval::Ask;
use model::finding::{Check, Finding};
use model::worker_api::JobResult;
use store::job::Job;

use super::place::Places;
use super::view::Badge;

pub(super) struct FindingView {
    pub(super) level: Badge,
    pub(super) check: String,
    /// The service, with its region if it has several.
    pub(super) of: String,
    pub(super) place: String,
    pub(super) problem: String,
    pub(super) remedy: String,
}

/// The findings of a build, each once: a deploy checks again what its package was checked for.
pub(super) fn findings(jobs: &[Job], places: &Places<'_>) -> Vec<FindingView> {
    views(jobs.iter().flat_map(|job| {
        let of = match &job.service {
            Some(service) => places.service(service, job.region.as_ref()),
            None => places.job(job),
        };
        of_job(job).iter().map(move |finding| (of.clone(), finding))
    }))
}

/// What is worth a warning of what somebody is asked to approve.
pub(super) fn of_ask(ask: &Ask) -> Vec<FindingView> {
    views(ask.services.iter().flat_map(|asked| {
        asked.findings.iter().map(|finding| (asked.service.to_string(), finding))
    }))
}

fn views<'a>(found: impl Iterator<Item = (String, &'a Finding)>) -> Vec<FindingView> {
    let mut seen = BTreeSet::new();
    let mut views: Vec<(Level, FindingView)> = found
        .map(|(of, finding)| (finding.level, view(of, finding)))
        .filter(|(_, view)| {
            seen.insert((
                view.of.clone(),
                view.check.clone(),
                view.place.clone(),
                view.problem.clone(),
            ))
        })
        .collect();
    views.sort_by_key(|(level, _)| match level {
        Level::Error => 0,
        Level::Warning => 1,
    });
    views.into_iter().map(|(_, view)| view).collect()
}

fn of_job(job: &Job) -> &[Finding] {
    match &job.result {
        Some(JobResult::Packaged { package }) => &package.findings,
        Some(JobResult::Checked { findings, .. }) => findings,
        Some(
            JobResult::Planned { .. }
            | JobResult::Deployed { .. }
            | JobResult::Removed { .. }
            | JobResult::Recovered
            | JobResult::Foreseen { .. }
            | JobResult::Swept { .. }
            | JobResult::Drifted { .. },
        )
        | None => &[],
    }
}

fn view(of: String, finding: &Finding) -> FindingView {
    FindingView {
        level: match finding.level {
            Level::Error => Badge::new("bad", "error"),
            Level::Warning => Badge::new("warn", "warning"),
        },
        check: match finding.check {
            Check::Outside => "a change outside Greenroom".to_owned(),
            Check::Limit => "a limit of AWS".to_owned(),
            Check::Template => "CloudFormation's validation".to_owned(),
            Check::Safeguard(policy) => format!("safeguard {}", policy.as_str()),
            Check::Approval => "what was approved".to_owned(),
        },
        of,
        place: finding.place.clone(),
        problem: finding.problem.clone(),
        remedy: finding.remedy.clone(),
    }
}
