//! A build on its way, for tests that begin in the middle of one: what the engine would have
//! written between two calls of a worker.

use model::build::BuildOutcome;
use model::job::{JobEvent, JobKind};
use model::pipeline::{Framework, Service, Step};
use model::plan::{Condition, Decision, PlannedService};
use model::{BuildId, InstanceId, JobId};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::job::{NewJob, NewJobState, Work};

use crate::support::{COMMIT, EMBEDDED, Server, Worker, answer};

pub(crate) fn succeeded() -> Value {
    json!({ "outcome": "succeeded" })
}

pub(crate) fn service(name: &str) -> Service {
    Service {
        notes: vec!["npm ci, for there is a package-lock.json".into()],
        published_as: Some(format!("fullstack-{name}")),
        ..Service::new(name.parse().unwrap(), name, Framework::Serverless)
    }
}

pub(crate) struct Story<'a> {
    pub(crate) server: &'a Server,
    pub(crate) admin: String,
    pub(crate) build: BuildId,
    pub(crate) jobs: Vec<(JobKind, JobId)>,
}

impl<'a> Story<'a> {
    /// A build by hand of the stage staging.
    pub(crate) async fn build(server: &Server, admin: &str) -> Value {
        Self::build_at(server, admin, COMMIT).await
    }

    async fn build_at(server: &Server, admin: &str, commit: &str) -> Value {
        let start = server.post("/api/v1/apps/workshop/builds").bearer_auth(admin);
        let wanted = json!({ "branch": "master", "commit": commit });
        let (status, build) = answer(start.json(&wanted)).await;
        assert_eq!(status, StatusCode::CREATED, "{build}");
        build
    }

    /// A build whose plan is made: test is queued, package and deploy wait for it, and the stage's
    /// own command for them.
    pub(crate) async fn planned(server: &'a Server) -> Self {
        let admin = server.workshop().await;
        Self::of(server, admin).await
    }

    /// The same of an app that is applied already.
    pub(crate) async fn of(server: &'a Server, admin: String) -> Self {
        Self::at(server, admin, COMMIT).await
    }

    /// The same of another commit.
    pub(crate) async fn at(server: &'a Server, admin: String, commit: &str) -> Self {
        let build = Self::build_at(server, &admin, commit).await;
        let build: BuildId = build["id"].as_str().unwrap().parse().unwrap();
        let worker = server.worker("planner").await;
        let plan = worker.job().await;
        let findings = json!({ "kind": "planned", "findings": { "services": [], "changes": {} } });
        assert_eq!(worker.finish(&plan, succeeded(), findings).await, StatusCode::NO_CONTENT);

        let mut conn = server.db.acquire().await.unwrap();
        let spec = service("restapi");
        let planned = PlannedService {
            service: spec.clone(),
            region: Some("us-east-1".parse().unwrap()),
            decision: Decision::Run { reason: "it was never in this stage".into() },
        };
        store::build::set_planned(&mut conn, build, &[planned]).await.unwrap();
        let row = store::build::get(&mut conn, build).await.unwrap();
        let instance = store::instance::ensure(
            &mut conn,
            InstanceId(server.id()),
            row.stage_id.unwrap(),
            &spec.name,
            &"us-east-1".parse().unwrap(),
            &spec,
            server.now(),
        )
        .await
        .unwrap();
        let mut jobs: Vec<NewJob> = Vec::new();
        for kind in [JobKind::Test, JobKind::Package, JobKind::Deploy, JobKind::PostDeploy] {
            let work = match kind {
                JobKind::PostDeploy => Work::Step(Step::new("./smoke-test")),
                JobKind::Plan
                | JobKind::Test
                | JobKind::Package
                | JobKind::Deploy
                | JobKind::Remove
                | JobKind::Rollback
                | JobKind::Recover
                | JobKind::Foresee
                | JobKind::Sweep
                | JobKind::Drift => Work::from(spec.clone()),
            };
            let placed = matches!(kind, JobKind::Package | JobKind::Deploy);
            jobs.push(NewJob {
                id: JobId(server.id()),
                build_id: build,
                kind,
                service: work.service().map(|service| service.name.clone()),
                region: placed.then(|| "us-east-1".parse().unwrap()),
                instance_id: (kind == JobKind::Deploy).then_some(instance),
                work: Some(work),
                needs: jobs.last().map(|before| before.id).into_iter().collect(),
                condition: Condition::Always,
                state: if kind == JobKind::Test {
                    NewJobState::Queued
                } else {
                    NewJobState::Blocked
                },
            });
        }
        store::job::insert(&mut conn, &jobs, server.now()).await.unwrap();
        let jobs = jobs.into_iter().map(|job| (job.kind, job.id)).collect();
        Self { server, admin, build, jobs }
    }

    /// Unblocks a job, as the engine does when what it needs has succeeded.
    pub(crate) async fn queue(&self, kind: &str) {
        let mut conn = self.server.db.acquire().await.unwrap();
        let (_, id) = self.jobs.iter().find(|(job, _)| job.as_str() == kind).unwrap();
        store::job::transition(&mut conn, *id, &JobEvent::NeedsMet, self.server.now())
            .await
            .unwrap();
    }

    /// Ends the build, as the engine does when its jobs have ended.
    pub(crate) async fn conclude(&self) {
        let mut conn = self.server.db.acquire().await.unwrap();
        let outcome = BuildOutcome::Succeeded;
        store::build::finish(&mut conn, self.build, outcome, None, self.server.now())
            .await
            .unwrap();
    }

    /// Runs test and package, and queues the deploy.
    pub(crate) async fn package(&self, worker: &Worker<'_>) -> StatusCode {
        let status = self.package_for(worker, "staging").await;
        self.queue("deploy").await;
        status
    }

    /// Runs all of it but the stage's own command; answers the end of the deploy.
    pub(crate) async fn deploy(&self, worker: &Worker<'_>, outputs: Value) -> StatusCode {
        assert_eq!(self.package(worker).await, StatusCode::NO_CONTENT);
        let deploy = worker.job().await;
        let deployed = json!({ "kind": "deployed", "deployed": {
            "stacks": ["restapi-staging", "restapi-staging-cdn"],
            "outputs": outputs,
            "endpoints": ["https://x.example"],
        } });
        worker.finish(&deploy, succeeded(), deployed).await
    }

    pub(crate) async fn package_for(&self, worker: &Worker<'_>, stage: &str) -> StatusCode {
        let test = worker.job().await;
        assert_eq!(worker.finish(&test, succeeded(), Value::Null).await, StatusCode::NO_CONTENT);
        self.queue("package").await;
        let package = worker.job().await;
        let artifact =
            format!("/worker/v1/jobs/{}/artifact?attempt=1", package["job"].as_str().unwrap());
        let put =
            self.server.request(Method::PUT, &artifact).bearer_auth(EMBEDDED).body("the artifact");
        let (status, stored) = answer(put).await;
        assert_eq!(status, StatusCode::OK, "{stored}");
        let packaged = json!({ "kind": "packaged", "package": {
            "artifact": stored, "stage": stage, "region": "us-east-1",
        } });
        worker.finish(&package, succeeded(), packaged).await
    }
}
