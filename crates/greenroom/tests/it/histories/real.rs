//! Histories with nothing recorded: the real worker, the real framework, the local AWS.
//!
//! They are pull requests of one repository, so that its dependencies are installed once.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

use super::chance::Chance;
use super::{numbers, world};
use crate::aws::{DEVELOPMENT, LocalAws};
use crate::sample::Sample;
use crate::server::until;
use crate::world::World;

const APP: &str = "real";
const SERVICE: &str = "chance";
const HISTORIES: u64 = 10;
/// How many are played at the same time: each has builds that keep a processor busy.
const AT_ONCE: usize = 3;

/// What becomes of a pull request whose preview is deployed, or about to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// A newer commit, at once.
    Pushed,
    /// Its branch is deleted, at once.
    Deleted,
    /// Its branch is deleted and pushed again, and a new pull request opened.
    Recreated,
    /// The webhook of its branch's deletion is lost.
    DeletionLost,
    /// The webhook of a newer commit is lost.
    PushLost,
}

const TURNS: [Turn; 5] =
    [Turn::Pushed, Turn::Deleted, Turn::Recreated, Turn::DeletionLost, Turn::PushLost];

#[tokio::test(flavor = "multi_thread")]
async fn real_previews_follow_their_branches_through_random_histories() {
    LocalSet::new().run_until(real()).await;
}

async fn real() {
    let world = world("2").await;
    let repository = world.github.repo(&format!("acme/{APP}"));
    repository.create("master").await.unwrap();
    repository.commit("master", &[("README", "first")], "First").await.unwrap();
    let (status, body) = world.put(&format!("/apps/{APP}"), &settings()).await;
    assert_eq!(status, 201, "{body}");
    let world = Arc::new(world);
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut histories = JoinSet::new();
    for number in numbers(0..HISTORIES) {
        let (world, room) = (Arc::clone(&world), Arc::clone(&room));
        histories.spawn_local(async move {
            let _place = room.acquire_owned().await.unwrap();
            play(&world, number).await;
        });
    }
    while let Some(ended) = histories.join_next().await {
        ended.unwrap();
    }
    Arc::into_inner(world).expect("all histories have ended").ends().await;
}

async fn play(world: &World, number: u64) {
    let mut chance = Chance::of(1_000 + number);
    // each turn is taken by two of ten, in an order that the seed gives
    let turn = TURNS[usize::try_from(number).unwrap() % TURNS.len()];
    let deployed_before = chance.below(2) == 0;
    let branch = format!("feature-{number}");
    let repository = world.github.repo(&format!("acme/{APP}"));

    let sample = Sample::table(SERVICE, "");
    let mut head = repository.commit(&branch, &sample.files(), "Begin").await.unwrap();
    repository.open_pr(&branch, "master", "A change").await.unwrap();
    if deployed_before {
        settled(world, &branch, Some(&head), turn).await;
    }
    let pushed = sample.clone().file("notes/NOTE", "newer");
    match turn {
        Turn::Pushed => {
            head = repository.commit(&branch, &pushed.files(), "Go on").await.unwrap();
        }
        Turn::Deleted => repository.delete_branch(&branch).await.unwrap(),
        Turn::Recreated => {
            repository.delete_branch(&branch).await.unwrap();
            head = repository.commit(&branch, &pushed.files(), "Anew").await.unwrap();
            repository.open_pr(&branch, "master", "A change, anew").await.unwrap();
        }
        Turn::DeletionLost => {
            world.github.settle_deliveries().await;
            world.github.lose_deliveries(2);
            repository.delete_branch(&branch).await.unwrap();
        }
        Turn::PushLost => {
            world.github.settle_deliveries().await;
            world.github.lose_deliveries(2);
            head = repository.commit(&branch, &pushed.files(), "Go on").await.unwrap();
        }
    }
    let live = match turn {
        Turn::Pushed | Turn::Recreated | Turn::PushLost => Some(head.as_str()),
        Turn::Deleted | Turn::DeletionLost => None,
    };
    let stage = settled(world, &branch, live, turn).await;
    let stack = format!("{SERVICE}-{stage}");
    let expected = live.map(|_| DEVELOPMENT).into_iter().collect::<BTreeSet<_>>();
    assert_eq!(LocalAws::accounts_with(&stack).await, expected, "history {number}: {turn:?}");
}

/// Waits until no build of the branch runs and its preview is at this commit, or closed; its name.
async fn settled(world: &World, branch: &str, head: Option<&str>, turn: Turn) -> String {
    until(&format!("{branch} ({turn:?}) to come to {head:?}"), async || {
        let builds = world.get(&format!("/apps/{APP}/builds?branch={branch}")).await;
        let builds = builds["builds"].as_array().unwrap();
        let quiet = !builds.is_empty() && builds.iter().all(|build| build["state"] == "finished");
        let stages = world.get(&format!("/apps/{APP}/stages")).await;
        let stages = stages["stages"].as_array().unwrap();
        let stages: Vec<_> = stages.iter().filter(|stage| stage["branch"] == branch).collect();
        let open = stages.iter().find(|stage| stage["state"] != "closed");
        let name = |stage: &serde_json::Value| stage["name"].as_str().map(str::to_owned);
        match (head, open) {
            _ if !quiet => None,
            (None, None) => stages.first().and_then(|stage| name(stage)),
            (Some(head), Some(stage)) => {
                let instance = &stage["instances"][0];
                let there = instance["state"] == "deployed" && instance["commit"] == head;
                there.then(|| name(stage)).flatten()
            }
            (None, Some(_)) | (Some(_), None) => None,
        }
    })
    .await
}

fn settings() -> serde_json::Value {
    json!({
        "app": APP,
        "repository": format!("acme/{APP}"),
        "default_profile": "development",
        "profiles": { "development": {
            "role_arn": format!("arn:aws:iam::{DEVELOPMENT}:role/greenroom-deploy"),
            "external_id": LocalAws::external_id(),
            "region": "us-east-1",
        } },
        "stages": { "staging": { "profile": "development" } },
        "rules": [{ "preview": { "base": ["master"] } }],
    })
}
