//! What the finished jobs of a build make of those that wait for them.
//!
//! What always holds: asking again after the transitions were made answers nothing, so a pass that
//! was interrupted simply asks again.

use std::collections::{BTreeMap, BTreeSet};

use super::Condition;
use crate::job::{JobEvent, JobKind, JobState, Outcome};
use crate::{JobId, ServiceName};

/// One job of a build, as far as the graph and the statuses look at it.
#[derive(Debug, Clone, Copy)]
pub struct JobView<'a> {
    pub id: JobId,
    pub kind: JobKind,
    /// `None` for the plan job and the stage's own command.
    pub service: Option<&'a ServiceName>,
    pub state: &'a JobState,
    /// The jobs of the same build that must be through.
    pub needs: &'a [JobId],
    /// What must have come of them.
    pub condition: &'a Condition<JobId>,
    /// The outputs that a deploy changed; empty for every other job.
    pub changed_outputs: &'a [String],
}

/// What a waiting job learns from one job it needs.
enum Need {
    Met,
    Pending,
    /// It ended well without doing anything, and why.
    Unneeded(String),
    /// Will never be met, and why, down to the job that began it.
    Failed(String),
}

/// The transitions that are due, all of them in one call: also those that follow from others.
pub fn advance(jobs: &[JobView<'_>]) -> Vec<(JobId, JobEvent)> {
    let views: BTreeMap<JobId, &JobView<'_>> = jobs.iter().map(|job| (job.id, job)).collect();
    let mut needs: BTreeMap<JobId, Need> = jobs.iter().map(|job| (job.id, as_need(job))).collect();
    let mut blocked: Vec<&JobView<'_>> =
        jobs.iter().filter(|job| matches!(job.state, JobState::Blocked)).collect();
    let mut due = Vec::new();
    loop {
        let before = due.len();
        blocked.retain(|job| match look(job, &needs, &views) {
            Need::Pending => true,
            Need::Met => {
                due.push((job.id, JobEvent::NeedsMet));
                false
            }
            Need::Unneeded(reason) => {
                due.push((job.id, JobEvent::Unneeded { reason: reason.clone() }));
                needs.insert(job.id, Need::Unneeded(reason));
                false
            }
            Need::Failed(reason) => {
                due.push((job.id, JobEvent::NeedsFailed { reason: reason.clone() }));
                needs.insert(job.id, Need::Failed(reason));
                false
            }
        });
        if due.len() == before {
            return due;
        }
    }
}

fn look(
    job: &JobView<'_>,
    needs: &BTreeMap<JobId, Need>,
    views: &BTreeMap<JobId, &JobView<'_>>,
) -> Need {
    let mut met = true;
    for id in job.needs {
        match needs.get(id) {
            Some(Need::Met | Need::Unneeded(_)) => {}
            Some(Need::Pending) => met = false,
            Some(Need::Failed(reason)) => return Need::Failed(reason.clone()),
            None => return Need::Failed("needs a job that is not in this build".to_owned()),
        }
    }
    if met { condition(job.condition, needs, views) } else { Need::Pending }
}

/// Every job that a condition names is among the needs, so it is through.
fn condition(
    condition: &Condition<JobId>,
    needs: &BTreeMap<JobId, Need>,
    views: &BTreeMap<JobId, &JobView<'_>>,
) -> Need {
    match condition {
        Condition::Always => Need::Met,
        Condition::OutputsOf(deploys) => {
            let views = || deploys.iter().filter_map(|id| views.get(id));
            if views().any(|deploy| !deploy.changed_outputs.is_empty()) {
                return Need::Met;
            }
            // a service in several regions is named once
            let names: BTreeSet<&str> =
                views().filter_map(|deploy| deploy.service).map(ServiceName::as_str).collect();
            let names: Vec<&str> = names.into_iter().collect();
            Need::Unneeded(format!("the outputs of {} did not change", names.join(" and ")))
        }
        Condition::AnyOf(jobs) => {
            let mut why = None;
            for id in jobs {
                match needs.get(id) {
                    Some(Need::Met) => return Need::Met,
                    Some(Need::Unneeded(reason)) => why = why.or(Some(reason)),
                    Some(Need::Pending | Need::Failed(_)) | None => {}
                }
            }
            Need::Unneeded(why.cloned().unwrap_or_else(|| "nothing was deployed".to_owned()))
        }
    }
}

fn as_need(job: &JobView<'_>) -> Need {
    let what = match job.service {
        Some(service) => format!("the {} of {service}", job.kind.as_str()),
        None => format!("the {}", job.kind.as_str()),
    };
    match job.state {
        JobState::Blocked | JobState::Waiting | JobState::Queued { .. } | JobState::Running(_) => {
            Need::Pending
        }
        JobState::Finished(Outcome::Succeeded) => Need::Met,
        JobState::Finished(Outcome::Unneeded { reason }) => Need::Unneeded(reason.clone()),
        JobState::Finished(Outcome::Failed(_)) => {
            Need::Failed(format!("needs {what}, which failed"))
        }
        JobState::Finished(Outcome::Canceled { .. }) => {
            Need::Failed(format!("needs {what}, which was canceled"))
        }
        // it was skipped for a need of its own: the sentence that names the origin is passed on
        JobState::Finished(Outcome::Skipped { reason }) => Need::Failed(reason.clone()),
    }
}

#[cfg(test)]
mod tests;
