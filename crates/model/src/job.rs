//! The whole life of a job, as one pure function.
//!
//! What always holds: nothing changes a [`JobState`] but [`JobState::apply`]; a finished job stays
//! finished; an attempt's number only grows, and every write of a worker names the attempt it
//! belongs to, so that a worker which lost its lease can change nothing.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::WorkerId;

/// What a job does. The text forms are those of the database and of the REST API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(
    feature = "sqlx",
    derive(sqlx::Type),
    sqlx(type_name = "text", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    Plan,
    Test,
    Package,
    Deploy,
    Remove,
    /// The stage's own command, once all of a build's deploys are through.
    PostDeploy,
    /// An older artifact of the same stage, deployed again.
    Rollback,
    /// A rollback of CloudFormation's own that failed is continued.
    Recover,
    /// A package for another stage than the build's, to see what it would change there.
    Foresee,
    /// Looks for stacks that no stage knows.
    Sweep,
    /// Looks whether what is deployed still is as it was deployed.
    Drift,
}

impl JobKind {
    pub const ALL: [Self; 11] = [
        Self::Plan,
        Self::Test,
        Self::Package,
        Self::Deploy,
        Self::Remove,
        Self::PostDeploy,
        Self::Rollback,
        Self::Recover,
        Self::Foresee,
        Self::Sweep,
        Self::Drift,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Test => "test",
            Self::Package => "package",
            Self::Deploy => "deploy",
            Self::Remove => "remove",
            Self::PostDeploy => "post_deploy",
            Self::Rollback => "rollback",
            Self::Recover => "recover",
            Self::Foresee => "foresee",
            Self::Sweep => "sweep",
            Self::Drift => "drift",
        }
    }

    /// Whether it changes a stack. Such a job is never repeated blindly: a new attempt looks at
    /// the stack first, and no newer push stops it once it runs.
    pub fn changes_stack(self) -> bool {
        match self {
            Self::Plan
            | Self::Test
            | Self::Package
            | Self::PostDeploy
            | Self::Foresee
            | Self::Sweep
            | Self::Drift => false,
            Self::Deploy | Self::Remove | Self::Rollback | Self::Recover => true,
        }
    }

    /// How often a job may be begun before a lost worker makes it fail. A job that changes a stack
    /// may look again more often: what it finds is nearly always that the work is done. A command
    /// of the user's that works on a deployed stage is not repeated: nothing says how far it came.
    pub fn max_attempts(self) -> i32 {
        match self {
            Self::Plan | Self::Test | Self::Package | Self::Foresee | Self::Sweep | Self::Drift => {
                3
            }
            Self::Deploy | Self::Remove | Self::Rollback | Self::Recover => 6,
            Self::PostDeploy => 1,
        }
    }
}

/// A worker's hold on a running job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub worker: WorkerId,
    /// Counts from 1. The fencing token of every write.
    pub attempt: i32,
    pub expires_at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// Waits for the jobs it needs.
    Blocked,
    /// What it needs is there, but its stage takes no deploy now: an approval is missing, or the
    /// stage is frozen.
    Waiting,
    /// May be claimed; `attempt` is the number its next lease will carry.
    Queued {
        attempt: i32,
    },
    Running(Lease),
    Finished(Outcome),
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    Succeeded,
    Failed(Failure),
    Canceled {
        reason: String,
    },
    /// Something it needs did not go well.
    Skipped {
        reason: String,
    },
    /// There was nothing for it to do, and all is well.
    Unneeded {
        reason: String,
    },
}

impl Outcome {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed(_) => "failed",
            Self::Canceled { .. } => "canceled",
            Self::Skipped { .. } => "skipped",
            Self::Unneeded { .. } => "unneeded",
        }
    }

    /// The sentence people read beside the outcome.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Succeeded => None,
            Self::Failed(failure) => Some(&failure.message),
            Self::Canceled { reason } | Self::Skipped { reason } | Self::Unneeded { reason } => {
                Some(reason)
            }
        }
    }
}

/// Why a job failed: the kind decides what the pages advise, the message says what happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub kind: FailureKind,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "sqlx",
    derive(sqlx::Type),
    sqlx(type_name = "text", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// A command of the user ended with an error.
    Step,
    /// What the commit or the settings say cannot be carried out: a file to mend.
    Configuration,
    /// A safeguard does not allow the deploy, or a limit of AWS will not.
    Safeguard,
    /// A step ran over its time, memory or output.
    Limit,
    /// AWS refused or failed: a role, a stack.
    Aws,
    /// The repository could not be read.
    Checkout,
    /// Workers were lost as often as the job may be begun.
    Lost,
    /// A fault of Greenroom's own or of the worker's machine.
    Internal,
}

impl FailureKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Configuration => "configuration",
            Self::Safeguard => "safeguard",
            Self::Limit => "limit",
            Self::Aws => "aws",
            Self::Checkout => "checkout",
            Self::Lost => "lost",
            Self::Internal => "internal",
        }
    }
}

/// What can happen to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEvent {
    /// Every job it needs is through.
    NeedsMet,
    /// Every job it needs is through, and nothing came of them that it would work on.
    Unneeded {
        reason: String,
    },
    /// A job it needs has ended otherwise.
    NeedsFailed {
        reason: String,
    },
    /// Its stage takes no deploy now.
    Held,
    /// Nothing of its stage keeps it any more.
    Opened,
    Claimed(Lease),
    Heartbeat {
        attempt: i32,
        expires_at: DateTime<Utc>,
    },
    Reported {
        attempt: i32,
        outcome: Outcome,
    },
    /// Its worker says that it no longer holds it, or the lease ran out.
    LeaseLost {
        attempt: i32,
        max_attempts: i32,
    },
    /// Canceled before a worker held it, or by the worker's own report.
    Canceled {
        reason: String,
    },
}

/// An event that the state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTransition {
    #[error("attempt {named} no longer holds this job")]
    Stale { named: i32 },
    #[error("a job that is {state} cannot take the event {event}")]
    NotAllowed { state: &'static str, event: &'static str },
}

impl JobState {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Waiting => "waiting",
            Self::Queued { .. } => "queued",
            Self::Running(_) => "running",
            Self::Finished(_) => "finished",
        }
    }

    /// The whole life of a job.
    pub fn apply(self, event: JobEvent) -> Result<Self, BadTransition> {
        use JobEvent as E;
        match (self, event) {
            (Self::Blocked, E::NeedsMet) => Ok(Self::Queued { attempt: 1 }),
            (Self::Blocked, E::NeedsFailed { reason }) => {
                Ok(Self::Finished(Outcome::Skipped { reason }))
            }
            // what waited may have been overtaken
            (Self::Blocked | Self::Waiting, E::Unneeded { reason }) => {
                Ok(Self::Finished(Outcome::Unneeded { reason }))
            }
            // one that was begun may have moved its stack: it goes on
            (Self::Blocked | Self::Queued { attempt: 1 }, E::Held) => Ok(Self::Waiting),
            (Self::Waiting, E::Opened) => Ok(Self::Queued { attempt: 1 }),
            (Self::Queued { attempt }, E::Claimed(lease)) if lease.attempt == attempt => {
                Ok(Self::Running(lease))
            }
            (Self::Running(lease), E::Heartbeat { attempt, expires_at })
                if lease.attempt == attempt =>
            {
                Ok(Self::Running(Lease { expires_at: expires_at.max(lease.expires_at), ..lease }))
            }
            (Self::Running(lease), E::Reported { attempt, outcome })
                if lease.attempt == attempt =>
            {
                Ok(Self::Finished(outcome))
            }
            (Self::Running(lease), E::LeaseLost { attempt, max_attempts })
                if lease.attempt == attempt =>
            {
                if attempt < max_attempts {
                    Ok(Self::Queued { attempt: attempt + 1 })
                } else {
                    Ok(Self::Finished(Outcome::Failed(Failure {
                        kind: FailureKind::Lost,
                        message: format!("its worker was lost {attempt} times"),
                    })))
                }
            }
            (Self::Blocked | Self::Waiting | Self::Queued { .. }, E::Canceled { reason }) => {
                Ok(Self::Finished(Outcome::Canceled { reason }))
            }
            (
                _,
                E::Heartbeat { attempt, .. }
                | E::Reported { attempt, .. }
                | E::LeaseLost { attempt, .. }
                | E::Claimed(Lease { attempt, .. }),
            ) => Err(BadTransition::Stale { named: attempt }),
            (state, event) => {
                Err(BadTransition::NotAllowed { state: state.as_str(), event: event.as_str() })
            }
        }
    }
}

impl JobEvent {
    fn as_str(&self) -> &'static str {
        match self {
            Self::NeedsMet => "needs met",
            Self::NeedsFailed { .. } => "needs failed",
            Self::Unneeded { .. } => "unneeded",
            Self::Held => "held",
            Self::Opened => "opened",
            Self::Claimed(_) => "claimed",
            Self::Heartbeat { .. } => "heartbeat",
            Self::Reported { .. } => "reported",
            Self::LeaseLost { .. } => "lease lost",
            Self::Canceled { .. } => "canceled",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn lease(attempt: i32) -> Lease {
        Lease { worker: WorkerId(Uuid::nil()), attempt, expires_at: DateTime::UNIX_EPOCH }
    }

    #[test]
    fn a_lost_lease_requeues_the_job_with_the_next_attempt() {
        let lost =
            JobState::Running(lease(1)).apply(JobEvent::LeaseLost { attempt: 1, max_attempts: 3 });
        assert_eq!(lost, Ok(JobState::Queued { attempt: 2 }));
    }

    #[test]
    fn the_last_lost_lease_fails_the_job() {
        let lost =
            JobState::Running(lease(3)).apply(JobEvent::LeaseLost { attempt: 3, max_attempts: 3 });
        assert!(matches!(
            lost,
            Ok(JobState::Finished(Outcome::Failed(Failure { kind: FailureKind::Lost, .. })))
        ));
    }

    #[test]
    fn a_stale_worker_cannot_finish_the_job() {
        let stale = JobState::Running(lease(2))
            .apply(JobEvent::Reported { attempt: 1, outcome: Outcome::Succeeded });
        assert_eq!(stale, Err(BadTransition::Stale { named: 1 }));
    }

    #[test]
    fn a_deploy_that_was_never_begun_can_be_held_and_opened_again() {
        let held = JobState::Queued { attempt: 1 }.apply(JobEvent::Held);
        assert_eq!(held, Ok(JobState::Waiting));
        assert_eq!(JobState::Waiting.apply(JobEvent::Opened), Ok(JobState::Queued { attempt: 1 }));
        assert!(JobState::Queued { attempt: 2 }.apply(JobEvent::Held).is_err());
    }

    fn event() -> impl Strategy<Value = JobEvent> {
        let attempt = 0..5_i32;
        prop_oneof![
            Just(JobEvent::NeedsMet),
            Just(JobEvent::NeedsFailed { reason: "x".into() }),
            Just(JobEvent::Unneeded { reason: "x".into() }),
            Just(JobEvent::Held),
            Just(JobEvent::Opened),
            attempt.clone().prop_map(|attempt| JobEvent::Claimed(lease(attempt))),
            attempt.clone().prop_map(|attempt| JobEvent::Heartbeat {
                attempt,
                expires_at: DateTime::UNIX_EPOCH
            }),
            attempt
                .clone()
                .prop_map(|attempt| JobEvent::Reported { attempt, outcome: Outcome::Succeeded }),
            attempt.prop_map(|attempt| JobEvent::LeaseLost { attempt, max_attempts: 3 }),
            Just(JobEvent::Canceled { reason: "x".into() }),
        ]
    }

    fn attempt_of(state: &JobState) -> i32 {
        match state {
            JobState::Blocked | JobState::Waiting => 0,
            // begun attempts: one that only waits has begun none
            JobState::Queued { attempt } => attempt - 1,
            JobState::Running(lease) => lease.attempt,
            JobState::Finished(_) => i32::MAX,
        }
    }

    proptest! {
        #[test]
        fn attempts_never_shrink_and_what_is_finished_stays_so(
            events in proptest::collection::vec(event(), 0..40)
        ) {
            let mut state = JobState::Blocked;
            for event in events {
                let before = state.clone();
                match state.apply(event) {
                    Ok(after) => {
                        prop_assert!(!matches!(before, JobState::Finished(_)));
                        prop_assert!(attempt_of(&after) >= attempt_of(&before));
                        prop_assert!(matches!(after, JobState::Finished(_)) || attempt_of(&after) <= 3);
                        state = after;
                    }
                    Err(_) => state = before,
                }
            }
        }
    }
}
