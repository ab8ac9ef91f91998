//! Signals within a process and between two.

use std::time::Duration;

use model::{BuildId, JobId};
use sqlx::PgPool;
use store::signals::{Signals, Topic};
use tokio::time::timeout;

use crate::support::id;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_wake_up_between_looking_and_waiting_is_heard() {
    let signals = Signals::new();
    let (engine, workers) = (signals.engine_woken(), signals.workers_woken());
    signals.wake_engine();
    signals.wake_workers();
    timeout(SOON, engine).await.expect("the engine is woken");
    timeout(SOON, workers).await.expect("the workers are woken");
}

#[tokio::test]
async fn every_subscriber_hears_what_was_touched() {
    let signals = Signals::new();
    signals.touched(Topic::Board);
    let (mut one, mut two) = (signals.subscribe(), signals.subscribe());
    let topic = Topic::Build(BuildId(id()));
    signals.touched(topic);
    assert_eq!(one.recv().await.unwrap(), topic);
    assert_eq!(two.recv().await.unwrap(), topic);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn another_process_hears_signals_through_the_bridge(pool: PgPool) {
    let database = crate::schema::open(&pool).await;
    let (here, there) = (Signals::new(), Signals::new());
    let (cancel, canceled) = tokio::sync::watch::channel(false);
    let bridges: Vec<_> = [&here, &there]
        .map(|signals| {
            let mut canceled = canceled.clone();
            let end = async move {
                let _ = canceled.wait_for(|canceled| *canceled).await;
            };
            tokio::spawn(signals.clone().bridge(database.clone(), end))
        })
        .into();
    let mut heard = there.subscribe();
    let topic = Topic::Log(JobId(id()));
    // until both listen, a signal may be lost: that is what polling is for
    timeout(SOON, async {
        loop {
            here.touched(topic);
            if let Ok(Ok(got)) = timeout(Duration::from_millis(50), heard.recv()).await
                && got == topic
            {
                return;
            }
        }
    })
    .await
    .expect("the topic is heard");
    let woken = there.workers_woken();
    here.wake_workers();
    timeout(SOON, woken).await.expect("the workers of the other process are woken");
    let mut own = here.subscribe();
    here.touched(topic);
    there.touched(Topic::Board);
    assert_eq!(timeout(SOON, own.recv()).await.unwrap().unwrap(), topic);
    // its own signal does not come back to it
    let next = timeout(SOON, own.recv()).await.unwrap().unwrap();
    assert_eq!(next, Topic::Board);
    cancel.send(true).unwrap();
    for bridge in bridges {
        timeout(SOON, bridge).await.expect("the bridge ends").unwrap();
    }
}
