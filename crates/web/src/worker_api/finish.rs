//! The end of a job, and what it means for artifact, instance and deployment.
//!
//! What always holds: all of it is one transaction with the job's own change of state, under the
//! attempt that holds it; said twice, it happens once. A package made for another stage or region
//! than the build's is refused here, whatever the worker says: the job fails.

use axum::Json;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use model::deployment::DeploymentState;
use model::job::{Failure, FailureKind, JobKind, JobState, Outcome};
use model::worker_api::{DeployedStack, Finish, JobResult, Packaged};
use model::{ArtifactId, JobId};
use std::collections::BTreeMap;
use store::PgConnection;
use store::artifact::NewArtifact;
use store::job::Job;
use store::signals::Topic;

use super::assignment::profile_of;
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::state::State;

pub(super) async fn finish(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    Json(finish): Json<Finish>,
) -> Result<StatusCode> {
    let id: JobId = segment("job", &id)?;
    let now = state.now();
    let mut tx = state.db.begin().await?;
    let job = store::job::get(&mut tx, id).await?;
    let running = match &job.state {
        JobState::Running(lease) => lease.attempt == finish.attempt,
        JobState::Blocked | JobState::Queued { .. } | JobState::Finished(_) => false,
    };
    let mut refused = None;
    let mut outcome = finish.outcome;
    if running {
        let effect = Effect { state: &state, job: &job, now };
        if let Err(message) = effect.of(&mut tx, &outcome, finish.result.as_ref()).await? {
            let failure = Failure { kind: FailureKind::Configuration, message: message.clone() };
            outcome = Outcome::Failed(failure);
            effect.failed(&mut tx, DeploymentState::Failed, &message).await?;
            refused = Some(message);
        }
    }
    // refuses what is stale; a repeated end of the same attempt is fine
    store::job::finish(&mut tx, id, finish.attempt, &outcome, finish.result.as_ref(), now).await?;
    tx.commit().await.map_err(Error::internal)?;
    if running {
        metrics::counter!(
            "greenroom_jobs_finished_total",
            "kind" => job.kind.as_str(), "outcome" => outcome.as_str()
        )
        .increment(1);
    }
    state.signals.wake_engine();
    state.signals.touched(Topic::Build(job.build_id));
    state.signals.touched(Topic::Log(id));
    state.signals.touched(Topic::Board);
    match refused {
        Some(message) => Err(Error::Conflict(message)),
        None => Ok(StatusCode::NO_CONTENT),
    }
}

/// Ends a job that was claimed but can never be handed out.
pub(super) async fn fail(state: &State, job: &Job, message: String) -> Result<()> {
    let now = state.now();
    let mut tx = state.db.begin().await?;
    Effect { state, job, now }.failed(&mut tx, DeploymentState::Failed, &message).await?;
    let outcome = Outcome::Failed(Failure { kind: FailureKind::Configuration, message });
    store::job::finish(&mut tx, job.id, job.attempt, &outcome, None, now).await?;
    tx.commit().await.map_err(Error::internal)
}

struct Effect<'a> {
    state: &'a State,
    job: &'a Job,
    now: DateTime<Utc>,
}

impl Effect<'_> {
    /// `Ok(Err(message))`: the worker's claim of success is refused.
    async fn of(
        &self,
        conn: &mut PgConnection,
        outcome: &Outcome,
        result: Option<&JobResult>,
    ) -> Result<std::result::Result<(), String>> {
        let succeeded = match outcome {
            Outcome::Succeeded => true,
            Outcome::Failed(failure) => {
                self.failed(conn, DeploymentState::Failed, &failure.message).await?;
                false
            }
            Outcome::Canceled { reason } | Outcome::Skipped { reason } => {
                self.failed(conn, DeploymentState::Canceled, reason).await?;
                false
            }
        };
        if !succeeded {
            return Ok(Ok(()));
        }
        match (self.job.kind, result) {
            (JobKind::Test, _) | (JobKind::Plan, Some(JobResult::Planned { .. })) => Ok(Ok(())),
            (JobKind::Package, Some(JobResult::Packaged { package })) => {
                self.packaged(conn, package).await
            }
            (JobKind::Deploy, Some(JobResult::Deployed { deployed })) => {
                self.deployed(conn, deployed).await
            }
            (JobKind::Remove, Some(JobResult::Removed)) => self.removed(conn).await,
            (JobKind::Plan | JobKind::Package | JobKind::Deploy | JobKind::Remove, _) => {
                Ok(Err(format!("a {} job ended well without its result", self.job.kind.as_str())))
            }
        }
    }

    async fn packaged(
        &self,
        conn: &mut PgConnection,
        package: &Packaged,
    ) -> Result<std::result::Result<(), String>> {
        let build = store::build::get(conn, self.job.build_id).await?;
        let (Some(stage), Some(service)) = (build.stage_id, &self.job.service) else {
            return Ok(Err("this build deploys nothing, so it has nothing to package".into()));
        };
        let stage = store::stage::get(conn, stage).await?;
        let app = store::app::get(conn, build.app_id).await?;
        let (_, profile) = profile_of(&app, &stage);
        if package.stage != stage.name || package.region != profile.region {
            return Ok(Err(format!(
                "the package of {service} is for stage {} in {}, but this build is for {} in {}: \
                 serverless.yml must take both from `--stage` and `--region`, not fix them",
                package.stage, package.region, stage.name, profile.region
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

    async fn deployed(
        &self,
        conn: &mut PgConnection,
        deployed: &DeployedStack,
    ) -> Result<std::result::Result<(), String>> {
        let (Some(instance), Some(service), Some(spec)) =
            (self.job.instance_id, &self.job.service, &self.job.spec)
        else {
            return Ok(Err("its row names no instance".into()));
        };
        let build = store::build::get(conn, self.job.build_id).await?;
        let Some(artifact) = store::artifact::of_build(conn, build.id, service).await? else {
            return Ok(Err("its artifact is gone".into()));
        };
        let commit = &build.source.commit;
        let number = build.number;
        store::instance::deployed(
            conn,
            instance,
            commit,
            number,
            artifact.id,
            spec,
            deployed,
            self.now,
        )
        .await?;
        self.end(conn, DeploymentState::Succeeded, None, &deployed.outputs).await?;
        Ok(Ok(()))
    }

    async fn removed(&self, conn: &mut PgConnection) -> Result<std::result::Result<(), String>> {
        let Some(instance) = self.job.instance_id else {
            return Ok(Err("its row names no instance".into()));
        };
        store::instance::removed(conn, instance, self.now).await?;
        self.end(conn, DeploymentState::Succeeded, None, &BTreeMap::new()).await?;
        Ok(Ok(()))
    }

    /// A change that did not end well leaves an instance of which only that is known.
    async fn failed(
        &self,
        conn: &mut PgConnection,
        how: DeploymentState,
        reason: &str,
    ) -> Result<()> {
        match (self.job.kind.changes_stack(), self.job.instance_id) {
            (true, Some(instance)) => {
                store::instance::failed(conn, instance, reason, self.now).await?;
                match self.end(conn, how, Some(reason), &BTreeMap::new()).await {
                    // it ended before its deployment began
                    Err(Error::NotFound(_)) => Ok(()),
                    ended => ended,
                }
            }
            (true, None) | (false, _) => Ok(()),
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
