//! What a package that was made and a deploy that arrived mean for artifact and instance.
//!
//! What always holds: an artifact is kept for the stage and region it was made for, and no other;
//! what an instance says it runs is what its job deployed, of a rollback the older commit.

use chrono::{DateTime, Utc};
use model::ArtifactId;
use model::app::digest_of;
use model::deployment::DeploymentState;
use model::job::JobKind;
use model::worker_api::{DeployedStack, Packaged};
use store::PgConnection;
use store::artifact::{Artifact, NewArtifact};
use store::instance::Success;
use store::job::Work;
use store::stage::Stage;

use super::{Effect, Verdict};
use crate::error::Result;

impl Effect<'_> {
    pub(super) async fn packaged(
        &self,
        conn: &mut PgConnection,
        package: &Packaged,
    ) -> Result<Verdict<()>> {
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
        let digest = self.digest_since(conn, &stage, self.job.started_at).await?;
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
                parameters_digest: digest,
                created_at: self.now,
            },
        )
        .await?;
        Ok(Ok(()))
    }

    /// Answers the outputs that are not what they were.
    pub(super) async fn deployed(
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
        let (artifact, commit) = match &self.job.work {
            Some(Work::Rollback { artifact, commit, .. }) => {
                (Some(store::artifact::get(conn, *artifact).await?), commit)
            }
            Some(
                Work::Service(_)
                | Work::Step(_)
                | Work::Removal { .. }
                | Work::Recover { .. }
                | Work::Foresee { .. }
                | Work::Sweep { .. }
                | Work::Discard { .. },
            )
            | None => {
                let (service, region) = (&instance.service, &instance.region);
                let found = store::artifact::of_build(conn, build.id, service, region).await?;
                (found, &build.source.commit)
            }
        };
        let Some(artifact) = artifact else {
            return Ok(Err("its artifact is gone".into()));
        };
        let changed = instance.changed_outputs(&deployed.outputs);
        let (read_at, parameters_digest) = self.told(conn, &artifact).await?;
        let success = Success {
            commit,
            build_number: build.number,
            artifact: artifact.id,
            spec,
            stack: deployed,
            read_at,
            parameters_digest: parameters_digest.as_deref(),
            outputs_changed: !changed.is_empty(),
        };
        store::instance::deployed(conn, instance.id, &success, self.now).await?;
        store::drift::clear(conn, instance.id).await?;
        self.end(conn, DeploymentState::Succeeded, None, &deployed.outputs).await?;
        Ok(Ok(changed))
    }

    /// When the package was told its parameters, and their digest; none if the deployment was told
    /// others, or may have been.
    async fn told(
        &self,
        conn: &mut PgConnection,
        artifact: &Artifact,
    ) -> Result<(Option<DateTime<Utc>>, Option<String>)> {
        let stage = store::stage::get(conn, artifact.stage_id).await?;
        let read_at = store::job::get(conn, artifact.job_id).await?.started_at;
        let digest = match self.job.kind {
            // its package is old, and the deploy has the parameters of now
            JobKind::Rollback => {
                let now = self.digest_since(conn, &stage, self.job.started_at).await?;
                now.filter(|now| artifact.parameters_digest.as_ref() == Some(now))
            }
            JobKind::Plan
            | JobKind::Test
            | JobKind::Package
            | JobKind::Deploy
            | JobKind::Remove
            | JobKind::PostDeploy
            | JobKind::Recover
            | JobKind::Foresee
            | JobKind::Sweep
            | JobKind::Drift => self.digest_since(conn, &stage, read_at).await?,
        };
        Ok((read_at, digest))
    }

    /// The digest of the stage's parameters; none if the settings or a secret changed since then,
    /// for then nobody knows which of them a job got.
    async fn digest_since(
        &self,
        conn: &mut PgConnection,
        stage: &Stage,
        since: Option<DateTime<Utc>>,
    ) -> Result<Option<String>> {
        let app = store::app::get(conn, stage.app_id).await?;
        let times = store::secret::times(conn, app.id).await?;
        let unchanged = since.is_some_and(|since| {
            app.updated_at <= since && times.values().all(|changed| *changed <= since)
        });
        let digest = || digest_of(&stage.parameters_in(&app.settings), &times);
        Ok(unchanged.then(digest))
    }
}
