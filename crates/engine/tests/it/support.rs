//! What the tests share: an engine on the test's database, an app, and a worker's doings.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, TimeDelta, Utc};
use engine::{Engine, Parts, Reconcile};
use github::GitHub;
use model::app::{PreviewDeploy, parse_json};
use model::build::{BuildEvent, Purpose, Source};
use model::job::{Failure, FailureKind, JobKind, JobState, Outcome};
use model::pipeline::{Dependency, DependencyOrigin, Framework, Service};
use model::plan::{Changes, Findings};
use model::stage::StageKind;
use model::worker_api::{DeployedStack, JobResult};
use model::{AppId, ArtifactId, BuildId, CommitSha, InstanceId, StageId, WorkerId};
use serde_json::{Value, json};
use sqlx::ConnectOptions;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnectOptions;
use store::app::App;
use store::build::Build;
use store::instance::{Instance, Success};
use store::job::Job;
use store::order::{Moment, Order};
use store::signals::Signals;
use store::vault::Vault;
use store::{Database, PgConnection};
use uuid::Uuid;

/// Nobody listens there.
pub(crate) const PUBLIC_URL: &str = "http://127.0.0.1:9";

pub(crate) fn id() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u128(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)) << 64)
}

/// A key of this process's own; nothing here is sealed for long.
pub(crate) fn vault() -> Vault {
    static VAULT: LazyLock<Vault> = LazyLock::new(|| {
        let dir = std::env::temp_dir().join(format!("greenroom-engine-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let vault = Vault::load_or_create(&dir.join("key")).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        vault
    });
    VAULT.clone()
}

pub(crate) fn sha(digit: char) -> CommitSha {
    digit.to_string().repeat(40).parse().unwrap()
}

/// A service in a directory of its name.
pub(crate) fn service(name: &str) -> Service {
    Service::new(name.parse().unwrap(), name, Framework::Serverless)
}

/// One that reads outputs of another by this reference.
pub(crate) fn reader(name: &str, of: &str, reference: &str) -> Service {
    let origin = DependencyOrigin::Output {
        reference: reference.parse().unwrap(),
        file: format!("{name}/serverless.yml"),
    };
    Service {
        depends_on: vec![Dependency { service: of.parse().unwrap(), origin }],
        ..service(name)
    }
}

/// The database, and two services that read it in their own stage.
pub(crate) fn workshop() -> Vec<Service> {
    vec![
        service("database"),
        reader("restapi", "database", "${output:database.table}"),
        reader("tasks", "database", "${output:database.table}"),
    ]
}

/// The files that differ from each commit.
pub(crate) fn changes(since: &[(char, &[&str])]) -> BTreeMap<CommitSha, Changes> {
    let files = |files: &[&str]| files.iter().map(|file| (*file).to_owned()).collect();
    since
        .iter()
        .map(|(commit, changed)| (sha(*commit), Changes::Files { files: files(changed) }))
        .collect()
}

pub(crate) fn file() -> Value {
    let profile = |account: &str| {
        json!({
            "role_arn": format!("arn:aws:iam::{account}:role/greenroom-deploy"),
            "region": "us-east-1",
            "parameters": { "env": "dev" },
        })
    };
    json!({
        "app": "workshop",
        "repository": "acme/workshop",
        "default_profile": "development",
        "profiles": { "development": profile("111111111111"), "production": profile("222222222222") },
        "stages": {
            "dev": { "profile": "development" },
            "staging": { "profile": "development" },
            "prod": { "profile": "production" },
        },
        "rules": [
            { "branch": "master", "stage": "dev" },
            { "preview": { "base": ["master"] } },
        ],
    })
}

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) app: App,
    db: Database,
    seconds: Arc<AtomicI64>,
}

/// PostgreSQL waits five seconds for those who are still connected to a database that is dropped.
impl Drop for World {
    fn drop(&mut self) {
        let pool = self.db.pool().clone();
        tokio::spawn(async move { pool.close().await });
    }
}

fn connection(github: Option<Arc<GitHub>>) -> github::Connection {
    let clock: github::Clock = Arc::new(|| DateTime::UNIX_EPOCH);
    match github {
        Some(github) => github::Connection::configured(PUBLIC_URL, clock, github.as_ref().clone()),
        None => github::Connection::open(PUBLIC_URL, clock),
    }
}

impl World {
    pub(crate) async fn new(options: PgConnectOptions) -> Self {
        Self::with(options, &file()).await
    }

    pub(crate) async fn with(options: PgConnectOptions, file: &Value) -> Self {
        Self::at(options, file, "https://ci.example.com", None).await
    }

    /// One that has an identity on this GitHub, which cannot reach it.
    pub(crate) async fn beside(
        options: PgConnectOptions,
        file: &Value,
        github: Arc<GitHub>,
    ) -> Self {
        Self::at(options, file, PUBLIC_URL, Some(github)).await
    }

    async fn at(
        options: PgConnectOptions,
        file: &Value,
        public_url: &str,
        github: Option<Arc<GitHub>>,
    ) -> Self {
        let db = Database::connect(options.to_url_lossy().as_str(), 5).await.unwrap();
        let seconds = Arc::new(AtomicI64::new(0));
        let clock = Arc::clone(&seconds);
        let notify = notify::Sender::new(&notify::Config {
            allowed: vec!["127.0.0.0/8".parse().unwrap()],
            slack_url: notify::SLACK.into(),
            smtp: None,
        });
        let notify = notify.unwrap();
        let engine = Engine::new(Parts {
            db: db.clone(),
            signals: Signals::new(),
            github: connection(github),
            public_url: public_url.into(),
            reconcile: Reconcile::default(),
            clock: Arc::new(move || moment(clock.load(Ordering::Relaxed))),
            ids: Arc::new(id),
            vault: vault(),
            notify,
            roles: model::people::ServerRoles::default(),
        });
        let settings = parse_json(file).unwrap().settings;
        let mut conn = db.acquire().await.unwrap();
        let app = store::app::put(&mut conn, AppId(id()), &settings, moment(0)).await.unwrap();
        let app = store::app::get(&mut conn, app).await.unwrap();
        Self { engine, app, db, seconds }
    }

    pub(crate) async fn conn(&self) -> PoolConnection<sqlx::Postgres> {
        self.db.acquire().await.unwrap()
    }

    /// Each event of a test has a second of its own.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        moment(self.seconds.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Time goes by, and the engine looks.
    pub(crate) async fn pass(&self, time: TimeDelta) {
        self.seconds.fetch_add(time.num_seconds(), Ordering::Relaxed);
        self.settle().await;
    }

    /// Puts another app file into force.
    pub(crate) async fn put(&self, file: &Value) {
        let settings = parse_json(file).unwrap().settings;
        let mut conn = self.conn().await;
        store::app::put(&mut conn, self.app.id, &settings, self.now()).await.unwrap();
        store::build::mark_app(&mut conn, self.app.id).await.unwrap();
        drop(conn);
        self.settle().await;
    }

    /// Every pass, until none finds anything to do.
    pub(crate) async fn settle(&self) {
        while self.engine.turn().await.unwrap() == engine::Progress::Made {}
    }

    pub(crate) async fn stage(&self, name: &str, kind: StageKind) -> StageId {
        let mut conn = self.conn().await;
        if let Some(stage) =
            store::stage::find_open(&mut conn, self.app.id, &name.parse().unwrap()).await.unwrap()
        {
            return stage.id;
        }
        let new = store::stage::NewStage {
            id: StageId(id()),
            app_id: self.app.id,
            profile: self.app.settings.profile_of(&name.parse().unwrap()).0.clone(),
            name: name.parse().unwrap(),
            kind,
            branch: (kind == StageKind::Preview).then(|| format!("b/{name}").parse().unwrap()),
            pull_request: None,
            created_at: self.now(),
        };
        store::stage::insert(&mut conn, &new).await.unwrap();
        new.id
    }

    pub(crate) fn order(&self, stage: StageId, commit: char) -> Order<'_> {
        Order {
            app: &self.app,
            event: BuildEvent::Push,
            purpose: Purpose::Deploy,
            stage: Some(stage),
            source: Source {
                commit: sha(commit),
                branch: Some("master".parse().unwrap()),
                tag: None,
                pull_request: None,
                title: "a change".into(),
                author: "ann".into(),
            },
            forced: false,
            services: None,
            preview_deploy: PreviewDeploy::Changed,
            delivery: None,
        }
    }

    /// A build of this commit whose plan job found these things; settled once after it.
    pub(crate) async fn planned(&self, order: Order<'_>, findings: Findings) -> BuildId {
        let build = self.begin(order).await;
        let plan = self.claim().await.unwrap();
        assert_eq!((plan.build_id, plan.kind), (build, JobKind::Plan));
        self.end(&plan, &Outcome::Succeeded, Some(&JobResult::Planned { findings })).await;
        build
    }

    /// A build whose plan job nobody has claimed yet.
    pub(crate) async fn begin(&self, order: Order<'_>) -> BuildId {
        let build = {
            let mut conn = self.conn().await;
            let at = Moment { now: self.now(), ids: &id };
            store::order::build(&mut conn, order, at).await.unwrap()
        };
        self.settle().await;
        build.id
    }

    pub(crate) async fn claim(&self) -> Option<Job> {
        let mut conn = self.conn().await;
        let now = self.now();
        let lease = now + TimeDelta::hours(1);
        store::job::claim(&mut conn, WorkerId(Uuid::from_u128(7)), lease, now).await.unwrap()
    }

    /// Reports the end of a job and lets the engine look.
    pub(crate) async fn end(&self, job: &Job, outcome: &Outcome, result: Option<&JobResult>) {
        let mut conn = self.conn().await;
        let now = self.now();
        store::job::finish(&mut conn, job.id, job.attempt, outcome, result, now).await.unwrap();
        drop(conn);
        self.settle().await;
    }

    pub(crate) async fn fail(&self, job: &Job) {
        let failure = Failure { kind: FailureKind::Step, message: "exit 1".into() };
        self.end(job, &Outcome::Failed(failure), None).await;
    }

    /// Does the next job well; a deploy publishes the value that `table` gives its service. Says
    /// what was done.
    pub(crate) async fn work(&self, table: &str) -> Option<String> {
        let job = self.claim().await?;
        self.does(&job, table).await;
        Some(name(&job))
    }

    /// Does a job well that was claimed.
    pub(crate) async fn does(&self, job: &Job, table: &str) {
        let result = match job.kind {
            JobKind::Deploy => Some(self.deploy(job, table).await),
            JobKind::Remove => {
                let (instance, now) = (job.instance_id.unwrap(), self.now());
                store::instance::removed(&mut *self.conn().await, instance, now).await.unwrap();
                Some(JobResult::Removed { kept: Vec::new() })
            }
            JobKind::Plan
            | JobKind::Test
            | JobKind::Package
            | JobKind::PostDeploy
            | JobKind::Rollback
            | JobKind::Recover
            | JobKind::Foresee
            | JobKind::Sweep
            | JobKind::Drift => None,
        };
        self.end(job, &Outcome::Succeeded, result.as_ref()).await;
    }

    /// Does all there is to do; answers it in the order in which it was done.
    pub(crate) async fn work_all(&self, table: &str) -> Vec<String> {
        let mut done = Vec::new();
        while let Some(job) = self.work(table).await {
            done.push(job);
        }
        done
    }

    /// What the worker API writes at the end of a deploy.
    async fn deploy(&self, job: &Job, table: &str) -> JobResult {
        let mut conn = self.conn().await;
        let build = store::build::get(&mut conn, job.build_id).await.unwrap();
        let instance = store::instance::get(&mut conn, job.instance_id.unwrap()).await.unwrap();
        let packages = store::job::list(&mut conn, job.build_id).await.unwrap();
        let package = packages.iter().find(|one| {
            (one.kind, &one.service, &one.region) == (JobKind::Package, &job.service, &job.region)
        });
        let publishes = instance.service.as_str() == "database";
        let outputs = publishes.then(|| ("table".to_owned(), table.to_owned()));
        let deployed = DeployedStack {
            stacks: vec![format!("{}-stack", instance.service)],
            left_at: BTreeMap::new(),
            outputs: outputs.into_iter().collect(),
            endpoints: Vec::new(),
        };
        let changed_outputs = instance.changed_outputs(&deployed.outputs);
        let success = Success {
            commit: &build.source.commit,
            build_number: build.number,
            artifact: ArtifactId(id()),
            spec: job.work.as_ref().unwrap().service().unwrap(),
            stack: &deployed,
            read_at: package.unwrap().started_at,
            parameters_digest: None,
            outputs_changed: !changed_outputs.is_empty(),
        };
        store::instance::deployed(&mut conn, instance.id, &success, self.now()).await.unwrap();
        JobResult::Deployed { deployed, changed_outputs }
    }

    /// Everything of the workshop, deployed to a stage from this commit.
    pub(crate) async fn deployed(&self, stage: StageId, commit: char, table: &str) {
        let findings = Findings { services: workshop(), ..Findings::default() };
        self.planned(self.order(stage, commit), findings).await;
        self.work_all(table).await;
    }

    pub(crate) async fn build(&self, id: BuildId) -> Build {
        store::build::get(&mut *self.conn().await, id).await.unwrap()
    }

    /// The jobs of a build after its plan, each with its state: `deploy of restapi: succeeded`.
    pub(crate) async fn jobs(&self, build: BuildId) -> Vec<String> {
        let jobs = store::job::list(&mut *self.conn().await, build).await.unwrap();
        let shown = jobs.iter().filter(|job| job.kind != JobKind::Plan).map(|job| {
            let state = match &job.state {
                JobState::Finished(outcome) => outcome.as_str(),
                JobState::Blocked
                | JobState::Waiting
                | JobState::Queued { .. }
                | JobState::Running(_) => job.state.as_str(),
            };
            format!("{}: {state}", name(job))
        });
        shown.collect()
    }

    /// Why each service (in each region) runs, follows or is skipped.
    pub(crate) async fn reasons(&self, build: BuildId) -> BTreeMap<String, String> {
        use model::plan::Decision as D;
        let planned = self.build(build).await.planned.unwrap();
        let shown = planned.into_iter().map(|planned| {
            let decision = match &planned.decision {
                D::Run { .. } => "runs",
                D::Follow { .. } => "follows",
                D::Skip { .. } => "skipped",
            };
            let place = match (planned.service.name, planned.region) {
                (service, Some(region)) if region.as_str() != "us-east-1" => {
                    format!("{service} in {region}")
                }
                (service, _) => service.to_string(),
            };
            (place, format!("{decision}: {}", planned.decision.reason()))
        });
        shown.collect()
    }

    pub(crate) async fn instance(&self, stage: StageId, service: &str) -> Instance {
        let found = store::instance::list(&mut *self.conn().await, stage).await.unwrap();
        found.into_iter().find(|instance| instance.service.as_str() == service).unwrap()
    }

    pub(crate) async fn fail_instance(&self, instance: InstanceId, conn: &mut PgConnection) {
        store::instance::failed(conn, instance, "rolled back", self.now()).await.unwrap();
    }
}

fn moment(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

/// As people say it: `deploy of restapi`, with the region where it is not the usual one.
pub(crate) fn name(job: &Job) -> String {
    let kind = job.kind.as_str();
    match (&job.service, &job.region) {
        (Some(service), Some(region)) if region.as_str() != "us-east-1" => {
            format!("{kind} of {service} in {region}")
        }
        (Some(service), _) => format!("{kind} of {service}"),
        (None, _) => kind.to_owned(),
    }
}
