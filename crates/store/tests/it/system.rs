//! What the system page tells of the whole server.

use chrono::Duration;
use serde_json::json;
use sqlx::PgPool;
use store::delivery::{self, DeliveryEnd, DeliveryState, Filter, NewDelivery};
use store::system;

use crate::support::{at, world};

fn new(guid: &str, event: &str, seconds: i64) -> NewDelivery {
    NewDelivery {
        guid: guid.into(),
        event: event.into(),
        headers: json!({}),
        body: "{}".into(),
        received_at: at(seconds),
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn deliveries_are_counted_and_found_by_state_and_event(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let all = [new("a", "push", 0), new("b", "push", 10), new("c", "ping", 20)];
    delivery::insert(&mut conn, &all).await.unwrap();
    delivery::end(&mut conn, "b", DeliveryEnd::Failed("no app".into()), at(11)).await.unwrap();
    let facts = system::deliveries(&mut conn, at(5)).await.unwrap();
    assert_eq!((facts.received, facts.failed), (2, 1));
    assert_eq!((facts.oldest_at, facts.newest_at), (Some(at(0)), Some(at(20))));
    assert_eq!(system::deliveries(&mut conn, at(15)).await.unwrap().failed, 0, "long ago");
    let mut find = async |state, event: Option<&str>| {
        let filter = Filter { state, event: event.map(str::to_owned), before: None, limit: 10 };
        let found = delivery::search(&mut conn, &filter).await.unwrap();
        found.into_iter().map(|one| one.guid).collect::<Vec<_>>()
    };
    assert_eq!(find(None, None).await, ["c", "b", "a"]);
    assert_eq!(find(Some(DeliveryState::Received), Some("push")).await, ["a"]);
    assert_eq!(find(Some(DeliveryState::Failed), None).await, ["b"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_empty_server_has_an_empty_queue_and_a_database(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    world(&mut conn).await;
    assert_eq!(system::queues(&mut conn).await.unwrap(), []);
    assert_eq!(system::workers(&mut conn).await.unwrap(), []);
    let outbox = system::outbox(&mut conn, at(0) - Duration::days(1)).await.unwrap();
    assert_eq!((outbox.pending, outbox.troubled, outbox.rejected), (0, 0, 0));
    assert_eq!(system::hurry(&mut conn, at(0)).await.unwrap(), 0);
    let database = system::database(&mut conn).await.unwrap();
    assert_eq!(database.schema, database.known);
    assert!(database.size_bytes > 0 && database.connections > 0);
}
