//! One history on a repository of its own, played to its end and looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fakes::{GitHub, Repository};
use model::AppName;
use serde_json::{Value, json};

use super::chance::Chance;
use super::deed::{Deed, Destroy, Expected, Hub};
use super::recorder::{Book, Recorder};
use crate::server::client;
use crate::world::World;

/// How many deeds a history has.
const SHORTEST: usize = 8;
const LONGEST: usize = 20;
/// How long all may take to be as it must: many share one server, and it is killed meanwhile.
const QUIET: Duration = Duration::from_secs(900);
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// More than any history has.
const EVERY_BUILD: &str = "?limit=200";

pub(super) struct Player {
    github: Arc<GitHub>,
    repository: Repository,
    app: AppName,
    destroy: Destroy,
    chance: Chance,
    hub: Hub,
    book: Arc<Book>,
    deeds: Arc<AtomicUsize>,
    told: Vec<Deed>,
    http: reqwest::Client,
    url: String,
    admin: String,
}

impl Player {
    pub(super) fn new(
        world: &World,
        recorder: &Recorder,
        number: u64,
        deeds: Arc<AtomicUsize>,
    ) -> Self {
        let app: AppName = format!("history-{number}").parse().unwrap();
        let mut chance = Chance::of(number);
        let destroy = *chance.pick(&[Destroy::BranchDeleted, Destroy::PullRequestClosed]);
        Self {
            github: Arc::clone(&world.github),
            repository: world.github.repo(&format!("acme/{app}")),
            book: recorder.book(&app),
            app,
            destroy,
            chance,
            hub: Hub::default(),
            deeds,
            told: Vec::new(),
            http: client(),
            url: world.server.url.clone(),
            admin: world.admin.clone(),
        }
    }

    pub(super) async fn play(mut self) -> Result<(), String> {
        self.repository.create("master").await.unwrap();
        self.call(reqwest::Method::PUT, "", Some(&self.settings())).await;
        let deeds = SHORTEST + self.chance.below(LONGEST - SHORTEST);
        for at in 0..deeds {
            let deed = self.hub.draw(&mut self.chance);
            self.told.push(deed.clone());
            self.carry_out(&deed, at).await;
            self.deeds.fetch_add(1, Ordering::Relaxed);
        }
        self.book.open();
        let quiet = tokio::time::timeout(QUIET, self.until_quiet()).await;
        let faults = self.book.cloud().faults.clone();
        match (quiet, faults.is_empty()) {
            (Ok(()), true) => Ok(()),
            (Ok(()), false) => Err(format!("{faults:?} after {:?}", self.told)),
            (Err(_), _) => Err(format!(
                "{}; destroy: {}; after {:?}; faults: {faults:?}; builds: {}",
                self.amiss().await.unwrap_or_else(|| "quiet at the last moment".to_owned()),
                self.destroy.as_str(),
                self.told,
                self.builds(EVERY_BUILD).await,
            )),
        }
    }

    fn settings(&self) -> Value {
        json!({
            "app": self.app,
            "repository": format!("acme/{}", self.app),
            "default_profile": "development",
            "profiles": { "development": {
                "role_arn": "arn:aws:iam::111111111111:role/greenroom-deploy",
                "region": "us-east-1",
            } },
            "stages": { "staging": { "profile": "development" } },
            "rules": [
                { "branch": "master", "stage": "staging" },
                { "preview": { "base": ["master"], "deploy": "all", "destroy": self.destroy.as_str() } },
            ],
        })
    }

    async fn carry_out(&mut self, deed: &Deed, at: usize) {
        let repository = &self.repository;
        let text = format!("{at}");
        match *deed {
            Deed::Land => {
                let files = [("LANDED", text.as_str())];
                repository.commit("master", &files, "Land").await.unwrap();
                self.hub.landed();
            }
            Deed::Open { branch } => {
                // a pull request needs a base to go to
                if repository.head("master").await.is_err() {
                    repository.commit("master", &[("README", "first")], "First").await.unwrap();
                    self.hub.landed();
                }
                let name = branch.replace('/', "-");
                let files = [(name.as_str(), text.as_str())];
                repository.commit(branch, &files, "Begin").await.unwrap();
                let number = repository.open_pr(branch, "master", "A change").await.unwrap();
                self.hub.opened(branch, number);
            }
            Deed::Push { branch } => {
                let name = branch.replace('/', "-");
                let files = [(name.as_str(), text.as_str())];
                repository.commit(branch, &files, "Go on").await.unwrap();
            }
            Deed::Close { branch } => {
                repository.close_pr(self.hub.pull(branch)).await.unwrap();
                self.hub.closed(branch);
            }
            Deed::Reopen { branch } => {
                let number = self.hub.pull(branch);
                repository.reopen_pr(number).await.unwrap();
                self.hub.opened(branch, number);
            }
            Deed::Merge { branch } => {
                repository.merge_pr(self.hub.pull(branch)).await.unwrap();
                self.hub.merged(branch);
            }
            Deed::Delete { branch } => {
                repository.delete_branch(branch).await.unwrap();
                self.hub.deleted(branch);
            }
            Deed::Lose => self.github.lose_deliveries(1),
            Deed::LoseAnswer => self.github.lose_delivery_answers(1),
            Deed::Double => self.github.double_deliveries(1),
            Deed::Proceed => self.book.proceed(),
        }
    }

    /// Looks again and again: what was lost is found by the server itself, in its own time.
    async fn until_quiet(&self) {
        let mut turns = tokio::time::interval(BETWEEN_LOOKS);
        loop {
            turns.tick().await;
            if self.amiss().await.is_none() {
                return;
            }
        }
    }

    /// What is not as it must be in the end.
    async fn amiss(&self) -> Option<String> {
        // a short answer comes first: for most of the time it is enough, and many ask
        for builds in ["?state=running&limit=1", EVERY_BUILD] {
            let builds = self.builds(builds).await;
            let unfinished = builds.as_array()?.iter().find(|build| build["state"] != "finished");
            if let Some(build) = unfinished {
                return Some(format!("build {} has not ended", build["number"]));
            }
        }
        let stages = self.call(reqwest::Method::GET, "/stages", None).await;
        let stages: Vec<Value> = stages["stages"].as_array().unwrap().clone();
        for (branch, expected) in self.hub.expected(self.destroy) {
            let head = self.repository.head(branch).await.ok();
            let named = |stage: &&Value| match branch {
                "master" => stage["name"] == "staging",
                branch => stage["branch"] == branch && stage["state"] != "closed",
            };
            let stage = stages.iter().find(named).and_then(|stage| stage["name"].as_str());
            let deployed = self.deployed(stage);
            let as_expected = match expected {
                Expected::Head => {
                    deployed.len() == 2
                        && deployed.iter().all(|commit| Some(commit) == head.as_ref())
                }
                Expected::Nothing => deployed.is_empty() && (stage.is_none() || branch == "master"),
                Expected::Anything => true,
            };
            if !as_expected {
                return Some(format!(
                    "{branch} is at {head:?}, expected {expected:?}, and {stage:?} has {deployed:?}"
                ));
            }
        }
        let open: Vec<&str> = stages
            .iter()
            .filter(|stage| stage["state"] != "closed")
            .filter_map(|stage| stage["name"].as_str())
            .collect();
        let cloud = self.book.cloud();
        let orphan = cloud.stacks.keys().find(|(stage, _)| !open.contains(&stage.as_str()));
        orphan.map(|place| format!("{place:?} is deployed in a stage that is closed"))
    }

    /// The commits of a stage's services.
    fn deployed(&self, stage: Option<&str>) -> Vec<String> {
        let Some(stage) = stage else { return Vec::new() };
        let cloud = self.book.cloud();
        let of_stage = cloud.stacks.iter().filter(|((name, _), _)| name == stage);
        of_stage.map(|(_, commit)| commit.to_string()).collect()
    }

    async fn builds(&self, which: &str) -> Value {
        let path = format!("/builds{which}");
        self.call(reqwest::Method::GET, &path, None).await["builds"].take()
    }

    /// Asks until the server is there to answer.
    async fn call(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Value {
        let url = format!("{}/api/v1/apps/{}{path}", self.url, self.app);
        let mut turns = tokio::time::interval(Duration::from_millis(100));
        loop {
            turns.tick().await;
            let mut request = self.http.request(method.clone(), &url).bearer_auth(&self.admin);
            if let Some(body) = body {
                request = request.json(body);
            }
            let Ok(answer) = request.send().await else { continue };
            let status = answer.status();
            let Ok(text) = answer.text().await else { continue };
            if status.is_server_error() {
                continue;
            }
            assert!(status.is_success(), "{path}: {status}: {text}");
            return serde_json::from_str(&text).unwrap();
        }
    }
}
