//! What a claimed job's worker is told, and the deployment that a claimed change begins.
//!
//! What always holds: profile, role and parameters come from the app's settings, never from the
//! commit; a test job gets no secret; a fork's job gets no parameter at all. A new attempt of a
//! change finds the deployment of the first.

use std::collections::{BTreeMap, BTreeSet};

use model::app::{Profile, Value};
use model::build::{Purpose, Source};
use model::deployment::{DeploymentKind, InstanceState};
use model::job::JobKind;
use model::pipeline::Service;
use model::worker_api::{Assignment, Parameter, StoredArtifact, Target, Task};
use model::{DeploymentId, ParameterKey, ProfileName, Region, ServiceName};
use secrecy::ExposeSecret;
use store::PgConnection;
use store::app::App;
use store::build::Build;
use store::deployment::NewDeployment;
use store::instance::Instance;
use store::job::Job;
use store::stage::Stage;

use crate::state::State;

/// The trust of a job whose commit nobody with write access made.
const FORK: &str = "fork";

/// Why a claimed job cannot be handed out.
pub(super) enum Unassignable {
    /// It never can: the job fails with this reason.
    Fails(String),
    Store(store::Error),
}

impl From<store::Error> for Unassignable {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NotFound { .. }
            | store::Error::NotAllowed(_)
            | store::Error::Inconsistent { .. }
            | store::Error::Vault(_) => Self::Fails(error.to_string()),
            store::Error::Sqlx(_)
            | store::Error::Conflict { .. }
            | store::Error::Stale { .. }
            | store::Error::Objects(_)
            | store::Error::Schema(_) => Self::Store(error),
        }
    }
}

type Assigned<T> = Result<T, Unassignable>;

/// The profile that serves a stage. A preview keeps the one it was made with for as long as the
/// settings have it: its stacks lie in that account.
pub(super) fn profile_of<'a>(app: &'a App, stage: &Stage) -> (&'a ProfileName, &'a Profile) {
    let settings = &app.settings;
    let kept = || settings.profiles.get_key_value(&stage.profile);
    match settings.stages.get(&stage.name) {
        Some(_) => settings.profile_of(&stage.name),
        None => kept().unwrap_or_else(|| settings.profile_of(&stage.name)),
    }
}

pub(super) async fn build(
    state: &State,
    conn: &mut PgConnection,
    job: &Job,
) -> Assigned<Assignment> {
    let build = store::build::get(conn, job.build_id).await?;
    let app = store::app::get(conn, build.app_id).await?;
    let stage = match build.stage_id {
        Some(id) => Some(store::stage::get(conn, id).await?),
        None => None,
    };
    let (task, source) = task(state, conn, job, &build, &app, stage.as_ref()).await?;
    Ok(Assignment {
        job: job.id,
        attempt: job.attempt,
        build: build.id,
        build_number: build.number,
        build_url: state.build_url(&app.name, build.number),
        app: app.name,
        repository: app.repository,
        source,
        task,
        aws: state.settings.aws_endpoint.clone(),
    })
}

async fn task(
    state: &State,
    conn: &mut PgConnection,
    job: &Job,
    build: &Build,
    app: &App,
    stage: Option<&Stage>,
) -> Assigned<(Task, Source)> {
    let source = build.source.clone();
    let trust = match build.purpose {
        Purpose::Test => FORK,
        Purpose::Deploy | Purpose::Remove => stage.map_or(FORK, |stage| stage.kind.trust()),
    };
    let trust = trust.to_owned();
    let needs_stage = || stage.ok_or_else(|| missing("stage"));
    let service = || job.spec.clone().ok_or_else(|| missing("service"));
    Ok(match job.kind {
        JobKind::Plan => {
            let compare_with = match stage {
                Some(stage) => deployed_commits(conn, stage).await?,
                None => Vec::new(),
            };
            (Task::Plan { compare_with }, source)
        }
        JobKind::Test => {
            let target = match (build.purpose, stage) {
                (Purpose::Deploy, Some(stage)) => {
                    Some(target(state, conn, app, stage, None, Secrets::Withheld).await?)
                }
                (Purpose::Test | Purpose::Deploy | Purpose::Remove, _) => None,
            };
            (Task::Test { service: service()?, target, trust }, source)
        }
        JobKind::Package => {
            let target = target(state, conn, app, needs_stage()?, None, Secrets::Open).await?;
            (Task::Package { service: service()?, target, trust }, source)
        }
        JobKind::Deploy => {
            let (service, stage) = (service()?, needs_stage()?);
            let instance = instance(conn, job).await?;
            let artifact = begin_deploy(state, conn, job, build, &instance, &service.name).await?;
            let region = Some(&instance.region);
            let target = target(state, conn, app, stage, region, Secrets::Open).await?;
            (Task::Deploy { service, target, artifact, trust }, source)
        }
        JobKind::Remove => {
            let instance = instance(conn, job).await?;
            let (service, source) = begin_remove(state, conn, job, build, &instance).await?;
            let region = Some(&instance.region);
            let target = target(state, conn, app, needs_stage()?, region, Secrets::Open).await?;
            (Task::Remove { service, target, stack: instance.stack, trust }, source)
        }
    })
}

fn missing(what: &str) -> Unassignable {
    Unassignable::Fails(format!("its row has no {what}: start a new build"))
}

async fn instance(conn: &mut PgConnection, job: &Job) -> Assigned<Instance> {
    let id = job.instance_id.ok_or_else(|| missing("instance"))?;
    Ok(store::instance::get(conn, id).await?)
}

async fn deployed_commits(
    conn: &mut PgConnection,
    stage: &Stage,
) -> Assigned<Vec<model::CommitSha>> {
    let commits: BTreeSet<_> = store::instance::list(conn, stage.id)
        .await?
        .into_iter()
        .filter_map(|instance| instance.commit)
        .collect();
    Ok(commits.into_iter().collect())
}

/// Whether the job may know the profile's secrets.
#[derive(Clone, Copy)]
enum Secrets {
    Open,
    Withheld,
}

async fn target(
    state: &State,
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    region: Option<&Region>,
    secrets: Secrets,
) -> Assigned<Target> {
    let (name, profile) = profile_of(app, stage);
    let mut parameters: BTreeMap<ParameterKey, Parameter> = profile
        .parameters
        .iter()
        .filter_map(|(key, value)| match value {
            Value::Plain(value) => {
                Some((key.clone(), Parameter { value: value.clone(), secret: false }))
            }
            Value::Secret(_) => None,
        })
        .collect();
    match secrets {
        Secrets::Withheld => {}
        Secrets::Open => {
            for (key, value) in store::secret::open(conn, &state.vault, app.id, name).await? {
                let value = value.expose_secret().to_owned();
                parameters.insert(key, Parameter { value, secret: true });
            }
        }
    }
    Ok(Target {
        stage: stage.name.clone(),
        stage_kind: stage.kind,
        region: region.unwrap_or(&profile.region).clone(),
        parameters,
    })
}

async fn begin_deploy(
    state: &State,
    conn: &mut PgConnection,
    job: &Job,
    build: &Build,
    instance: &Instance,
    service: &ServiceName,
) -> Assigned<StoredArtifact> {
    let artifact = store::artifact::of_build(conn, build.id, service).await?.ok_or_else(|| {
        Unassignable::Fails(format!("the build has no artifact of {service} to deploy"))
    })?;
    if (artifact.stage_id, &artifact.region) != (instance.stage_id, &instance.region) {
        return Err(Unassignable::Fails(format!(
            "the artifact of {service} was packaged for another stage or for {}, not {}",
            artifact.region, instance.region
        )));
    }
    let new = NewDeployment {
        id: DeploymentId(state.id()),
        instance_id: instance.id,
        stage_id: instance.stage_id,
        region: instance.region.clone(),
        job_id: job.id,
        build_id: build.id,
        kind: DeploymentKind::Deploy,
        artifact_id: Some(artifact.id),
        commit: build.source.commit.clone(),
        started_at: state.now(),
    };
    store::deployment::begin(conn, &new).await?;
    store::instance::set_running(conn, instance.id, InstanceState::Deploying, state.now()).await?;
    Ok(StoredArtifact { digest: artifact.digest, size_bytes: artifact.size_bytes })
}

/// A removal runs from the source of the last successful deployment: the branch may be gone.
async fn begin_remove(
    state: &State,
    conn: &mut PgConnection,
    job: &Job,
    build: &Build,
    instance: &Instance,
) -> Assigned<(Service, Source)> {
    let commit = instance.commit.clone().unwrap_or_else(|| build.source.commit.clone());
    let new = NewDeployment {
        id: DeploymentId(state.id()),
        instance_id: instance.id,
        stage_id: instance.stage_id,
        region: instance.region.clone(),
        job_id: job.id,
        build_id: build.id,
        kind: DeploymentKind::Remove,
        artifact_id: None,
        commit: commit.clone(),
        started_at: state.now(),
    };
    store::deployment::begin(conn, &new).await?;
    store::instance::set_running(conn, instance.id, InstanceState::Removing, state.now()).await?;
    let service = job.spec.clone().unwrap_or_else(|| instance.spec.clone());
    Ok((service, Source { commit, ..build.source.clone() }))
}
