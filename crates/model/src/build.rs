//! A build: what one event sets in motion, and how it ends.
//!
//! What always holds: a build's outcome is a pure function of its jobs ([`BuildOutcome::of`]).
//! Canceling and superseding are intents beside the state; a pass carries them out.

use serde::{Deserialize, Serialize};

use crate::job::{JobKind, JobState, Outcome};
use crate::{BranchName, CommitSha, TagName};

/// What happened that a build answers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "sqlx",
    derive(sqlx::Type),
    sqlx(type_name = "text", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum BuildEvent {
    Push,
    Tag,
    PullRequest,
    BranchDeleted,
    PullRequestClosed,
    /// Asked for through the API or a page.
    Manual,
    /// The server's own: a preview expired, a removal is tried again, a stage is looked at.
    Schedule,
}

impl BuildEvent {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Tag => "tag",
            Self::PullRequest => "pull_request",
            Self::BranchDeleted => "branch_deleted",
            Self::PullRequestClosed => "pull_request_closed",
            Self::Manual => "manual",
            Self::Schedule => "schedule",
        }
    }
}

/// What the build is to achieve. The server decides it from the rules; no commit can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "sqlx",
    derive(sqlx::Type),
    sqlx(type_name = "text", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Test, package and deploy to the build's stage.
    Deploy,
    /// Tests alone, without credentials or secrets: a pull request from a fork.
    Test,
    /// Remove every instance of the build's stage.
    Remove,
    /// Deploy older artifacts of the build's stage again.
    Rollback,
    /// Bring stacks of the build's stage that are stuck back to where they take a deploy.
    Recover,
    /// Look at stacks and change nothing: drift of a stage, stacks that no stage knows.
    Inspect,
}

impl Purpose {
    pub const ALL: [Self; 6] =
        [Self::Deploy, Self::Test, Self::Remove, Self::Rollback, Self::Recover, Self::Inspect];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Test => "test",
            Self::Remove => "remove",
            Self::Rollback => "rollback",
            Self::Recover => "recover",
            Self::Inspect => "inspect",
        }
    }
}

/// Where the source of a build comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub commit: CommitSha,
    pub branch: Option<BranchName>,
    pub tag: Option<TagName>,
    pub pull_request: Option<i64>,
    /// First line of the commit's message or the pull request's title, for the pages.
    pub title: String,
    /// GitHub login of who caused it.
    pub author: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "sqlx",
    derive(sqlx::Type),
    sqlx(type_name = "text", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum BuildOutcome {
    Succeeded,
    Failed,
    Canceled,
    Superseded,
    Skipped,
}

impl BuildOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Superseded => "superseded",
            Self::Skipped => "skipped",
        }
    }

    /// The outcome of a build whose plan has been carried out as far as it could be, or `None`
    /// while a job still may change it. A failure outweighs a cancellation: what broke must be
    /// seen. A build of which nothing but the plan ran was skipped: nothing was to do; unless it
    /// was superseded, for then nobody looked whether there was. What came of a look at another
    /// stage decides nothing, nor what came of one for drift beside other work.
    ///
    /// The caller asks only once the jobs of the plan are there: a succeeded plan job alone cannot
    /// be told from a plan without jobs.
    pub fn of<'a>(
        jobs: impl IntoIterator<Item = (JobKind, &'a JobState)>,
        superseded: bool,
    ) -> Option<Self> {
        let (mut work, mut looks) = (Tally::default(), Tally::default());
        for (kind, state) in jobs {
            let JobState::Finished(outcome) = state else {
                return None;
            };
            match kind {
                JobKind::Foresee => {}
                JobKind::Drift => looks.count(kind, outcome),
                JobKind::Plan
                | JobKind::Test
                | JobKind::Package
                | JobKind::Deploy
                | JobKind::Remove
                | JobKind::PostDeploy
                | JobKind::Rollback
                | JobKind::Recover
                | JobKind::Sweep => work.count(kind, outcome),
            }
        }
        // beside other work they are for those who decide about it; alone they are the work
        let Tally { failed, canceled, worked, .. } = if work.jobs == 0 { looks } else { work };
        Some(match (failed, canceled) {
            (true, _) => Self::Failed,
            (false, true) if superseded => Self::Superseded,
            (false, true) => Self::Canceled,
            (false, false) if worked => Self::Succeeded,
            (false, false) if superseded => Self::Superseded,
            (false, false) => Self::Skipped,
        })
    }
}

/// What came of jobs, together.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    jobs: usize,
    failed: bool,
    canceled: bool,
    worked: bool,
}

impl Tally {
    fn count(&mut self, kind: JobKind, outcome: &Outcome) {
        self.jobs += 1;
        match outcome {
            Outcome::Succeeded => self.worked |= kind != JobKind::Plan,
            Outcome::Failed(_) => self.failed = true,
            Outcome::Canceled { .. } => self.canceled = true,
            Outcome::Skipped { .. } | Outcome::Unneeded { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Failure, FailureKind};

    fn done(outcome: Outcome) -> JobState {
        JobState::Finished(outcome)
    }

    fn canceled() -> JobState {
        done(Outcome::Canceled { reason: "newer".into() })
    }

    fn failed() -> JobState {
        done(Outcome::Failed(Failure { kind: FailureKind::Step, message: "npm test".into() }))
    }

    #[test]
    fn a_build_is_not_over_while_a_job_is_not() {
        let jobs =
            [(JobKind::Plan, &done(Outcome::Succeeded)), (JobKind::Test, &JobState::Blocked)];
        assert_eq!(BuildOutcome::of(jobs, false), None);
    }

    #[test]
    fn a_failure_outweighs_a_cancellation() {
        let jobs = [(JobKind::Test, &failed()), (JobKind::Deploy, &canceled())];
        assert_eq!(BuildOutcome::of(jobs, true), Some(BuildOutcome::Failed));
    }

    #[test]
    fn canceled_work_of_a_superseded_build_is_superseded() {
        let jobs = [(JobKind::Test, &done(Outcome::Succeeded)), (JobKind::Deploy, &canceled())];
        assert_eq!(BuildOutcome::of(jobs, true), Some(BuildOutcome::Superseded));
        assert_eq!(BuildOutcome::of(jobs, false), Some(BuildOutcome::Canceled));
    }

    #[test]
    fn a_build_that_only_planned_had_nothing_to_do() {
        let jobs = [(JobKind::Plan, &done(Outcome::Succeeded))];
        assert_eq!(BuildOutcome::of(jobs, false), Some(BuildOutcome::Skipped));
    }

    #[test]
    fn a_superseded_build_that_only_planned_is_not_called_unchanged() {
        let jobs = [(JobKind::Plan, &done(Outcome::Succeeded))];
        assert_eq!(BuildOutcome::of(jobs, true), Some(BuildOutcome::Superseded));
    }

    #[test]
    fn a_build_whose_work_was_done_succeeded_even_if_a_newer_one_came() {
        let jobs = [
            (JobKind::Plan, &done(Outcome::Succeeded)),
            (JobKind::Deploy, &done(Outcome::Succeeded)),
        ];
        assert_eq!(BuildOutcome::of(jobs, true), Some(BuildOutcome::Succeeded));
    }

    #[test]
    fn a_job_skipped_behind_a_failure_leaves_the_build_failed() {
        let skipped = done(Outcome::Skipped { reason: "needs the test of a, which failed".into() });
        let jobs = [
            (JobKind::Plan, &done(Outcome::Succeeded)),
            (JobKind::Test, &failed()),
            (JobKind::Package, &skipped),
        ];
        assert_eq!(BuildOutcome::of(jobs, false), Some(BuildOutcome::Failed));
    }

    #[test]
    fn a_look_for_drift_decides_only_where_nothing_else_is_done() {
        let of = |jobs: &[(JobKind, &JobState)]| BuildOutcome::of(jobs.iter().copied(), false);
        let (well, broken) = (done(Outcome::Succeeded), failed());
        let (plan, look) = ((JobKind::Plan, &well), (JobKind::Drift, &broken));
        assert_eq!(of(&[plan, (JobKind::Deploy, &well), look]), Some(BuildOutcome::Succeeded));
        assert_eq!(of(&[plan, (JobKind::Drift, &well)]), Some(BuildOutcome::Skipped));
        assert_eq!(of(&[look, (JobKind::Drift, &well)]), Some(BuildOutcome::Failed));
        assert_eq!(of(&[(JobKind::Drift, &well)]), Some(BuildOutcome::Succeeded));
    }

    #[test]
    fn a_look_at_another_stage_decides_nothing_but_is_waited_for() {
        let plan = done(Outcome::Succeeded);
        let of = |foresee: &JobState, deploy: &JobState| {
            let jobs =
                [(JobKind::Plan, &plan), (JobKind::Deploy, deploy), (JobKind::Foresee, foresee)];
            BuildOutcome::of(jobs, false)
        };
        let deployed = done(Outcome::Succeeded);
        assert_eq!(of(&failed(), &deployed), Some(BuildOutcome::Succeeded));
        assert_eq!(of(&canceled(), &deployed), Some(BuildOutcome::Succeeded));
        assert_eq!(of(&deployed, &canceled()), Some(BuildOutcome::Canceled));
        assert_eq!(of(&JobState::Queued { attempt: 1 }, &deployed), None);
    }

    #[test]
    fn a_removal_that_found_nothing_was_skipped() {
        assert_eq!(BuildOutcome::of([], false), Some(BuildOutcome::Skipped));
    }
}
