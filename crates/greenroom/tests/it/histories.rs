//! Random histories: pushes, pull requests, closings, deletions, lost and doubled webhooks, a
//! server that is killed and a worker that is lost; whatever the order, at the end nothing is
//! deployed of a dead branch, every live one stands at its head, no two changes of one instance
//! ran at once, and every build has ended once.
//!
//! Each history is drawn from its number, which is printed when it fails; `GREENROOM_HISTORY`
//! runs that one alone. Most are played with a worker that only writes down what it is told
//! ([`recorder`]), a few with the real one.

mod chance;
mod deed;
mod player;
mod real;
mod recorder;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};
use tokio::task::{JoinSet, LocalSet};
use tokio_util::sync::CancellationToken;

use crate::world::World;
use player::Player;
use recorder::Recorder;

const HISTORIES: u64 = 200;
/// A look takes 50 apps: with many more on a server each history would wait for several looks.
const ON_ONE_SERVER: usize = 50;
/// How many are played at the same time: they mostly wait until the server looks around.
const AT_ONCE: usize = 32;
/// How many failures tell what there is to tell.
const ENOUGH: usize = 3;
/// After how many deeds of all histories of a server together something happens to the server or
/// the worker.
const DEEDS_BETWEEN_KILLS: usize = 200;

/// A server that looks at GitHub every five seconds, with so many slots for jobs.
async fn world(workers: &str) -> World {
    let environment = [("GREENROOM_WORKER_COUNT", workers), ("GREENROOM_RECONCILE_EVERY", "5s")];
    World::as_app_with(&environment).await
}

/// The histories to play: all, or the one that is asked for.
fn numbers(all: std::ops::Range<u64>) -> Vec<u64> {
    match std::env::var("GREENROOM_HISTORY") {
        Ok(number) => vec![number.parse().expect("GREENROOM_HISTORY is a number")],
        Err(_) => all.collect(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_no_dead_branch_is_deployed_and_every_live_one_is_at_its_head() {
    for numbers in numbers(0..HISTORIES).chunks(ON_ONE_SERVER) {
        LocalSet::new().run_until(recorded(numbers)).await;
    }
}

async fn recorded(numbers: &[u64]) {
    let world = world("0").await;
    let token = world.server.token("recorder", "worker").await;
    let (recorder, claims) = Recorder::start(&world.server.url, token).await;
    let deeds = Arc::new(AtomicUsize::new(0));
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut histories = JoinSet::new();
    for &number in numbers {
        let player = Player::new(&world, &recorder, number, Arc::clone(&deeds));
        let room = Arc::clone(&room);
        histories.spawn_local(async move {
            let _place = room.acquire_owned().await.unwrap();
            (number, player.play().await)
        });
    }
    let world = Arc::new(Mutex::new(world));
    let done = CancellationToken::new();
    let plug = pull_the_plug(Arc::clone(&world), Arc::clone(&recorder), deeds, done.clone());
    let mut plug = tokio::task::spawn_local(plug);
    let mut failed = Vec::new();
    loop {
        let ended = tokio::select! {
            ended = histories.join_next() => ended,
            // it has something to say only when a start failed
            ended = &mut plug => panic!("nobody pulls the plug any more: {ended:?}"),
        };
        let Some(ended) = ended else { break };
        match ended.unwrap() {
            (_, Ok(())) => {}
            (number, Err(why)) => failed.push(format!("history {number}: {why}")),
        }
        // each that fails has waited for long
        if failed.len() == ENOUGH {
            break;
        }
    }
    done.cancel();
    plug.await.unwrap();
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    drop(claims);
    let world = Arc::into_inner(world).expect("nobody else has it now").into_inner();
    world.ends().await;
}

/// Kills the server and loses the worker by turns, as often as enough has happened since.
/// Never stops between a kill and the start after it.
async fn pull_the_plug(
    world: Arc<Mutex<World>>,
    recorder: Arc<Recorder>,
    deeds: Arc<AtomicUsize>,
    done: CancellationToken,
) {
    let mut kills = 0;
    let mut turns = tokio::time::interval(Duration::from_millis(100));
    while !done.is_cancelled() {
        turns.tick().await;
        if deeds.load(Ordering::Relaxed) < (kills + 1) * DEEDS_BETWEEN_KILLS {
            continue;
        }
        kills += 1;
        if kills % 2 == 0 {
            recorder.begin_anew().await;
        } else {
            let mut world = world.lock().await;
            world.server.kill().await;
            world.server.start_again().await;
        }
    }
}
