//! Deliveries: kept once, read in order, ended once.

use bytes::Bytes;
use sqlx::PgPool;
use store::delivery::{self, DeliveryEnd, DeliveryState, Inserted, NewDelivery};

use crate::support::at;

fn new(guid: &str) -> NewDelivery {
    NewDelivery {
        guid: guid.into(),
        event: "push".into(),
        headers: serde_json::json!({ "x-github-event": "push" }),
        body: Bytes::from_static(b"{}"),
        received_at: at(0),
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_repeated_guid_is_known(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let together = [new("one"), new("two"), new("one")];
    assert_eq!(
        delivery::insert(&mut conn, &together).await.unwrap(),
        [Inserted::New, Inserted::New, Inserted::Known]
    );
    assert_eq!(delivery::insert(&mut conn, &[new("one")]).await.unwrap(), [Inserted::Known]);
    assert_eq!(delivery::received(&mut conn, 10).await.unwrap().len(), 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn deliveries_are_read_in_the_order_of_arrival_and_ended_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    for guid in ["b", "a", "c"] {
        delivery::insert(&mut conn, &[new(guid)]).await.unwrap();
    }
    let read = delivery::received(&mut conn, 2).await.unwrap();
    assert_eq!(read.iter().map(|row| row.guid.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(read[0].body, b"{}");
    delivery::end(&mut conn, "b", DeliveryEnd::Ignored("nobody asked".into()), at(1))
        .await
        .unwrap();
    delivery::end(&mut conn, "a", DeliveryEnd::Done("build 1".into()), at(1)).await.unwrap();
    assert!(
        delivery::end(&mut conn, "a", DeliveryEnd::Done("build 2".into()), at(2)).await.is_err()
    );
    let ended = delivery::find(&mut conn, "b").await.unwrap().unwrap();
    assert_eq!(
        (ended.state, ended.reason.as_deref()),
        (DeliveryState::Ignored, Some("nobody asked"))
    );
    assert_eq!(ended.state.as_str(), "ignored");

    assert_eq!(delivery::count_attempt(&mut conn, "c").await.unwrap(), 1);
    delivery::end(&mut conn, "c", DeliveryEnd::Failed("no such app".into()), at(3)).await.unwrap();
    assert!(delivery::received(&mut conn, 10).await.unwrap().is_empty());
    delivery::replay(&mut conn, "c").await.unwrap();
    let again = delivery::received(&mut conn, 10).await.unwrap();
    assert_eq!((again.len(), again[0].attempts), (1, 0));

    let page = delivery::list(&mut conn, None, 2).await.unwrap();
    assert_eq!(page.iter().map(|row| row.guid.as_str()).collect::<Vec<_>>(), ["c", "a"]);
    assert!(page.iter().all(|row| row.body.is_empty()));
    let rest = delivery::list(&mut conn, Some(page[1].seq), 2).await.unwrap();
    assert_eq!(rest[0].guid, "b");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_one_intake_holds_another_leaves_out(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    for guid in ["one", "two"] {
        delivery::insert(&mut conn, &[new(guid)]).await.unwrap();
    }
    let mut first = pool.begin().await.unwrap();
    assert_eq!(delivery::received(&mut first, 1).await.unwrap()[0].guid, "one");
    let mut second = pool.begin().await.unwrap();
    assert_eq!(delivery::received(&mut second, 1).await.unwrap()[0].guid, "two");
    second.rollback().await.unwrap();
    first.rollback().await.unwrap();
    // a crash before the commit loses nothing
    assert_eq!(delivery::received(&mut conn, 10).await.unwrap().len(), 2);
}
