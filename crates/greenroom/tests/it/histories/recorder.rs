//! A worker that deploys nothing and writes down what it was told to deploy: fast enough for
//! hundreds of histories. It speaks the worker API as any worker does.
//!
//! What always holds: two changes of one instance that run at the same time are written down as a
//! fault, and so is a change that ends well twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use model::job::Outcome;
use model::pipeline::{Framework, Service};
use model::plan::{Changes, Findings};
use model::worker_api::{
    Assignment, Claim, DeployedStack, Finish, Held, JobResult, Packaged, Register, Registered,
    StoredArtifact, Target, Task,
};
use model::{AppName, CommitSha, JobId, WorkerId};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use uuid::Uuid;

/// How many claims wait at the same time.
const CLAIMS: usize = 12;
/// How often a change that is held up says that it lives; a lease is ten seconds.
const BEAT: Duration = Duration::from_secs(2);
/// How often an unreachable server is tried again.
const AGAIN: Duration = Duration::from_millis(50);

/// A stage and a service of an app.
pub(crate) type Place = (String, String);

/// What an app's accounts hold.
#[derive(Default)]
pub(crate) struct Cloud {
    /// The commit that is deployed.
    pub(crate) stacks: BTreeMap<Place, CommitSha>,
    changing: BTreeMap<Place, JobId>,
    ended: BTreeMap<JobId, u32>,
    pub(crate) faults: Vec<String>,
}

/// An app of which changes are recorded, and how many of them may get through.
pub(crate) struct Book {
    cloud: Mutex<Cloud>,
    permits: Semaphore,
}

impl Book {
    pub(crate) fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.cloud.lock().unwrap()
    }

    /// One more change gets through.
    pub(crate) fn proceed(&self) {
        self.permits.add_permits(1);
    }

    /// From now on every change gets through.
    pub(crate) fn open(&self) {
        self.permits.add_permits(100_000);
    }
}

pub(crate) struct Recorder {
    http: reqwest::Client,
    base: String,
    token: String,
    me: Mutex<(WorkerId, Uuid)>,
    books: Mutex<BTreeMap<AppName, Arc<Book>>>,
}

/// The job went to somebody else.
struct Lost;

impl Recorder {
    pub(crate) async fn start(url: &str, token: String) -> (Arc<Self>, JoinSet<()>) {
        let recorder = Arc::new(Self {
            http: crate::server::client(),
            base: format!("{url}/worker/v1"),
            token,
            me: Mutex::new((WorkerId(Uuid::nil()), Uuid::nil())),
            books: Mutex::default(),
        });
        recorder.begin_anew().await;
        let mut claims = JoinSet::new();
        for _ in 0..CLAIMS {
            let recorder = Arc::clone(&recorder);
            claims.spawn(async move { recorder.work().await });
        }
        (recorder, claims)
    }

    pub(crate) fn book(&self, app: &AppName) -> Arc<Book> {
        let new = || Arc::new(Book { cloud: Mutex::default(), permits: Semaphore::new(0) });
        Arc::clone(self.books.lock().unwrap().entry(app.clone()).or_insert_with(new))
    }

    /// As a worker that was killed and started again: whatever it held goes back to the queue.
    pub(crate) async fn begin_anew(&self) {
        let incarnation = Uuid::from_u128(u128::from_be_bytes(random()));
        let register = Register {
            name: "recorder".to_owned(),
            incarnation,
            slots: 64,
            version: "test".to_owned(),
            executor: "none".to_owned(),
        };
        let registered: Registered =
            self.ask("register", &register).await.ok().flatten().expect("a worker's number");
        *self.me.lock().unwrap() = (registered.worker, incarnation);
    }

    async fn work(self: &Arc<Self>) {
        let mut jobs = JoinSet::new();
        let mut turns = tokio::time::interval(AGAIN);
        loop {
            let (worker, incarnation) = *self.me.lock().unwrap();
            let claim = Claim { worker, incarnation, wait_seconds: 2 };
            // refused: it began anew meanwhile
            let Ok(Some(assignment)) = self.ask::<_, Assignment>("claim", &claim).await else {
                turns.tick().await;
                continue;
            };
            let recorder = Arc::clone(self);
            jobs.spawn(async move {
                // what was lost is somebody else's now
                let _ = recorder.carry_out(assignment).await;
            });
            while jobs.try_join_next().is_some() {}
        }
    }

    async fn carry_out(&self, assignment: Assignment) -> Result<(), Lost> {
        let result = match &assignment.task {
            Task::Plan { compare_with, .. } => Some(planned(compare_with)),
            Task::Test { .. } | Task::PostDeploy { .. } => None,
            Task::Package { target, .. } => Some(self.package(&assignment, target).await?),
            Task::Deploy { service, target, .. } | Task::Rollback { service, target, .. } => {
                let commit = assignment.source.commit.clone();
                self.change(&assignment, service, target, Some(commit)).await?;
                Some(deployed())
            }
            Task::Remove { service, target, .. } => {
                self.change(&assignment, service, target, None).await?;
                Some(JobResult::Removed { kept: Vec::new() })
            }
            Task::Discard { .. } => Some(JobResult::Removed { kept: Vec::new() }),
            Task::Recover { .. } => Some(JobResult::Recovered),
            Task::Foresee { .. } => {
                Some(JobResult::Foreseen { change: Vec::new(), notes: Vec::new() })
            }
            Task::Sweep { .. } => Some(JobResult::Swept { found: Vec::new() }),
            Task::Drift { .. } => {
                Some(JobResult::Drifted { stacks: Vec::new(), found: BTreeMap::new() })
            }
        };
        let finish = Finish { attempt: assignment.attempt, outcome: Outcome::Succeeded, result };
        self.tell(&format!("jobs/{}/finish", assignment.job), &finish).await?;
        if assignment.task.kind().changes_stack() {
            let book = self.book(&assignment.app);
            let mut cloud = book.cloud();
            let times = cloud.ended.entry(assignment.job).or_default();
            *times += 1;
            if *times > 1 {
                cloud.faults.push(format!("job {} ended well twice", assignment.job));
            }
        }
        Ok(())
    }

    async fn package(&self, assignment: &Assignment, target: &Target) -> Result<JobResult, Lost> {
        let path = format!("jobs/{}/artifact?attempt={}", assignment.job, assignment.attempt);
        let artifact: StoredArtifact = self
            .until_answered(Method::PUT, &path, |request| request.body("an artifact"))
            .await?
            .ok_or(Lost)?;
        let package = Packaged {
            artifact,
            stage: target.stage.clone(),
            region: target.region.clone(),
            change: Vec::new(),
            findings: Vec::new(),
            found: BTreeMap::new(),
        };
        Ok(JobResult::Packaged { package })
    }

    /// Waits until it may get through, saying meanwhile that it lives, and writes down what it did.
    async fn change(
        &self,
        assignment: &Assignment,
        service: &Service,
        target: &Target,
        commit: Option<CommitSha>,
    ) -> Result<(), Lost> {
        let place = (target.stage.to_string(), service.name.to_string());
        let book = self.book(&assignment.app);
        {
            let mut cloud = book.cloud();
            match cloud.changing.insert(place.clone(), assignment.job) {
                // a new attempt of the same change follows one that was lost
                Some(other) if other != assignment.job => {
                    let job = assignment.job;
                    cloud.faults.push(format!("{place:?} is changed by {other} and {job} at once"));
                }
                Some(_) | None => {}
            }
        }
        let beat = format!("jobs/{}/heartbeat", assignment.job);
        let held = Held { attempt: assignment.attempt };
        let mut beats = tokio::time::interval(BEAT);
        loop {
            tokio::select! {
                permit = book.permits.acquire() => {
                    permit.expect("it is never closed").forget();
                    // still ours? a worker that lost its job kills its processes
                    match self.tell(&beat, &held).await {
                        Ok(()) => break,
                        Err(lost) => {
                            book.proceed();
                            return Err(lost);
                        }
                    }
                }
                _ = beats.tick() => self.tell(&beat, &held).await?,
            }
        }
        let mut cloud = book.cloud();
        cloud.changing.remove(&place);
        match commit {
            Some(commit) => cloud.stacks.insert(place, commit),
            None => cloud.stacks.remove(&place),
        };
        Ok(())
    }

    async fn tell<B: Serialize>(&self, path: &str, body: &B) -> Result<(), Lost> {
        self.ask::<B, serde_json::Value>(path, body).await.map(drop)
    }

    async fn ask<B: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<Option<A>, Lost> {
        self.until_answered(Method::POST, path, |request| request.json(body)).await
    }

    /// `None`: there is nothing to answer. A server that is away is asked until it is back.
    async fn until_answered<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        with: impl Fn(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Result<Option<A>, Lost> {
        let mut turns = tokio::time::interval(AGAIN);
        loop {
            turns.tick().await;
            let request = self.http.request(method.clone(), format!("{}/{path}", self.base));
            let Ok(answer) = with(request.bearer_auth(&self.token)).send().await else { continue };
            match answer.status() {
                StatusCode::NO_CONTENT => return Ok(None),
                StatusCode::CONFLICT => return Err(Lost),
                status if status.is_server_error() => {}
                status => {
                    let Ok(text) = answer.text().await else { continue };
                    assert!(status.is_success(), "{path}: {status}: {text}");
                    return Ok(Some(serde_json::from_str(&text).unwrap()));
                }
            }
        }
    }
}

/// Two services, the second after the first; nobody can say what changed.
fn planned(compare_with: &[CommitSha]) -> JobResult {
    let service = |name: &str| Service::new(name.parse().unwrap(), name, Framework::Custom);
    let unknown =
        |sha: &CommitSha| (sha.clone(), Changes::Unknown { reason: "nobody looked".to_owned() });
    let findings = Findings {
        services: vec![service("base"), service("api")],
        changes: compare_with.iter().map(unknown).collect(),
        ..Findings::default()
    };
    JobResult::Planned { findings }
}

fn deployed() -> JobResult {
    let deployed = DeployedStack {
        stacks: Vec::new(),
        left_at: BTreeMap::new(),
        outputs: BTreeMap::new(),
        endpoints: Vec::new(),
    };
    JobResult::Deployed { deployed, changed_outputs: Vec::new() }
}

/// Bytes that no other incarnation has: nothing of a history depends on them.
fn random() -> [u8; 16] {
    use std::hash::{BuildHasher, RandomState};
    let half = || RandomState::new().hash_one(0_u8).to_be_bytes();
    let (one, two) = (half(), half());
    std::array::from_fn(|at| if at < 8 { one[at] } else { two[at - 8] })
}
