//! Which deployment GitHub is shown while a build waits, deploys, fails or comes to nothing.

use rstest::rstest;
use uuid::Uuid;

use super::*;
use crate::job::{Failure, FailureKind, Lease};
use crate::plan::Condition;
use crate::{JobId, WorkerId};

fn shown(
    jobs: &[(JobKind, JobState)],
    held: Option<&str>,
    outcome: Option<BuildOutcome>,
) -> Option<String> {
    of(Purpose::Deploy, jobs, held, outcome)
}

fn of(
    purpose: Purpose,
    jobs: &[(JobKind, JobState)],
    held: Option<&str>,
    outcome: Option<BuildOutcome>,
) -> Option<String> {
    let jobs: Vec<JobView<'_>> = jobs
        .iter()
        .map(|(kind, state)| JobView {
            id: JobId(Uuid::nil()),
            kind: *kind,
            service: None,
            state,
            needs: &[],
            condition: &Condition::Always,
            changed_outputs: &[],
        })
        .collect();
    let end = outcome.map(|outcome| End { outcome, reason: None });
    deployment(purpose, &jobs, held, end)
        .map(|deployment| format!("{}: {}", deployment.state.as_str(), deployment.description))
}

fn queued() -> JobState {
    JobState::Queued { attempt: 1 }
}

fn running() -> JobState {
    JobState::Running(Lease {
        worker: WorkerId(Uuid::nil()),
        attempt: 1,
        expires_at: chrono::DateTime::UNIX_EPOCH,
    })
}

fn succeeded() -> JobState {
    JobState::Finished(Outcome::Succeeded)
}

fn failed(kind: FailureKind) -> JobState {
    JobState::Finished(Outcome::Failed(Failure { kind, message: "no".into() }))
}

#[test]
fn there_is_none_before_something_is_to_be_deployed() {
    assert_eq!(shown(&[(JobKind::Plan, running())], None, None), None);
    let tests = [(JobKind::Test, running()), (JobKind::Package, JobState::Blocked)];
    assert_eq!(shown(&tests, None, None), None);
    let later = [(JobKind::Test, running()), (JobKind::Deploy, JobState::Blocked)];
    assert_eq!(shown(&later, None, None), None);
}

#[test]
fn it_follows_the_build_from_the_queue_to_its_end() {
    let deploy = |package: JobState, deploy: JobState, outcome| {
        shown(&[(JobKind::Package, package), (JobKind::Deploy, deploy)], None, outcome)
    };
    let said = |text: &str| Some(text.to_owned());
    assert_eq!(deploy(queued(), JobState::Blocked, None), said("queued: running"));
    assert_eq!(deploy(running(), JobState::Blocked, None), said("in_progress: running"));
    assert_eq!(deploy(succeeded(), running(), None), said("in_progress: running"));
    let done = deploy(succeeded(), succeeded(), Some(BuildOutcome::Succeeded));
    assert_eq!(done, said("success: every job succeeded"));
}

#[test]
fn one_that_waits_for_an_approval_is_queued_and_says_so() {
    let jobs = [(JobKind::Package, succeeded()), (JobKind::Deploy, JobState::Waiting)];
    let held = shown(&jobs, Some("waiting for approval"), None);
    assert_eq!(held.as_deref(), Some("queued: waiting for approval"));
}

#[rstest]
#[case(FailureKind::Aws, "failure: deploy failed: no")]
#[case(FailureKind::Lost, "error: deploy failed: no")]
fn a_failure_is_told_from_an_error_of_ours(#[case] kind: FailureKind, #[case] expected: &str) {
    let jobs = [(JobKind::Deploy, failed(kind))];
    let shown = shown(&jobs, None, Some(BuildOutcome::Failed));
    assert_eq!(shown.as_deref(), Some(expected));
}

#[rstest]
#[case(BuildOutcome::Superseded)]
#[case(BuildOutcome::Canceled)]
#[case(BuildOutcome::Skipped)]
fn one_that_came_to_nothing_is_inactive(#[case] outcome: BuildOutcome) {
    let state = match outcome {
        BuildOutcome::Skipped => {
            JobState::Finished(Outcome::Unneeded { reason: "nothing changed".into() })
        }
        _canceled => {
            JobState::Finished(Outcome::Canceled { reason: "superseded by build 8".into() })
        }
    };
    let shown = shown(&[(JobKind::Deploy, state)], None, Some(outcome)).unwrap();
    assert!(shown.starts_with("inactive: "), "{shown}");
}

#[test]
fn a_rollback_is_a_deployment_and_what_deploys_nothing_is_none() {
    let jobs = [(JobKind::Rollback, running())];
    let rollback = of(Purpose::Rollback, &jobs, None, None);
    assert_eq!(rollback.as_deref(), Some("in_progress: running"));
    for purpose in [Purpose::Remove, Purpose::Test, Purpose::Recover, Purpose::Inspect] {
        assert_eq!(of(purpose, &[(JobKind::Deploy, running())], None, None), None);
    }
}

#[test]
fn a_preview_has_an_environment_that_goes_away_and_a_personal_stage_has_none() {
    let stage = |name: &str| name.parse::<StageName>().unwrap();
    let named =
        |name: &str, kind| environment(&stage(name), kind).map(|found| (found.name, found.lasting));
    let preview = ("preview/feature-x".to_owned(), Lasting::Transient);
    assert_eq!(named("feature-x", StageKind::Preview), Some(preview));
    let staging = ("staging".to_owned(), Lasting::LongLived);
    assert_eq!(named("staging", StageKind::LongLived), Some(staging));
    let production = ("Prod".to_owned(), Lasting::Production);
    assert_eq!(named("Prod", StageKind::LongLived), Some(production));
    assert_eq!(named("ada", StageKind::Personal), None);
}
