//! How far a stage is behind the one it is promoted from, asked of a GitHub.

use std::sync::Arc;

use chrono::TimeDelta;
use fakes::{Fault, Matcher, Repository};
use model::StageId;
use model::plan::Findings;
use model::stage::StageKind;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::lead::{Found, Lead};

use crate::support::{World, file, workshop};

const TOKEN: &str = "ghp_of_the_server";
const COMPARE: &str = "/repos/acme/workshop/compare";

struct Scene {
    github: fakes::GitHub,
    repository: Repository,
    world: World,
    staging: StageId,
    prod: StageId,
}

impl Scene {
    /// A server whose stage `prod` is promoted from `staging`.
    async fn new(options: PgConnectOptions) -> Self {
        let github = fakes::GitHub::builder().token(TOKEN).start().await.unwrap();
        let repository = github.repo("acme/workshop");
        repository.create("master").await.unwrap();
        let auth = github::Auth::Token(TOKEN.to_owned().into());
        let client =
            github::GitHub::new(github.url(), auth, Arc::new(|| chrono::DateTime::UNIX_EPOCH));
        let mut file = file();
        file["stages"]["prod"]["promote_from"] = json!("staging");
        file["rules"] = json!([
            { "branch": "main", "stage": "staging" },
            { "branch": "release", "stage": "prod" },
        ]);
        let world = World::beside(options, &file, Arc::new(client.unwrap())).await;
        let staging = world.stage("staging", StageKind::LongLived).await;
        let prod = world.stage("prod", StageKind::LongLived).await;
        Self { github, repository, world, staging, prod }
    }

    async fn commit(&self, message: &str) -> String {
        self.repository.commit("work", &[("README.md", message)], message).await.unwrap()
    }

    /// A commit is deployed, whole, to a stage.
    async fn deployed(&self, stage: StageId, commit: &str) {
        let mut order = self.world.order(stage, 'a');
        order.source.commit = commit.parse().unwrap();
        order.forced = true;
        let findings = Findings { services: workshop(), ..Findings::default() };
        self.world.planned(order, findings).await;
        self.world.work_all(commit).await;
    }

    async fn look(&self, later: TimeDelta) -> Option<Lead> {
        self.world.pass(later).await;
        self.world.engine.look_around().await.unwrap();
        let mut leads = store::lead::list(&mut *self.world.conn().await).await.unwrap();
        assert!(leads.len() <= 1, "one pair: {leads:?}");
        leads.pop()
    }

    fn asked(&self) -> usize {
        self.github.requests().iter().filter(|call| call.path.starts_with(COMPARE)).count()
    }
}

fn behind(ahead_by: u32, behind_by: u32) -> Found {
    Found::Counted { ahead_by, behind_by }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn github_is_asked_once_for_each_pair_of_commits(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    let first = scene.commit("First").await;
    scene.deployed(scene.staging, &first).await;
    assert_eq!(scene.look(TimeDelta::zero()).await, None, "prod runs nothing yet");

    scene.deployed(scene.prod, &first).await;
    assert_eq!(scene.look(TimeDelta::zero()).await.unwrap().found, behind(0, 0));
    assert_eq!(scene.asked(), 0, "the same commit needs no question");

    scene.commit("Second").await;
    let third = scene.commit("Third").await;
    scene.deployed(scene.staging, &third).await;
    let lead = scene.look(TimeDelta::zero()).await.unwrap();
    assert_eq!((lead.stage_id, lead.from_stage), (scene.prod, scene.staging));
    assert_eq!((lead.base.to_string(), lead.head.to_string()), (first, third.clone()));
    assert_eq!(lead.found, behind(2, 0));
    scene.look(TimeDelta::hours(5)).await;
    assert_eq!(scene.asked(), 1);

    scene.deployed(scene.prod, &third).await;
    assert_eq!(scene.look(TimeDelta::zero()).await.unwrap().found, behind(0, 0));
    assert_eq!(scene.github.unknown_calls().len(), 0);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_failure_is_tried_again_when_its_time_has_come(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    let first = scene.commit("First").await;
    scene.deployed(scene.prod, &first).await;
    let second = scene.commit("Second").await;
    scene.deployed(scene.staging, &second).await;
    scene.github.fail_next(Matcher::path(COMPARE), Some(1), Fault::Status { status: 502 });

    let lead = scene.look(TimeDelta::zero()).await.unwrap();
    assert!(matches!(lead.found, Found::Unknown { failures: 1, .. }), "{lead:?}");
    scene.look(TimeDelta::seconds(5)).await;
    assert_eq!(scene.asked(), 1, "it is left alone for a while");
    assert_eq!(scene.look(TimeDelta::minutes(1)).await.unwrap().found, behind(1, 0));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn commits_that_github_does_not_know_have_no_number(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    let first = scene.commit("First").await;
    scene.deployed(scene.prod, &"e".repeat(40)).await;
    scene.deployed(scene.staging, &first).await;
    assert_eq!(scene.look(TimeDelta::zero()).await.unwrap().found, Found::Unrelated);
    scene.look(TimeDelta::hours(5)).await;
    assert_eq!(scene.asked(), 1);
}
