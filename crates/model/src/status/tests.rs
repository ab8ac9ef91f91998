//! Which statuses a commit gets while a build runs, fails, is skipped or superseded.

use proptest::prelude::*;
use rstest::rstest;
use uuid::Uuid;

use super::*;
use crate::job::Lease;
use crate::pipeline::{Framework, Step};
use crate::plan::Condition;
use crate::{JobId, ServiceName, WorkerId};

fn name(text: &str) -> ServiceName {
    text.parse().expect("a service name")
}

fn planned(text: &str, decision: Decision) -> PlannedService {
    let service = Service::new(name(text), text, Framework::Serverless);
    PlannedService { service, region: Some("us-east-1".parse().expect("a region")), decision }
}

fn runs(text: &str) -> PlannedService {
    planned(text, Decision::Run { reason: "it was never deployed".into() })
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

fn failure(kind: FailureKind, message: &str) -> JobState {
    JobState::Finished(Outcome::Failed(Failure { kind, message: message.into() }))
}

fn canceled() -> JobState {
    JobState::Finished(Outcome::Canceled { reason: "superseded by build 8".into() })
}

fn skipped() -> JobState {
    JobState::Finished(Outcome::Skipped { reason: "needs the test of api, which failed".into() })
}

/// `context state description` of every status of a build with these jobs of the service `api`
/// (plan and post-deploy jobs have none), in a preview.
fn wanted(
    services: Option<&[PlannedService]>,
    jobs: &[(JobKind, JobState)],
    outcome: Option<BuildOutcome>,
) -> Vec<String> {
    wanted_held(services, jobs, None, outcome)
}

fn wanted_held(
    services: Option<&[PlannedService]>,
    jobs: &[(JobKind, JobState)],
    held: Option<&str>,
    outcome: Option<BuildOutcome>,
) -> Vec<String> {
    let api = name("api");
    let jobs: Vec<JobView<'_>> = jobs
        .iter()
        .map(|(kind, state)| JobView {
            id: JobId(Uuid::nil()),
            kind: *kind,
            service: (!matches!(kind, JobKind::Plan | JobKind::PostDeploy)).then_some(&api),
            state,
            needs: &[],
            condition: &Condition::Always,
            changed_outputs: &[],
        })
        .collect();
    let stage: StageName = "feature-x".parse().expect("a stage");
    let stage = Some((&stage, StageKind::Preview));
    let end = outcome.map(|outcome| End { outcome, reason: None });
    shown(&statuses(Purpose::Deploy, stage, services, &jobs, held, end))
}

fn shown(statuses: &[Status]) -> Vec<String> {
    statuses
        .iter()
        .map(|status| {
            format!("{} {}: {}", status.context, status.state.as_str(), status.description)
        })
        .collect()
}

#[test]
fn a_build_that_plans_is_pending_alone() {
    let plan = [(JobKind::Plan, running())];
    assert_eq!(wanted(None, &plan, None), ["greenroom pending: looking for what changed"]);
}

#[test]
fn a_service_has_one_status_for_tests_and_one_for_its_stage() {
    let jobs = [
        (JobKind::Plan, succeeded()),
        (JobKind::Test, succeeded()),
        (JobKind::Package, running()),
        (JobKind::Deploy, JobState::Blocked),
    ];
    assert_eq!(
        wanted(Some(&[runs("api")]), &jobs, None),
        [
            "greenroom pending: running",
            "greenroom/api/test success: tests passed",
            "greenroom/api/preview pending: package is running",
        ]
    );
}

#[test]
fn a_skipped_service_is_green_in_the_same_contexts() {
    let skip = planned("api", Decision::Skip { reason: "nothing changed since abc1234".into() });
    let jobs = [(JobKind::Plan, succeeded())];
    assert_eq!(
        wanted(Some(&[skip]), &jobs, Some(BuildOutcome::Skipped)),
        [
            "greenroom success: nothing was to do",
            "greenroom/api/test success: skipped: nothing changed since abc1234",
            "greenroom/api/preview success: skipped: nothing changed since abc1234",
        ]
    );
}

#[test]
fn a_service_without_tests_does_not_leave_its_check_waiting() {
    let jobs = [(JobKind::Package, succeeded()), (JobKind::Deploy, succeeded())];
    assert_eq!(
        wanted(Some(&[runs("api")]), &jobs, Some(BuildOutcome::Succeeded)),
        [
            "greenroom success: every job succeeded",
            "greenroom/api/test success: nothing to test: no lint or test command",
            "greenroom/api/preview success: deployed",
        ]
    );
}

#[test]
fn a_planned_job_that_is_not_there_yet_is_not_green() {
    let mut tested = runs("api");
    tested.service.commands.test = Some(Step::new("npm test"));
    let services = [tested];
    let shown = wanted(Some(&services), &[], None);
    assert_eq!(
        shown[1..],
        [
            "greenroom/api/test pending: waiting for other jobs",
            "greenroom/api/preview pending: waiting for other jobs"
        ]
    );
    let shown = wanted(Some(&services), &[], Some(BuildOutcome::Superseded));
    assert_eq!(shown[1], "greenroom/api/test error: the build ended before this was begun");
}

#[test]
fn a_failed_package_says_more_than_the_deploy_that_was_not_run() {
    let jobs = [(JobKind::Deploy, skipped()), (JobKind::Package, failure(FailureKind::Step, "no"))];
    let shown = wanted(Some(&[runs("api")]), &jobs, Some(BuildOutcome::Failed));
    assert_eq!(shown[2], "greenroom/api/preview failure: package failed: no");
}

#[test]
fn a_failed_step_is_a_failure_and_what_waited_for_it_an_error() {
    let jobs = [
        (JobKind::Test, failure(FailureKind::Step, "npm test ended with 1")),
        (JobKind::Package, skipped()),
        (JobKind::Deploy, skipped()),
    ];
    assert_eq!(
        wanted(Some(&[runs("api")]), &jobs, Some(BuildOutcome::Failed)),
        [
            "greenroom failure: test of api failed: npm test ended with 1",
            "greenroom/api/test failure: test failed: npm test ended with 1",
            "greenroom/api/preview error: not run: needs the test of api, which failed",
        ]
    );
}

#[rstest]
#[case(FailureKind::Step, "failure")]
#[case(FailureKind::Configuration, "failure")]
#[case(FailureKind::Safeguard, "failure")]
#[case(FailureKind::Limit, "failure")]
#[case(FailureKind::Aws, "failure")]
#[case(FailureKind::Checkout, "failure")]
#[case(FailureKind::Lost, "error")]
#[case(FailureKind::Internal, "error")]
fn only_what_greenroom_owes_is_an_error(#[case] kind: FailureKind, #[case] state: &str) {
    let jobs = [(JobKind::Plan, failure(kind, "no"))];
    let expected = [format!("greenroom {state}: plan failed: no")];
    assert_eq!(wanted(None, &jobs, Some(BuildOutcome::Failed)), expected);
}

#[test]
fn a_superseded_build_is_neither_green_nor_waiting() {
    let jobs = [
        (JobKind::Test, succeeded()),
        (JobKind::Package, canceled()),
        (JobKind::Deploy, canceled()),
    ];
    assert_eq!(
        wanted(Some(&[runs("api")]), &jobs, Some(BuildOutcome::Superseded)),
        [
            "greenroom error: superseded by build 8",
            "greenroom/api/test success: tests passed",
            "greenroom/api/preview error: canceled: superseded by build 8",
        ]
    );
    let nothing_ran = wanted(None, &[], Some(BuildOutcome::Superseded));
    assert_eq!(nothing_ran, ["greenroom error: superseded by a newer build"]);
}

#[test]
fn several_failures_are_named_together() {
    let jobs = [
        (JobKind::Test, failure(FailureKind::Lost, "its worker was lost 3 times")),
        (JobKind::Deploy, failure(FailureKind::Aws, "the stack rolled back")),
    ];
    let shown = wanted(None, &jobs, Some(BuildOutcome::Failed));
    assert_eq!(shown, ["greenroom failure: failed: test of api, deploy of api"]);
}

#[test]
fn a_long_lived_stage_is_named_and_a_build_without_stage_has_tests_alone() {
    let prod: StageName = "prod".parse().expect("a stage");
    let services = [runs("api")];
    let contexts = |purpose, stage| -> Vec<String> {
        statuses(purpose, stage, Some(&services), &[], None, None)
            .into_iter()
            .map(|status| status.context)
            .collect()
    };
    assert_eq!(
        contexts(Purpose::Deploy, Some((&prod, StageKind::LongLived))),
        ["greenroom", "greenroom/api/test", "greenroom/api/prod"]
    );
    assert_eq!(contexts(Purpose::Test, None), ["greenroom", "greenroom/api/test"]);
    assert!(contexts(Purpose::Remove, Some((&prod, StageKind::Preview))).is_empty());
}

fn follows(text: &str) -> PlannedService {
    let reason = "nothing changed since abc1234; deployed only if the outputs of db change".into();
    planned(text, Decision::Follow { of: vec![name("db")], reason })
}

fn unneeded() -> JobState {
    JobState::Finished(Outcome::Unneeded { reason: "the outputs of db did not change".into() })
}

#[test]
fn a_service_that_had_nothing_to_follow_is_green_and_says_so() {
    let jobs = [(JobKind::Package, unneeded()), (JobKind::Deploy, unneeded())];
    assert_eq!(
        wanted(Some(&[follows("api")]), &jobs, Some(BuildOutcome::Skipped)),
        [
            "greenroom success: nothing was to do",
            "greenroom/api/test success: skipped: nothing changed since abc1234; deployed only if the outputs of db change",
            "greenroom/api/preview success: not needed: the outputs of db did not change",
        ]
    );
}

#[test]
fn a_service_that_follows_waits_and_is_deployed_like_any_other() {
    let services = [follows("api")];
    let jobs = [(JobKind::Package, JobState::Blocked), (JobKind::Deploy, JobState::Blocked)];
    let shown = wanted(Some(&services), &jobs, None);
    assert_eq!(shown[2], "greenroom/api/preview pending: waiting for other jobs");
    let jobs = [(JobKind::Package, succeeded()), (JobKind::Deploy, succeeded())];
    let shown = wanted(Some(&services), &jobs, Some(BuildOutcome::Succeeded));
    assert_eq!(shown[2], "greenroom/api/preview success: deployed");
}

#[test]
fn the_regions_of_a_service_share_a_status_and_the_worst_of_them_is_shown() {
    let skip = planned("api", Decision::Skip { reason: "nothing changed since abc1234".into() });
    let services = [skip, runs("api")];
    let jobs = [(JobKind::Deploy, succeeded()), (JobKind::Deploy, failure(FailureKind::Aws, "no"))];
    let shown = wanted(Some(&services), &jobs, Some(BuildOutcome::Failed));
    assert_eq!(shown.len(), 3);
    assert_eq!(shown[2], "greenroom/api/preview failure: deploy failed: no");
}

#[test]
fn the_stage_s_own_command_is_named_when_it_fails() {
    let jobs = [(JobKind::PostDeploy, failure(FailureKind::Step, "the smoke test failed"))];
    let shown = wanted(Some(&[runs("api")]), &jobs, Some(BuildOutcome::Failed));
    assert_eq!(shown[0], "greenroom failure: post_deploy failed: the smoke test failed");
}

proptest! {
    #[test]
    fn a_description_fits_on_one_line_within_the_limit(message in "(\\PC|\n){0,300}") {
        let short = shortened(&message);
        prop_assert!(short.chars().count() <= MAX_DESCRIPTION_CHARS);
        prop_assert!(!short.contains('\n'));
        let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
        prop_assert_eq!(short.ends_with('…') && short != line, line.chars().count() > MAX_DESCRIPTION_CHARS);
    }
}

#[test]
fn a_build_whose_plan_was_refused_says_why() {
    let jobs = [JobView {
        id: JobId(Uuid::nil()),
        kind: JobKind::Plan,
        service: None,
        state: &succeeded(),
        needs: &[],
        condition: &Condition::Always,
        changed_outputs: &[],
    }];
    let reason = Some("services depend on each other in a circle: a -> b -> a");
    let end = Some(End { outcome: BuildOutcome::Failed, reason });
    assert_eq!(
        shown(&statuses(Purpose::Deploy, None, None, &jobs, None, end)),
        ["greenroom failure: failed: services depend on each other in a circle: a -> b -> a"]
    );
}

#[rstest]
#[case(Some("waiting for approval"), "waiting for approval")]
#[case(Some("frozen until Monday: the sale"), "frozen until Monday: the sale")]
#[case(None, "waiting for the stage to take deploys")]
fn a_deploy_that_its_stage_does_not_take_now_says_what_it_waits_for(
    #[case] held: Option<&str>,
    #[case] expected: &str,
) {
    let jobs = [
        (JobKind::Test, succeeded()),
        (JobKind::Package, succeeded()),
        (JobKind::Deploy, JobState::Waiting),
    ];
    assert_eq!(
        wanted_held(Some(&[runs("api")]), &jobs, held, None),
        [
            format!("greenroom pending: {expected}"),
            "greenroom/api/test success: tests passed".to_owned(),
            format!("greenroom/api/preview pending: {expected}"),
        ]
    );
}

#[test]
fn a_build_whose_tests_still_run_is_running_though_a_deploy_waits_for_its_stage() {
    let jobs = [(JobKind::Test, running()), (JobKind::Deploy, JobState::Waiting)];
    let shown = wanted_held(Some(&[runs("api")]), &jobs, Some("waiting for approval"), None);
    assert_eq!(shown[0], "greenroom pending: running");
    assert_eq!(shown[2], "greenroom/api/preview pending: waiting for approval");
}

#[test]
fn a_skipped_service_is_green_also_while_others_wait_for_an_approval() {
    let skip = planned("db", Decision::Skip { reason: "nothing changed since abc1234".into() });
    let jobs = [(JobKind::Deploy, JobState::Waiting)];
    let services = [runs("api"), skip];
    let shown = wanted_held(Some(&services), &jobs, Some("waiting for approval"), None);
    assert_eq!(
        shown[3..],
        [
            "greenroom/db/test success: skipped: nothing changed since abc1234",
            "greenroom/db/preview success: skipped: nothing changed since abc1234",
        ]
    );
}
