//! Workers by name.

use model::WorkerId;
use model::worker_api::Register;
use sqlx::PgPool;
use store::worker;

use crate::support::{at, id};

fn hello(incarnation: u128) -> Register {
    Register {
        name: "embedded".into(),
        incarnation: uuid::Uuid::from_u128(incarnation),
        slots: 2,
        version: "0.1.0".into(),
        executor: "bubblewrap".into(),
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_new_incarnation_of_a_worker_keeps_its_row_and_says_so(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let first = worker::register(&mut conn, WorkerId(id()), &hello(1), at(0)).await.unwrap();
    assert!(!first.replaced);
    let same = worker::register(&mut conn, WorkerId(id()), &hello(1), at(1)).await.unwrap();
    assert_eq!((same.id, same.replaced), (first.id, false));
    let next = worker::register(&mut conn, WorkerId(id()), &hello(2), at(2)).await.unwrap();
    assert_eq!((next.id, next.replaced, next.slots), (first.id, true, 2));
    worker::seen(&mut conn, next.id, at(9)).await.unwrap();
    let found = worker::find(&mut conn, next.id).await.unwrap().unwrap();
    assert_eq!((found.seen_at, found.registered_at), (at(9), at(2)));
    assert_eq!(worker::list(&mut conn).await.unwrap(), [found]);
    assert!(worker::seen(&mut conn, WorkerId(id()), at(9)).await.is_err());
}
