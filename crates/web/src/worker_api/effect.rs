//! What the end of a job means for artifact, instance and deployment.
//!
//! What always holds: what a worker says of a stack is compared with what stood here, never taken
//! as the difference itself; beside a failure only what was checked is kept.

mod deployed;
mod looked;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::InstanceId;
use model::deployment::DeploymentState;
use model::finding::Finding;
use model::job::{JobKind, Outcome};
use model::outside::{Found, Left};
use model::worker_api::JobResult;
use store::PgConnection;
use store::job::{Job, Work};

use super::outside;
use crate::error::{Error, Result};
use crate::state::State;

/// `Err`: why the worker's claim of success is refused.
type Verdict<T> = std::result::Result<T, String>;

pub(super) struct Effect<'a> {
    pub(super) state: &'a State,
    pub(super) job: &'a Job,
    pub(super) now: DateTime<Utc>,
}

impl Effect<'_> {
    /// Answers the result as it is to be kept with the job.
    pub(super) async fn of(
        &self,
        conn: &mut PgConnection,
        outcome: &Outcome,
        result: Option<JobResult>,
    ) -> Result<Verdict<Option<JobResult>>> {
        match outcome {
            Outcome::Succeeded => return self.succeeded(conn, result).await,
            Outcome::Failed(failure) => {
                self.failed(conn, DeploymentState::Failed, &failure.message).await?;
            }
            Outcome::Canceled { reason }
            | Outcome::Skipped { reason }
            | Outcome::Unneeded { reason } => {
                self.failed(conn, DeploymentState::Canceled, reason).await?;
            }
        }
        Ok(Ok(match result {
            Some(JobResult::Checked { change, mut findings, found }) => {
                self.seen(conn, &found, &mut findings).await?;
                Some(JobResult::Checked { change, findings, found })
            }
            Some(
                JobResult::Planned { .. }
                | JobResult::Packaged { .. }
                | JobResult::Deployed { .. }
                | JobResult::Removed { .. }
                | JobResult::Recovered
                | JobResult::Foreseen { .. }
                | JobResult::Swept { .. }
                | JobResult::Drifted { .. },
            )
            | None => None,
        }))
    }

    async fn succeeded(
        &self,
        conn: &mut PgConnection,
        result: Option<JobResult>,
    ) -> Result<Verdict<Option<JobResult>>> {
        match (self.job.kind, result) {
            (JobKind::Test | JobKind::PostDeploy, _) => Ok(Ok(None)),
            (JobKind::Recover, Some(result @ JobResult::Recovered)) => {
                Ok(self.recovered(conn).await?.map(|()| Some(result)))
            }
            (JobKind::Foresee, Some(result @ JobResult::Foreseen { .. })) => Ok(Ok(Some(result))),
            (JobKind::Sweep, Some(JobResult::Swept { found })) => {
                self.swept(conn, &found).await?;
                Ok(Ok(Some(JobResult::Swept { found })))
            }
            (JobKind::Drift, Some(JobResult::Drifted { stacks, found })) => {
                self.drifted(conn, &stacks, &found).await?;
                Ok(Ok(Some(JobResult::Drifted { stacks, found })))
            }
            (JobKind::Plan, Some(result @ JobResult::Planned { .. })) => Ok(Ok(Some(result))),
            (JobKind::Package, Some(JobResult::Packaged { mut package })) => {
                let verdict = self.packaged(conn, &package).await?;
                if verdict.is_ok() {
                    self.seen(conn, &package.found, &mut package.findings).await?;
                }
                Ok(verdict.map(|()| Some(JobResult::Packaged { package })))
            }
            (JobKind::Deploy | JobKind::Rollback, Some(JobResult::Deployed { deployed, .. })) => {
                let verdict = self.deployed(conn, &deployed).await?;
                Ok(verdict
                    .map(|changed_outputs| Some(JobResult::Deployed { deployed, changed_outputs })))
            }
            (JobKind::Remove, Some(result @ JobResult::Removed { .. })) => {
                Ok(self.removed(conn).await?.map(|()| Some(result)))
            }
            (
                JobKind::Plan
                | JobKind::Package
                | JobKind::Deploy
                | JobKind::Remove
                | JobKind::Rollback
                | JobKind::Recover
                | JobKind::Foresee
                | JobKind::Sweep
                | JobKind::Drift,
                _,
            ) => Ok(Err(format!("a {} job ended well without its result", self.job.kind.as_str()))),
        }
    }

    /// What a package job saw of others' doing.
    async fn seen(
        &self,
        conn: &mut PgConnection,
        found: &BTreeMap<String, Found>,
        findings: &mut Vec<Finding>,
    ) -> Result<()> {
        match self.job.kind {
            JobKind::Package => Ok(outside::seen(conn, self.job, found, findings, self.now).await?),
            JobKind::Plan
            | JobKind::Test
            | JobKind::Deploy
            | JobKind::Remove
            | JobKind::PostDeploy
            | JobKind::Rollback
            | JobKind::Recover
            | JobKind::Foresee
            | JobKind::Sweep
            | JobKind::Drift => Ok(()),
        }
    }

    /// A stack that takes deploys again holds what it held before the one that failed.
    async fn recovered(&self, conn: &mut PgConnection) -> Result<Verdict<()>> {
        let Some(instance) = self.job.instance_id else {
            return Ok(Err("its row names no instance".into()));
        };
        let reason = "recovered; deploy again: the deploy that failed did not arrive";
        store::instance::failed(conn, instance, reason, self.now).await?;
        store::instance::set_left(conn, instance, &Left::Unknown).await?;
        Ok(Ok(()))
    }

    async fn removed(&self, conn: &mut PgConnection) -> Result<Verdict<()>> {
        if let Some(Work::Discard { orphan, .. }) = &self.job.work {
            store::orphan::removed(conn, *orphan, self.now).await?;
            return Ok(Ok(()));
        }
        let Some(instance) = self.job.instance_id else {
            return Ok(Err("its row names no instance".into()));
        };
        store::instance::removed(conn, instance, self.now).await?;
        store::drift::clear(conn, instance).await?;
        self.end(conn, DeploymentState::Succeeded, None, &BTreeMap::new()).await?;
        Ok(Ok(()))
    }

    /// A change that did not end well leaves an instance of which only that is known.
    pub(super) async fn failed(
        &self,
        conn: &mut PgConnection,
        how: DeploymentState,
        reason: &str,
    ) -> Result<()> {
        if let Some(Work::Discard { orphan, .. }) = &self.job.work {
            return Ok(store::orphan::kept(conn, *orphan, reason).await?);
        }
        match (self.job.kind.changes_stack(), self.job.instance_id) {
            (true, Some(instance)) => {
                let reason = &self.said_of_instance(reason);
                store::instance::failed(conn, instance, reason, self.now).await?;
                let left = self.left(conn, instance, how).await?;
                store::instance::set_left(conn, instance, &left).await?;
                match self.end(conn, how, Some(reason), &BTreeMap::new()).await {
                    // it ended before its deployment began
                    Err(Error::NotFound(_)) => Ok(()),
                    ended => ended,
                }
            }
            (true, None) | (false, _) => Ok(()),
        }
    }

    /// Whoever reads the instance sees which change it was.
    fn said_of_instance(&self, reason: &str) -> String {
        match (self.job.kind, &self.job.work) {
            (JobKind::Rollback, Some(Work::Rollback { commit, .. })) => {
                format!("the rollback to {} did not go through: {reason}", commit.short())
            }
            (JobKind::Recover, _) => format!("the recovery did not go through: {reason}"),
            (
                JobKind::Plan
                | JobKind::Test
                | JobKind::Package
                | JobKind::Deploy
                | JobKind::Remove
                | JobKind::PostDeploy
                | JobKind::Rollback
                | JobKind::Foresee
                | JobKind::Sweep
                | JobKind::Drift,
                _,
            ) => reason.to_owned(),
        }
    }

    /// How a change of ours that did not end well leaves the stacks.
    async fn left(
        &self,
        conn: &mut PgConnection,
        instance: InstanceId,
        how: DeploymentState,
    ) -> Result<Left> {
        match (self.job.kind, how) {
            (
                JobKind::Deploy | JobKind::Rollback,
                DeploymentState::Failed | DeploymentState::RolledBack,
            ) => {
                let instance = store::instance::get(conn, instance).await?;
                Ok(instance.stacks_left.failed(self.now))
            }
            // CloudFormation may go on with what was canceled, and a removal takes stacks away
            (
                JobKind::Deploy | JobKind::Rollback,
                DeploymentState::Running | DeploymentState::Succeeded | DeploymentState::Canceled,
            )
            | (
                JobKind::Plan
                | JobKind::Test
                | JobKind::Package
                | JobKind::Remove
                | JobKind::PostDeploy
                | JobKind::Recover
                | JobKind::Foresee
                | JobKind::Sweep
                | JobKind::Drift,
                _,
            ) => Ok(Left::Unknown),
        }
    }

    async fn end(
        &self,
        conn: &mut PgConnection,
        how: DeploymentState,
        reason: Option<&str>,
        outputs: &BTreeMap<String, String>,
    ) -> Result<()> {
        Ok(store::deployment::end(conn, self.job.id, how, reason, outputs, self.now).await?)
    }
}
