//! What the end of a job means for artifact, instance and deployment.
//!
//! What always holds: what a worker says of a stack is compared with what stood here, never taken
//! as the difference itself; beside a failure only what was checked is kept.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::app::digest_of;
use model::deployment::DeploymentState;
use model::finding::Finding;
use model::job::{JobKind, Outcome};
use model::outside::{Found, Left};
use model::worker_api::{DeployedStack, JobResult, Packaged};
use model::{ArtifactId, InstanceId};
use store::PgConnection;
use store::artifact::{Artifact, NewArtifact};
use store::instance::Success;
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
                | JobResult::Removed,
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
            (JobKind::Plan, Some(result @ JobResult::Planned { .. })) => Ok(Ok(Some(result))),
            (JobKind::Package, Some(JobResult::Packaged { mut package })) => {
                let verdict = self.packaged(conn, &package).await?;
                if verdict.is_ok() {
                    self.seen(conn, &package.found, &mut package.findings).await?;
                }
                Ok(verdict.map(|()| Some(JobResult::Packaged { package })))
            }
            (JobKind::Deploy, Some(JobResult::Deployed { deployed, .. })) => {
                let verdict = self.deployed(conn, &deployed).await?;
                Ok(verdict
                    .map(|changed_outputs| Some(JobResult::Deployed { deployed, changed_outputs })))
            }
            (JobKind::Remove, Some(JobResult::Removed)) => {
                Ok(self.removed(conn).await?.map(|()| Some(JobResult::Removed)))
            }
            (JobKind::Plan | JobKind::Package | JobKind::Deploy | JobKind::Remove, _) => {
                Ok(Err(format!("a {} job ended well without its result", self.job.kind.as_str())))
            }
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
            | JobKind::PostDeploy => Ok(()),
        }
    }

    async fn packaged(&self, conn: &mut PgConnection, package: &Packaged) -> Result<Verdict<()>> {
        let build = store::build::get(conn, self.job.build_id).await?;
        let (Some(stage), Some(service), Some(region)) =
            (build.stage_id, &self.job.service, &self.job.region)
        else {
            return Ok(Err("this build deploys nothing, so it has nothing to package".into()));
        };
        let stage = store::stage::get(conn, stage).await?;
        if package.stage != stage.name || package.region != *region {
            return Ok(Err(format!(
                "the package of {service} is for stage {} in {}, but this build is for {} in \
                 {region}: serverless.yml must take both from `--stage` and `--region`, not fix \
                 them",
                package.stage, package.region, stage.name
            )));
        }
        let stored = &package.artifact;
        // the object itself says its key too; here it stands for those who rotate keys
        let key_id = self.state.vault.seal(&[], &[]).map_err(store::Error::from)?.key_id;
        store::artifact::insert(
            conn,
            &NewArtifact {
                id: ArtifactId(self.state.id()),
                job_id: self.job.id,
                build_id: build.id,
                service: service.clone(),
                stage_id: stage.id,
                region: package.region.clone(),
                digest: stored.digest.clone(),
                size_bytes: stored.size_bytes,
                key_id,
                created_at: self.now,
            },
        )
        .await?;
        Ok(Ok(()))
    }

    /// Answers the outputs that are not what they were.
    async fn deployed(
        &self,
        conn: &mut PgConnection,
        deployed: &DeployedStack,
    ) -> Result<Verdict<Vec<String>>> {
        let spec = self.job.work.as_ref().and_then(Work::service);
        let (Some(instance), Some(spec)) = (self.job.instance_id, spec) else {
            return Ok(Err("its row names no instance".into()));
        };
        let instance = store::instance::get(conn, instance).await?;
        let build = store::build::get(conn, self.job.build_id).await?;
        let (service, region) = (&instance.service, &instance.region);
        let artifact = store::artifact::of_build(conn, build.id, service, region).await?;
        let Some(artifact) = artifact else {
            return Ok(Err("its artifact is gone".into()));
        };
        let changed = instance.changed_outputs(&deployed.outputs);
        let (read_at, parameters_digest) = self.told(conn, &artifact).await?;
        let success = Success {
            commit: &build.source.commit,
            build_number: build.number,
            artifact: artifact.id,
            spec,
            stack: deployed,
            read_at,
            parameters_digest: parameters_digest.as_deref(),
            outputs_changed: !changed.is_empty(),
        };
        store::instance::deployed(conn, instance.id, &success, self.now).await?;
        self.end(conn, DeploymentState::Succeeded, None, &deployed.outputs).await?;
        Ok(Ok(changed))
    }

    /// When the package was told its parameters, and their digest; none if the settings or a
    /// secret changed since, for then nobody knows which of them the deployment got.
    async fn told(
        &self,
        conn: &mut PgConnection,
        artifact: &Artifact,
    ) -> Result<(Option<DateTime<Utc>>, Option<String>)> {
        let stage = store::stage::get(conn, artifact.stage_id).await?;
        let app = store::app::get(conn, stage.app_id).await?;
        let times = store::secret::times(conn, app.id).await?;
        let read_at = store::job::get(conn, artifact.job_id).await?.started_at;
        let unchanged = read_at.is_some_and(|read_at| {
            app.updated_at <= read_at && times.values().all(|changed| *changed <= read_at)
        });
        let digest = || digest_of(&stage.parameters_in(&app.settings), &times);
        Ok((read_at, unchanged.then(digest)))
    }

    async fn removed(&self, conn: &mut PgConnection) -> Result<Verdict<()>> {
        let Some(instance) = self.job.instance_id else {
            return Ok(Err("its row names no instance".into()));
        };
        store::instance::removed(conn, instance, self.now).await?;
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
        match (self.job.kind.changes_stack(), self.job.instance_id) {
            (true, Some(instance)) => {
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

    /// How a change of ours that did not end well leaves the stacks.
    async fn left(
        &self,
        conn: &mut PgConnection,
        instance: InstanceId,
        how: DeploymentState,
    ) -> Result<Left> {
        match (self.job.kind, how) {
            (JobKind::Deploy, DeploymentState::Failed | DeploymentState::RolledBack) => {
                let instance = store::instance::get(conn, instance).await?;
                Ok(instance.stacks_left.failed(self.now))
            }
            // CloudFormation may go on with what was canceled, and a removal takes stacks away
            (
                JobKind::Deploy,
                DeploymentState::Running | DeploymentState::Succeeded | DeploymentState::Canceled,
            )
            | (
                JobKind::Plan
                | JobKind::Test
                | JobKind::Package
                | JobKind::Remove
                | JobKind::PostDeploy,
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
