//! What is due when jobs end: one that may begin, one that has nothing to do, one that never will.

use uuid::Uuid;

use super::*;
use crate::job::{Failure, FailureKind};

use JobKind::{Deploy, Package, PostDeploy, Test};
use JobState::{Blocked, Finished};
use Outcome::Succeeded;

const QUEUED: JobState = JobState::Queued { attempt: 1 };

fn id(number: u128) -> JobId {
    JobId(Uuid::from_u128(number))
}

fn failed() -> JobState {
    Finished(Outcome::Failed(Failure { kind: FailureKind::Step, message: "exit 1".into() }))
}

fn unneeded(reason: &str) -> JobState {
    Finished(Outcome::Unneeded { reason: reason.into() })
}

/// One job of a build; jobs are numbered from 0, in the order given.
struct Sketch {
    service: Option<ServiceName>,
    kind: JobKind,
    state: JobState,
    needs: Vec<JobId>,
    condition: Condition<JobId>,
    changed_outputs: Vec<String>,
}

fn job(service: &str, kind: JobKind, state: JobState, needs: &[u128]) -> Sketch {
    Sketch {
        service: service.parse().ok(),
        kind,
        state,
        needs: needs.iter().map(|need| id(*need)).collect(),
        condition: Condition::Always,
        changed_outputs: Vec::new(),
    }
}

impl Sketch {
    fn if_outputs_of(self, deploys: &[u128]) -> Self {
        let deploys = deploys.iter().map(|deploy| id(*deploy)).collect();
        Self { condition: Condition::OutputsOf(deploys), ..self }
    }

    fn if_any_of(self, jobs: &[u128]) -> Self {
        Self { condition: Condition::AnyOf(jobs.iter().map(|job| id(*job)).collect()), ..self }
    }

    fn that_changed(self, outputs: &[&str]) -> Self {
        Self { changed_outputs: outputs.iter().map(|key| (*key).to_owned()).collect(), ..self }
    }
}

/// The transitions that are due.
fn due(jobs: &[Sketch]) -> Vec<(u128, String)> {
    let views: Vec<JobView<'_>> = jobs
        .iter()
        .enumerate()
        .map(|(number, job)| JobView {
            id: id(number as u128),
            kind: job.kind,
            service: job.service.as_ref(),
            state: &job.state,
            needs: &job.needs,
            condition: &job.condition,
            changed_outputs: &job.changed_outputs,
        })
        .collect();
    advance(&views)
        .into_iter()
        .map(|(JobId(id), event)| match event {
            JobEvent::NeedsMet => (id.as_u128(), "met".to_owned()),
            JobEvent::NeedsFailed { reason } => (id.as_u128(), reason),
            JobEvent::Unneeded { reason } => (id.as_u128(), format!("unneeded: {reason}")),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn said(number: u128, text: &str) -> (u128, String) {
    (number, text.to_owned())
}

#[test]
fn a_job_is_queued_when_all_it_needs_has_succeeded() {
    let jobs = [
        job("a", Test, Finished(Succeeded), &[]),
        job("a", Package, Blocked, &[0]),
        job("a", Deploy, Blocked, &[1]),
        job("b", Test, Blocked, &[]),
        job("b", Package, Blocked, &[0, 3]),
    ];
    assert_eq!(due(&jobs), [said(1, "met"), said(3, "met")]);
}

#[test]
fn a_failure_skips_its_dependents_and_theirs_and_nothing_else() {
    let jobs = [
        job("database", Package, Finished(Succeeded), &[]),
        job("database", Deploy, failed(), &[0]),
        // out of order on purpose
        job("restapi", Deploy, Blocked, &[3]),
        job("restapi", Package, Blocked, &[1, 4]),
        job("restapi", Test, QUEUED, &[]),
        job("web", Package, Blocked, &[4]),
    ];
    let reason = "needs the deploy of database, which failed";
    assert_eq!(due(&jobs), [said(3, reason), said(2, reason)]);
}

#[test]
fn a_job_behind_a_skipped_one_names_where_it_began() {
    let skipped = Outcome::Skipped { reason: "needs the test of a, which failed".into() };
    let jobs = [job("a", Package, Finished(skipped), &[]), job("a", Deploy, Blocked, &[0])];
    assert_eq!(due(&jobs), [said(1, "needs the test of a, which failed")]);
    let canceled = Outcome::Canceled { reason: "newer".into() };
    let jobs = [job("a", Package, Finished(canceled), &[]), job("a", Deploy, Blocked, &[0])];
    assert_eq!(due(&jobs), [said(1, "needs the package of a, which was canceled")]);
}

#[test]
fn a_need_that_is_not_there_does_not_block_for_ever() {
    let jobs = [job("a", Deploy, Blocked, &[7])];
    assert_eq!(due(&jobs), [said(0, "needs a job that is not in this build")]);
}

#[test]
fn nothing_is_due_while_the_needs_run() {
    let jobs = [job("a", Test, QUEUED, &[]), job("a", Package, Blocked, &[0])];
    assert_eq!(due(&jobs), []);
}

#[test]
fn one_that_follows_begins_when_an_output_has_changed() {
    let jobs = [
        job("a", Deploy, Finished(Succeeded), &[]),
        job("b", Deploy, Finished(Succeeded), &[]).that_changed(&["table"]),
        job("c", Package, Blocked, &[0, 1]).if_outputs_of(&[0, 1]),
    ];
    assert_eq!(due(&jobs), [said(2, "met")]);
}

#[test]
fn one_that_follows_has_nothing_to_do_when_no_output_has_changed_and_so_have_those_behind_it() {
    let jobs = [
        job("a", Deploy, Finished(Succeeded), &[]),
        job("b", Package, Blocked, &[0]).if_outputs_of(&[0]),
        job("b", Deploy, Blocked, &[0, 1]).if_any_of(&[1]),
        job("c", Package, Blocked, &[2]).if_outputs_of(&[2]),
        job("c", Deploy, Blocked, &[2, 3]).if_any_of(&[3]),
    ];
    assert_eq!(
        due(&jobs),
        [
            said(1, "unneeded: the outputs of a did not change"),
            said(2, "unneeded: the outputs of a did not change"),
            said(3, "unneeded: the outputs of b did not change"),
            said(4, "unneeded: the outputs of b did not change"),
        ]
    );
}

#[test]
fn a_service_in_two_regions_is_named_once() {
    let jobs = [
        job("a", Deploy, Finished(Succeeded), &[]),
        job("a", Deploy, Finished(Succeeded), &[]),
        job("d", Deploy, Finished(Succeeded), &[]),
        job("b", Package, Blocked, &[0, 1, 2]).if_outputs_of(&[0, 1, 2]),
    ];
    assert_eq!(due(&jobs), [said(3, "unneeded: the outputs of a and d did not change")]);
}

#[test]
fn a_condition_is_not_asked_about_before_every_need_is_through() {
    let jobs = [
        job("a", Deploy, Finished(Succeeded), &[]).that_changed(&["table"]),
        job("b", Deploy, QUEUED, &[]),
        job("c", Package, Blocked, &[0, 1]).if_outputs_of(&[0, 1]),
    ];
    assert_eq!(due(&jobs), []);
}

#[test]
fn a_failed_need_outweighs_a_condition_that_is_met() {
    let jobs = [
        job("a", Deploy, Finished(Succeeded), &[]).that_changed(&["table"]),
        job("b", Deploy, failed(), &[]),
        job("c", Package, Blocked, &[0, 1]).if_outputs_of(&[0, 1]),
    ];
    assert_eq!(due(&jobs), [said(2, "needs the deploy of b, which failed")]);
}

#[test]
fn a_need_that_had_nothing_to_do_is_as_good_as_met() {
    let jobs = [
        job("a", Deploy, unneeded("the outputs of x did not change"), &[]),
        job("b", Package, Blocked, &[0]),
    ];
    assert_eq!(due(&jobs), [said(1, "met")]);
}

#[test]
fn the_stage_s_command_runs_when_anything_was_deployed() {
    let jobs = [
        job("a", Deploy, unneeded("the outputs of x did not change"), &[]),
        job("b", Deploy, Finished(Succeeded), &[]),
        job("", PostDeploy, Blocked, &[0, 1]).if_any_of(&[0, 1]),
    ];
    assert_eq!(due(&jobs), [said(2, "met")]);
    let jobs = [
        job("a", Deploy, unneeded("the outputs of x did not change"), &[]),
        job("", PostDeploy, Blocked, &[0]).if_any_of(&[0]),
    ];
    assert_eq!(due(&jobs), [said(1, "unneeded: the outputs of x did not change")]);
}

#[test]
fn the_stage_s_command_is_not_run_on_a_stage_that_is_half_deployed() {
    let jobs = [
        job("a", Deploy, failed(), &[]),
        job("b", Deploy, Finished(Succeeded), &[]),
        job("", PostDeploy, Blocked, &[0, 1]).if_any_of(&[0, 1]),
    ];
    assert_eq!(due(&jobs), [said(2, "needs the deploy of a, which failed")]);
}
