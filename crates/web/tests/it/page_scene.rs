//! Rows for the tests of pages: builds and instances as the engine and the workers would have left
//! them, written by the store's own functions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::TimeDelta;
use model::app::PreviewDeploy;
use model::build::{BuildEvent, BuildOutcome, Purpose, Source};
use model::deployment::{DeploymentKind, DeploymentState};
use model::job::{JobEvent, JobKind, Outcome};
use model::pipeline::{Framework, Service, Step};
use model::plan::{Condition, Decision, PlannedService};
use model::stage::StageKind;
use model::worker_api::{DeployedStack, JobResult, Register};
use model::{ArtifactId, BuildId, CommitSha, DeploymentId, InstanceId, JobId, StageId, WorkerId};
use reqwest::StatusCode;
use serde_json::Value;
use store::app::App;
use store::artifact::NewArtifact;
use store::build::NewBuild;
use store::deployment::NewDeployment;
use store::instance::Success;
use store::job::{NewJob, NewJobState, Work};
use store::stage::{NewStage, Stage};
use uuid::Uuid;

use crate::support::{COMMIT, Server};

pub(crate) struct Scene<'a> {
    pub(crate) server: &'a Server,
    pub(crate) app: App,
    worker: WorkerId,
}

/// A job to be written; only what differs from a deploy job that waits for nothing.
pub(crate) struct Wanted {
    pub(crate) kind: JobKind,
    pub(crate) service: Option<&'static str>,
    pub(crate) region: Option<&'static str>,
    pub(crate) needs: Vec<JobId>,
    pub(crate) condition: Condition<JobId>,
}

impl Wanted {
    pub(crate) fn of(kind: JobKind, service: &'static str) -> Self {
        Self { service: Some(service), ..Self::stage(kind) }
    }

    pub(crate) fn stage(kind: JobKind) -> Self {
        let region = match kind {
            JobKind::Package
            | JobKind::Deploy
            | JobKind::Remove
            | JobKind::Rollback
            | JobKind::Recover
            | JobKind::Foresee
            | JobKind::Drift => Some("us-east-1"),
            JobKind::Plan | JobKind::Test | JobKind::PostDeploy | JobKind::Sweep => None,
        };
        Self { kind, service: None, region, needs: Vec::new(), condition: Condition::Always }
    }

    pub(crate) fn needs(self, needs: &[JobId]) -> Self {
        Self { needs: needs.to_vec(), ..self }
    }

    pub(crate) fn within(self, region: &'static str) -> Self {
        Self { region: Some(region), ..self }
    }

    pub(crate) fn only_if(self, condition: Condition<JobId>) -> Self {
        Self { condition, ..self }
    }
}

/// What is deployed of a service.
pub(crate) struct Deployed<'a> {
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) outputs: &'a [(&'a str, &'a str)],
    /// Of the parameters it was told.
    pub(crate) digest: Option<&'a str>,
}

/// What a deploy left in the rows.
pub(crate) struct Past {
    pub(crate) build: i64,
    pub(crate) deployment: DeploymentId,
    pub(crate) instance: InstanceId,
}

pub(crate) fn id() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u128((1 << 120) + u128::from(NEXT.fetch_add(1, Ordering::Relaxed)))
}

pub(crate) fn service(name: &str) -> Service {
    Service::new(name.parse().unwrap(), format!("backend-{name}"), Framework::Serverless)
}

pub(crate) fn planned(service: &Service, region: &str, decision: Decision) -> PlannedService {
    PlannedService { service: service.clone(), region: Some(region.parse().unwrap()), decision }
}

pub(crate) fn run(reason: &str) -> Decision {
    Decision::Run { reason: reason.to_owned() }
}

pub(crate) async fn shown(server: &Server, path: &str) -> String {
    let answer = server.get(path).header("accept", "text/html").send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{path}: {text}");
    text
}

impl<'a> Scene<'a> {
    /// The app of these settings, and a worker.
    pub(crate) async fn of(server: &'a Server, settings: &Value) -> Self {
        let admin = server.token(model::permission::Role::Admin).await;
        let (status, answer) = server.apply(&admin, settings).await;
        assert!(status.is_success(), "{answer}");
        let mut conn = server.db.acquire().await.unwrap();
        let name = "workshop".parse().unwrap();
        let app = store::app::find(&mut conn, &name).await.unwrap().unwrap();
        let register = Register {
            name: "scene".into(),
            incarnation: id(),
            slots: 1,
            version: "1".into(),
            executor: "none".into(),
        };
        let worker = WorkerId(id());
        let worker =
            store::worker::register(&mut conn, worker, &register, server.now()).await.unwrap().id;
        Self { server, app, worker }
    }

    pub(crate) async fn stage(&self, name: &str, kind: StageKind) -> Stage {
        let new = NewStage {
            id: StageId(id()),
            app_id: self.app.id,
            name: name.parse().unwrap(),
            kind,
            profile: "development".parse().unwrap(),
            branch: (kind == StageKind::Preview).then(|| name.parse().unwrap()),
            pull_request: None,
            created_at: self.server.now(),
        };
        let mut conn = self.server.db.acquire().await.unwrap();
        store::stage::insert(&mut conn, &new).await.unwrap();
        store::stage::get(&mut conn, new.id).await.unwrap()
    }

    /// A build whose plan is made.
    pub(crate) async fn build(
        &self,
        stage: &Stage,
        services: Option<&[&str]>,
        planned: &[PlannedService],
    ) -> BuildId {
        self.build_of(stage, COMMIT, services, planned).await
    }

    async fn build_of(
        &self,
        stage: &Stage,
        commit: &str,
        services: Option<&[&str]>,
        planned: &[PlannedService],
    ) -> BuildId {
        let mut conn = self.server.db.acquire().await.unwrap();
        let new = NewBuild {
            id: BuildId(id()),
            app_id: self.app.id,
            number: store::app::next_build_number(&mut conn, self.app.id).await.unwrap(),
            event: BuildEvent::Push,
            purpose: Purpose::Deploy,
            stage_id: Some(stage.id),
            source: Source {
                commit: commit.parse().unwrap(),
                branch: Some("master".parse().unwrap()),
                tag: None,
                pull_request: None,
                title: "Say hello".into(),
                author: "octocat".into(),
            },
            forced: false,
            services: services
                .map(|names| names.iter().map(|name| name.parse().unwrap()).collect()),
            preview_deploy: PreviewDeploy::default(),
            delivery_guid: None,
            created_at: self.server.now(),
        };
        store::build::insert(&mut conn, &new).await.unwrap();
        store::build::set_planned(&mut conn, new.id, planned).await.unwrap();
        new.id
    }

    /// Ends a build well.
    pub(crate) async fn end(&self, build: BuildId) {
        let mut conn = self.server.db.acquire().await.unwrap();
        let outcome = BuildOutcome::Succeeded;
        store::build::finish(&mut conn, build, outcome, None, self.server.now()).await.unwrap();
    }

    async fn insert(&self, build: BuildId, wanted: Wanted, state: NewJobState) -> JobId {
        let mut conn = self.server.db.acquire().await.unwrap();
        let row = store::build::get(&mut conn, build).await.unwrap();
        let spec = wanted.service.map(service);
        let instance = match (wanted.kind, &spec, wanted.region) {
            (JobKind::Deploy | JobKind::Remove, Some(spec), Some(region)) => {
                let region = region.parse().unwrap();
                let (stage, now) = (row.stage_id.unwrap(), self.server.now());
                let made = InstanceId(id());
                let instance =
                    store::instance::ensure(&mut conn, made, stage, &spec.name, &region, spec, now);
                Some(instance.await.unwrap())
            }
            _ => None,
        };
        let new = NewJob {
            id: JobId(id()),
            build_id: build,
            kind: wanted.kind,
            service: spec.as_ref().map(|spec| spec.name.clone()),
            region: wanted.region.map(|region| region.parse().unwrap()),
            instance_id: instance,
            work: match wanted.kind {
                JobKind::Plan => None,
                JobKind::PostDeploy => Some(Work::Step(Step::new("./smoke-test"))),
                JobKind::Foresee => spec.map(|spec| Work::Foresee {
                    service: Box::new(spec),
                    stage: "staging".parse().unwrap(),
                }),
                _ => spec.map(Work::from),
            },
            needs: wanted.needs,
            condition: wanted.condition,
            state,
        };
        let id = new.id;
        store::job::insert(&mut conn, &[new], self.server.now()).await.unwrap();
        id
    }

    /// A job that waits.
    pub(crate) async fn blocked(&self, build: BuildId, wanted: Wanted) -> JobId {
        self.insert(build, wanted, NewJobState::Blocked).await
    }

    pub(crate) async fn unneeded(&self, build: BuildId, wanted: Wanted, reason: &str) -> JobId {
        let job = self.blocked(build, wanted).await;
        let mut conn = self.server.db.acquire().await.unwrap();
        let event = JobEvent::Unneeded { reason: reason.to_owned() };
        store::job::transition(&mut conn, job, &event, self.server.now()).await.unwrap();
        job
    }

    /// A job that a worker has ended.
    pub(crate) async fn ended(
        &self,
        build: BuildId,
        wanted: Wanted,
        outcome: Outcome,
        result: Option<JobResult>,
    ) -> JobId {
        let job = self.insert(build, wanted, NewJobState::Queued).await;
        let mut conn = self.server.db.acquire().await.unwrap();
        let now = self.server.now();
        let lease = now + TimeDelta::minutes(1);
        let claimed = store::job::claim(&mut conn, self.worker, lease, now).await.unwrap().unwrap();
        assert_eq!(claimed.id, job);
        store::job::finish(&mut conn, job, 1, &outcome, result.as_ref(), now).await.unwrap();
        job
    }

    pub(crate) async fn deployed(&self, stage: &Stage, build_number: i64, what: &Deployed<'_>) {
        let mut conn = self.server.db.acquire().await.unwrap();
        let now = self.server.now();
        let mut spec = service(what.service);
        spec.published_as = Some(format!("fullstack-{}", what.service));
        let region = what.region.parse().unwrap();
        let made = InstanceId(id());
        let instance =
            store::instance::ensure(&mut conn, made, stage.id, &spec.name, &region, &spec, now)
                .await
                .unwrap();
        let outputs: BTreeMap<String, String> = what
            .outputs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let stack = DeployedStack {
            stacks: vec![
                format!("{}-{}", what.service, stage.name),
                format!("{}-{}-more", what.service, stage.name),
            ],
            left_at: BTreeMap::new(),
            outputs,
            endpoints: Vec::new(),
        };
        let success = Success {
            commit: &COMMIT.parse::<CommitSha>().unwrap(),
            build_number,
            artifact: ArtifactId(id()),
            spec: &spec,
            stack: &stack,
            read_at: None,
            parameters_digest: what.digest,
            outputs_changed: true,
        };
        store::instance::deployed(&mut conn, instance, &success, now).await.unwrap();
    }

    /// A build that deployed one service from this commit, as it is remembered.
    pub(crate) async fn past(&self, stage: &Stage, name: &str, commit: &str) -> Past {
        let spec = service(name);
        let build = self.build_of(stage, commit, None, &[]).await;
        let name: &'static str = name.to_owned().leak();
        let package = Wanted::of(JobKind::Package, name);
        let package = self.ended(build, package, Outcome::Succeeded, None).await;
        let deploy = Wanted::of(JobKind::Deploy, name);
        let deploy = self.ended(build, deploy, Outcome::Succeeded, None).await;
        let now = self.server.now();
        let mut conn = self.server.db.acquire().await.unwrap();
        let number = store::build::get(&mut conn, build).await.unwrap().number;
        let job = store::job::get(&mut conn, deploy).await.unwrap();
        let (instance, region) = (job.instance_id.unwrap(), job.region.unwrap());
        let (digest, key_id) = self.server.keep(format!("the artifact of build {number}")).await;
        let artifact = NewArtifact {
            id: ArtifactId(id()),
            job_id: package,
            build_id: build,
            service: spec.name.clone(),
            stage_id: stage.id,
            region: region.clone(),
            digest,
            size_bytes: 1,
            key_id,
            parameters_digest: None,
            created_at: now,
        };
        let artifact = store::artifact::insert(&mut conn, &artifact).await.unwrap();
        let commit: CommitSha = commit.parse().unwrap();
        let deployment = NewDeployment {
            id: DeploymentId(id()),
            instance_id: instance,
            stage_id: stage.id,
            region,
            job_id: deploy,
            build_id: build,
            kind: DeploymentKind::Deploy,
            artifact_id: Some(artifact),
            commit: commit.clone(),
            started_at: now,
        };
        let deployment = store::deployment::begin(&mut conn, &deployment).await.unwrap();
        let ended = DeploymentState::Succeeded;
        store::deployment::end(&mut conn, deploy, ended, None, &BTreeMap::new(), now)
            .await
            .unwrap();
        let stack = DeployedStack {
            stacks: vec![format!("{name}-{}", stage.name)],
            left_at: BTreeMap::new(),
            outputs: BTreeMap::new(),
            endpoints: Vec::new(),
        };
        let success = Success {
            commit: &commit,
            build_number: number,
            artifact,
            spec: &spec,
            stack: &stack,
            read_at: None,
            parameters_digest: None,
            outputs_changed: false,
        };
        store::instance::deployed(&mut conn, instance, &success, now).await.unwrap();
        drop(conn);
        self.end(build).await;
        Past { build: number, deployment, instance }
    }

    /// The digest of the stage's parameters as they are.
    pub(crate) async fn digest(&self, stage: &Stage) -> String {
        let mut conn = self.server.db.acquire().await.unwrap();
        let times = store::secret::times(&mut conn, self.app.id).await.unwrap();
        model::app::digest_of(&stage.parameters_in(&self.app.settings), &times)
    }
}
