//! How one service of a pull request stands: from what was decided for it, its jobs and what is
//! deployed.

use super::text::code;
use crate::deployment::InstanceState;
use crate::job::{JobKind, JobState, Outcome};
use crate::plan::Decision;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Deployed,
    /// The build leaves it as it is, and why.
    Skipped {
        reason: String,
    },
    /// Its furthest job, in words ("deploy is running").
    UnderWay {
        what: String,
    },
    Failed {
        what: String,
    },
    /// It was to be deployed and was not, and why.
    NotRun {
        reason: String,
    },
    /// Its tests passed, and nothing is deployed of it.
    Tested,
    Removing,
    Removed,
    RemoveFailed {
        reason: String,
    },
}

/// What is known of a service in one region.
pub struct Facts<'a> {
    /// What the newest build decided.
    pub decision: Option<&'a Decision>,
    /// Its jobs in that build, in order.
    pub jobs: &'a [(JobKind, &'a JobState)],
    /// Why they wait, where they wait for their stage.
    pub held: Option<&'a str>,
    /// What is deployed, and why not.
    pub instance: Option<(InstanceState, Option<&'a str>)>,
}

pub fn standing(facts: &Facts<'_>) -> Standing {
    match facts.instance {
        Some((InstanceState::Removing, _)) => return Standing::Removing,
        Some((InstanceState::Removed, _)) if facts.jobs.is_empty() => return Standing::Removed,
        Some((
            InstanceState::Planned
            | InstanceState::Deploying
            | InstanceState::Deployed
            | InstanceState::Failed
            | InstanceState::Removed,
            _,
        ))
        | None => {}
    }
    let outcomes = || facts.jobs.iter().filter_map(|(kind, state)| Some((kind, ended(state)?)));
    for (kind, outcome) in outcomes() {
        if let Outcome::Failed(failure) = outcome {
            let what = format!("{} failed: {}", kind.as_str(), failure.message);
            return Standing::Failed { what };
        }
    }
    if let Some(what) = under_way(facts) {
        return Standing::UnderWay { what };
    }
    for (_, outcome) in outcomes() {
        if let Outcome::Canceled { reason } | Outcome::Skipped { reason } = outcome {
            return Standing::NotRun { reason: reason.clone() };
        }
    }
    match (facts.instance, facts.decision) {
        (_, Some(Decision::Skip { reason } | Decision::Follow { reason, .. }))
            if !outcomes().any(|(_, outcome)| *outcome == Outcome::Succeeded) =>
        {
            Standing::Skipped { reason: reason.clone() }
        }
        (Some((InstanceState::Deployed, _)), _) => Standing::Deployed,
        (Some((InstanceState::Failed, reason)), _) => {
            Standing::Failed { what: reason.unwrap_or("its last deployment failed").to_owned() }
        }
        (
            Some((
                InstanceState::Planned
                | InstanceState::Deploying
                | InstanceState::Removing
                | InstanceState::Removed,
                _,
            ))
            | None,
            _,
        ) => Standing::Tested,
    }
}

fn ended(state: &JobState) -> Option<&Outcome> {
    match state {
        JobState::Finished(outcome) => Some(outcome),
        JobState::Blocked | JobState::Waiting | JobState::Queued { .. } | JobState::Running(_) => {
            None
        }
    }
}

/// The furthest of the jobs that have not ended.
fn under_way(facts: &Facts<'_>) -> Option<String> {
    let said = |(kind, state): &(JobKind, &JobState)| match state {
        JobState::Running(_) => Some((3, format!("{} is running", kind.as_str()))),
        JobState::Queued { .. } => Some((2, format!("{} is queued", kind.as_str()))),
        JobState::Waiting => {
            Some((1, facts.held.unwrap_or("waiting for the stage to take deploys").to_owned()))
        }
        JobState::Blocked => Some((0, "waiting for other jobs".to_owned())),
        JobState::Finished(_) => None,
    };
    facts.jobs.iter().filter_map(said).max_by_key(|(rank, _)| *rank).map(|(_, text)| text)
}

impl Standing {
    /// In the table.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Deployed => "deployed".to_owned(),
            Self::Skipped { reason } => format!("skipped: {}", code(reason)),
            Self::UnderWay { what } => code(what),
            Self::Failed { what } => format!("**failed**: {}", code(what)),
            Self::NotRun { reason } => format!("not run: {}", code(reason)),
            Self::Tested => "nothing is deployed".to_owned(),
            Self::Removing => "being removed".to_owned(),
            Self::Removed => "removed".to_owned(),
            Self::RemoveFailed { reason } => format!("**left over**: {}", code(reason)),
        }
    }

    /// Whether what it last published is there to be looked at.
    pub(super) fn is_there(&self) -> bool {
        match self {
            Self::Deployed
            | Self::Skipped { .. }
            | Self::UnderWay { .. }
            | Self::Failed { .. }
            | Self::NotRun { .. }
            | Self::RemoveFailed { .. } => true,
            Self::Tested | Self::Removing | Self::Removed => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Failure, FailureKind};

    fn ended(outcome: Outcome) -> JobState {
        JobState::Finished(outcome)
    }

    fn of(
        decision: Option<&Decision>,
        jobs: &[(JobKind, JobState)],
        instance: Option<InstanceState>,
    ) -> Standing {
        let jobs: Vec<(JobKind, &JobState)> =
            jobs.iter().map(|(kind, state)| (*kind, state)).collect();
        let instance = instance.map(|state| (state, None));
        let held = Some("waiting for an approval");
        standing(&Facts { decision, jobs: &jobs, held, instance })
    }

    fn runs() -> Decision {
        Decision::Run { reason: "it changed".into() }
    }

    #[test]
    fn a_service_goes_from_the_queue_to_what_is_deployed() {
        let runs = runs();
        let now = |package: JobState, deploy: JobState, instance| {
            of(Some(&runs), &[(JobKind::Package, package), (JobKind::Deploy, deploy)], instance)
        };
        let under_way = |what: &str| Standing::UnderWay { what: what.into() };
        let queued = JobState::Queued { attempt: 1 };
        let planned = Some(InstanceState::Planned);
        assert_eq!(now(queued, JobState::Blocked, planned), under_way("package is queued"));
        let packaged = ended(Outcome::Succeeded);
        assert_eq!(
            now(packaged.clone(), JobState::Waiting, planned),
            under_way("waiting for an approval")
        );
        let deployed = Some(InstanceState::Deployed);
        assert_eq!(now(packaged.clone(), ended(Outcome::Succeeded), deployed), Standing::Deployed);
        let failure = Failure { kind: FailureKind::Aws, message: "rolled back".into() };
        let failed = Standing::Failed { what: "deploy failed: rolled back".into() };
        let state = Some(InstanceState::Failed);
        assert_eq!(now(packaged, ended(Outcome::Failed(failure)), state), failed);
    }

    #[test]
    fn what_is_left_as_it_is_says_why_and_what_had_to_follow_is_deployed() {
        let skip = Decision::Skip { reason: "nothing changed".into() };
        let skipped = Standing::Skipped { reason: "nothing changed".into() };
        assert_eq!(of(Some(&skip), &[], Some(InstanceState::Deployed)), skipped);
        let follow = Decision::Follow { of: Vec::new(), reason: "nothing changed".into() };
        let unneeded = ended(Outcome::Unneeded { reason: "no output changed".into() });
        let deployed = Some(InstanceState::Deployed);
        assert_eq!(of(Some(&follow), &[(JobKind::Deploy, unneeded)], deployed), skipped);
        let followed = [(JobKind::Deploy, ended(Outcome::Succeeded))];
        assert_eq!(of(Some(&follow), &followed, deployed), Standing::Deployed);
    }

    #[test]
    fn what_a_newer_push_ended_was_not_run() {
        let reason = "superseded by build 8".to_owned();
        let jobs = [(JobKind::Package, ended(Outcome::Canceled { reason: reason.clone() }))];
        let state = Some(InstanceState::Deployed);
        assert_eq!(of(Some(&runs()), &jobs, state), Standing::NotRun { reason });
    }

    #[test]
    fn what_is_gone_is_gone_and_what_was_only_tested_is_not_deployed() {
        assert_eq!(of(None, &[], Some(InstanceState::Removing)), Standing::Removing);
        assert_eq!(of(None, &[], Some(InstanceState::Removed)), Standing::Removed);
        let tested = [(JobKind::Test, ended(Outcome::Succeeded))];
        assert_eq!(of(Some(&runs()), &tested, None), Standing::Tested);
    }
}
