//! What the finished jobs of a build make of those that wait for them.
//!
//! What always holds: asking again after the transitions were made answers nothing, so a pass that
//! was interrupted simply asks again.

use std::collections::BTreeMap;

use crate::job::{JobEvent, JobKind, JobState, Outcome};
use crate::{JobId, ServiceName};

/// One job of a build, as far as the graph and the statuses look at it.
#[derive(Debug, Clone, Copy)]
pub struct JobView<'a> {
    pub id: JobId,
    pub kind: JobKind,
    /// `None` for the plan job.
    pub service: Option<&'a ServiceName>,
    pub state: &'a JobState,
    /// The jobs of the same build that must have succeeded.
    pub needs: &'a [JobId],
}

/// What a waiting job learns from one job it needs.
enum Need {
    Met,
    Pending,
    /// Will never be met, and why, down to the job that began it.
    Failed(String),
}

/// The transitions that are due, all of them in one call: also those that follow from others.
pub fn advance(jobs: &[JobView<'_>]) -> Vec<(JobId, JobEvent)> {
    let mut needs: BTreeMap<JobId, Need> = jobs.iter().map(|job| (job.id, as_need(job))).collect();
    let mut blocked: Vec<&JobView<'_>> =
        jobs.iter().filter(|job| matches!(job.state, JobState::Blocked)).collect();
    let mut due = Vec::new();
    loop {
        let before = due.len();
        blocked.retain(|job| match look(job, &needs) {
            Need::Pending => true,
            Need::Met => {
                due.push((job.id, JobEvent::NeedsMet));
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

fn look(job: &JobView<'_>, needs: &BTreeMap<JobId, Need>) -> Need {
    let mut met = true;
    for id in job.needs {
        match needs.get(id) {
            Some(Need::Met) => {}
            Some(Need::Pending) => met = false,
            Some(Need::Failed(reason)) => return Need::Failed(reason.clone()),
            None => return Need::Failed("needs a job that is not in this build".to_owned()),
        }
    }
    if met { Need::Met } else { Need::Pending }
}

fn as_need(job: &JobView<'_>) -> Need {
    let what = match job.service {
        Some(service) => format!("the {} of {service}", job.kind.as_str()),
        None => format!("the {}", job.kind.as_str()),
    };
    match job.state {
        JobState::Blocked | JobState::Queued { .. } | JobState::Running(_) => Need::Pending,
        JobState::Finished(Outcome::Succeeded) => Need::Met,
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
mod tests {
    use super::*;
    use crate::job::{Failure, FailureKind};
    use uuid::Uuid;

    use JobKind::{Deploy, Package, Test};
    use JobState::{Blocked, Finished};
    use Outcome::Succeeded;

    const QUEUED: JobState = JobState::Queued { attempt: 1 };

    fn id(number: u128) -> JobId {
        JobId(Uuid::from_u128(number))
    }

    fn failed() -> JobState {
        Finished(Outcome::Failed(Failure { kind: FailureKind::Step, message: "exit 1".into() }))
    }

    /// The transitions of jobs numbered from 0, each with its service, kind, state and needs.
    fn due(jobs: &[(&str, JobKind, JobState, &[u128])]) -> Vec<(u128, String)> {
        let names: Vec<ServiceName> =
            jobs.iter().map(|(name, ..)| name.parse().expect("a name")).collect();
        let needs: Vec<Vec<JobId>> =
            jobs.iter().map(|(.., needs)| needs.iter().map(|need| id(*need)).collect()).collect();
        let views: Vec<JobView<'_>> = jobs
            .iter()
            .enumerate()
            .map(|(number, (_, kind, state, _))| JobView {
                id: id(number as u128),
                kind: *kind,
                service: Some(&names[number]),
                state,
                needs: &needs[number],
            })
            .collect();
        advance(&views)
            .into_iter()
            .map(|(JobId(id), event)| match event {
                JobEvent::NeedsMet => (id.as_u128(), "met".to_owned()),
                JobEvent::NeedsFailed { reason } => (id.as_u128(), reason),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_job_is_queued_when_all_it_needs_has_succeeded() {
        let jobs = [
            ("a", Test, Finished(Succeeded), &[][..]),
            ("a", Package, Blocked, &[0]),
            ("a", Deploy, Blocked, &[1]),
            ("b", Test, Blocked, &[]),
            ("b", Package, Blocked, &[0, 3]),
        ];
        assert_eq!(due(&jobs), [(1, "met".to_owned()), (3, "met".to_owned())]);
    }

    #[test]
    fn a_failure_skips_its_dependents_and_theirs_and_nothing_else() {
        let jobs = [
            ("database", Package, Finished(Succeeded), &[][..]),
            ("database", Deploy, failed(), &[0]),
            // out of order on purpose
            ("restapi", Deploy, Blocked, &[3]),
            ("restapi", Package, Blocked, &[1, 4]),
            ("restapi", Test, QUEUED, &[]),
            ("web", Package, Blocked, &[4]),
        ];
        let reason = "needs the deploy of database, which failed".to_owned();
        assert_eq!(due(&jobs), [(3, reason.clone()), (2, reason)]);
    }

    #[test]
    fn a_job_behind_a_skipped_one_names_where_it_began() {
        let skipped = Outcome::Skipped { reason: "needs the test of a, which failed".into() };
        let jobs = [("a", Package, Finished(skipped), &[][..]), ("a", Deploy, Blocked, &[0])];
        assert_eq!(due(&jobs), [(1, "needs the test of a, which failed".to_owned())]);
        let canceled = Outcome::Canceled { reason: "newer".into() };
        let jobs = [("a", Package, Finished(canceled), &[][..]), ("a", Deploy, Blocked, &[0])];
        assert_eq!(due(&jobs), [(1, "needs the package of a, which was canceled".to_owned())]);
    }

    #[test]
    fn a_need_that_is_not_there_does_not_block_for_ever() {
        let jobs = [("a", Deploy, Blocked, &[7][..])];
        assert_eq!(due(&jobs), [(0, "needs a job that is not in this build".to_owned())]);
    }

    #[test]
    fn nothing_is_due_while_the_needs_run() {
        let jobs = [("a", Test, QUEUED, &[][..]), ("a", Package, Blocked, &[0])];
        assert_eq!(due(&jobs), []);
    }
}
