//! A worker process in this one, with a server to claim from and a repository to build.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use model::job::{Failure, Outcome};
use model::output::{Published, Scope};
use model::outside::Left;
use model::pipeline::{Commands, Framework, Service, Step};
use model::stage::StageKind;
use model::worker_api::{
    Assignment, AwsEndpoint, Checkout, Finish, JobResult, Packaged, Parameter, RemoveHow,
    StoredArtifact, Target, Task,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use worker::{Config, Error, ExecutorKind};

use crate::aws::LocalAws;
use crate::server::Server;

pub(crate) struct Bench {
    pub(crate) server: Server,
    github: fakes::GitHub,
    directory: TempDir,
    pub(crate) shutdown: CancellationToken,
    worker: Option<JoinHandle<Result<(), Error>>>,
    commit: String,
}

impl Bench {
    /// A running worker, and a repository with these files.
    pub(crate) async fn new(files: &[(&str, &str)]) -> Self {
        let server = Server::start().await;
        let github =
            fakes::GitHub::builder().token("ghs_checkout_token").start().await.expect("a GitHub");
        let repo = github.repo("acme/workshop");
        repo.create("master").await.expect("a repository");
        let commit = repo.commit("master", files, "First").await.expect("a commit");
        server.state().checkout = Some(Checkout {
            url: repo.clone_url(),
            token: "ghs_checkout_token".to_owned(),
            expires_at: "2030-01-01T00:00:00Z".parse().expect("a time"),
        });
        let directory = tempfile::tempdir().expect("a directory");
        // Steps run as other users and pass through it.
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o711))
            .expect("its mode");
        let mut bench = Self {
            server,
            github,
            directory,
            shutdown: CancellationToken::new(),
            worker: None,
            commit,
        };
        bench.worker = Some(tokio::spawn(worker::run(bench.config(), bench.shutdown.clone())));
        bench
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            server_url: self.server.url.clone(),
            token: "worker-token".into(),
            name: "test".to_owned(),
            work_dir: self.work_dir(),
            slots: 2,
            executor: ExecutorKind::Bubblewrap,
            cache_dir: None,
            retry_waits: vec![Duration::ZERO; 3],
        }
    }

    pub(crate) fn work_dir(&self) -> PathBuf {
        self.directory.path().join("work")
    }

    /// Waits until the worker has ended the job's processes and cleared its room.
    pub(crate) async fn until_gone(&self, job: model::JobId) {
        let room = self.work_dir().join("rooms").join(format!("{job}-1"));
        let deadline = Instant::now() + Duration::from_secs(30);
        while room.exists() {
            assert!(Instant::now() < deadline, "the job goes on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the worker has tidied its mirror.
    pub(crate) async fn until_tidied(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let tidied = || {
            let mut mirrors =
                std::fs::read_dir(self.work_dir().join("mirrors")).into_iter().flatten().flatten();
            mirrors.any(|mirror| mirror.path().join("greenroom-tidied").exists())
        };
        while !tidied() {
            assert!(Instant::now() < deadline, "the mirror is not tidied");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn commit(&mut self, files: &[(&str, &str)]) -> String {
        let commit = self.github.repo("acme/workshop").commit("master", files, "Next").await;
        self.commit = commit.expect("a commit");
        self.commit.clone()
    }

    /// A commit on a branch beside the default one, from whose head a new branch starts.
    pub(crate) async fn commit_beside(&self, branch: &str, files: &[(&str, &str)]) -> String {
        let repository = self.github.repo("acme/workshop");
        repository.commit(branch, files, "Beside").await.expect("a commit")
    }

    /// A commit on the default branch that has none before it.
    pub(crate) async fn replace_history(&mut self, files: &[(&str, &str)]) -> String {
        let commit = self.github.repo("acme/workshop").push_force("master", files, "Anew").await;
        self.commit = commit.expect("a commit");
        self.commit.clone()
    }

    pub(crate) fn head(&self) -> String {
        self.commit.clone()
    }

    pub(crate) fn assignment(&self, task: Task) -> Assignment {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = Uuid::from_u128(NEXT.fetch_add(1, Ordering::Relaxed).into());
        Assignment {
            job: model::JobId(id),
            attempt: 1,
            build: model::BuildId(id),
            build_number: 7,
            build_url: "http://127.0.0.1:8080/apps/workshop/builds/7".to_owned(),
            app: "workshop".parse().expect("a name"),
            repository: "acme/workshop".parse().expect("a repository"),
            source: model::build::Source {
                commit: self.commit.parse().expect("a commit"),
                branch: Some("master".parse().expect("a branch")),
                tag: None,
                pull_request: None,
                title: "First".to_owned(),
                author: "ann".to_owned(),
            },
            task,
            aws: self.aws(),
        }
    }

    /// The local AWS if the test asked for it, else one that allows nothing.
    fn aws(&self) -> AwsEndpoint {
        let state = self.server.state();
        match &state.local_aws {
            Some(local) => local.endpoint.clone(),
            None => AwsEndpoint { url: Some(format!("{}/aws", self.server.url)), ca_bundle: None },
        }
    }

    /// From here on jobs work in the development account of the local AWS.
    pub(crate) async fn use_local_aws(&self) {
        let local = LocalAws::new().await;
        self.server.state().local_aws = Some(local);
    }

    /// Lets the worker do a job; its report and its log.
    pub(crate) async fn run(&self, task: Task) -> (Finish, String) {
        self.run_of(self.assignment(task)).await
    }

    /// The same for an assignment that is not as usual.
    pub(crate) async fn run_of(&self, assignment: Assignment) -> (Finish, String) {
        let job = assignment.job;
        self.server.give(assignment);
        let finish = self.server.finish_of(job).await;
        (finish, self.server.log(job))
    }

    /// Packages a service; what came of it must be a package.
    pub(crate) async fn package(&self, service: Service, target: Target) -> (Packaged, String) {
        let (finish, log) = self.run(packing(service, target)).await;
        match finish.result {
            Some(JobResult::Packaged { package }) => (package, log),
            other => panic!("no package: {:?} {other:?}\n{log}", finish.outcome),
        }
    }

    /// Deploys what was packaged last.
    pub(crate) async fn deploy(
        &self,
        service: Service,
        target: Target,
        artifact: StoredArtifact,
    ) -> (Finish, String) {
        self.run(Task::Deploy { service, target, artifact, trust: "preview".to_owned() }).await
    }

    /// Deploys an artifact of an earlier commit once more.
    pub(crate) async fn roll_back(
        &self,
        service: Service,
        target: Target,
        (artifact, bytes): (StoredArtifact, Vec<u8>),
        commit: &str,
    ) -> (Finish, String) {
        self.server.state().artifact = bytes;
        let trust = "preview".to_owned();
        let mut assignment = self.assignment(Task::Rollback { service, target, artifact, trust });
        assignment.source.commit = commit.parse().expect("a commit");
        self.run_of(assignment).await
    }

    pub(crate) async fn remove(
        &self,
        service: Service,
        target: Target,
        stacks: &[&str],
    ) -> (Finish, String) {
        self.remove_so(service, target, stacks, RemoveHow::Careful).await
    }

    pub(crate) async fn remove_so(
        &self,
        service: Service,
        target: Target,
        stacks: &[&str],
        how: RemoveHow,
    ) -> (Finish, String) {
        let stacks = stacks.iter().map(|&name| name.to_owned()).collect();
        let trust = "preview".to_owned();
        self.run(Task::Remove { service, target, stacks, trust, how }).await
    }

    /// Ends the worker as a signal would; how it ended.
    pub(crate) async fn stop(&mut self) -> Result<(), Error> {
        self.shutdown.cancel();
        self.ended().await
    }

    pub(crate) async fn ended(&mut self) -> Result<(), Error> {
        self.worker.take().expect("it runs").await.expect("no panic")
    }
}

pub(crate) fn service(commands: Commands) -> Service {
    Service {
        commands,
        notes: vec!["test: left out, there is no test script".to_owned()],
        ..Service::new("api".parse().expect("a name"), "api", Framework::Serverless)
    }
}

pub(crate) fn step(line: &str) -> Option<Step> {
    Some(Step::new(line))
}

/// The package job of a service that was never deployed.
pub(crate) fn packing(service: Service, target: Target) -> Task {
    Task::Package { service, target, trust: "preview".to_owned(), left: Left::Unknown }
}

pub(crate) fn testing(line: &str) -> Task {
    let commands = Commands { test: step(line), ..Commands::default() };
    Task::Test {
        service: service(commands),
        target: Some(target(&[])),
        trust: "preview".to_owned(),
    }
}

pub(crate) fn target(parameters: &[(&str, &str, bool)]) -> Target {
    let parameters = parameters.iter().map(|(key, value, secret)| {
        let parameter = Parameter { value: (*value).to_owned(), secret: *secret };
        (key.parse().expect("a key"), parameter)
    });
    let outputs = Scope {
        app: "workshop".parse().expect("a name"),
        stage: "feature-x".parse().expect("a stage"),
        region: "us-east-1".parse().expect("a region"),
        fallback_stage: None,
        published: Vec::new(),
    };
    Target {
        stage: outputs.stage.clone(),
        stage_kind: StageKind::Preview,
        region: outputs.region.clone(),
        parameters: parameters.collect(),
        references: BTreeMap::new(),
        outputs,
        safeguards: Vec::new(),
        approved: None,
    }
}

/// What a service of the target's stage has published.
pub(crate) fn published(service: &str, outputs: &[(&str, &str)]) -> Published {
    let Scope { app, stage, region, .. } = target(&[]).outputs;
    let outputs =
        outputs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let service = service.parse().expect("a name");
    Published { app, stage, region, service, published_as: None, outputs }
}

pub(crate) fn failure(finish: &Finish) -> &Failure {
    match &finish.outcome {
        Outcome::Failed(failure) => failure,
        other @ (Outcome::Succeeded
        | Outcome::Canceled { .. }
        | Outcome::Skipped { .. }
        | Outcome::Unneeded { .. }) => {
            panic!("it should have failed: {other:?}")
        }
    }
}
