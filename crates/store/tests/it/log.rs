//! Logs: chunks in order, each once.

use model::job::JobKind;
use sqlx::PgPool;
use store::log::{self, LogCursor};

use crate::support::{claim, world};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn chunks_are_read_in_order_and_a_repeated_one_is_ignored(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, build) = world(&mut conn).await;
    crate::support::job(&mut conn, build, JobKind::Test, None).await;
    let held = claim(&mut conn).await.unwrap();
    for (seq, bytes) in [(1, b"two "), (0, b"one "), (1, b"TWO "), (2, b"end\n")] {
        log::append(&mut conn, held.id, 1, seq, bytes).await.unwrap();
    }
    let all = log::read(&mut conn, held.id, LogCursor::default(), 1000).await.unwrap();
    assert_eq!(
        all.iter().flat_map(|chunk| chunk.bytes.clone()).collect::<Vec<_>>(),
        b"one two end\n"
    );
    assert_eq!(log::size(&mut conn, held.id).await.unwrap(), 12);
    let page = log::read(&mut conn, held.id, LogCursor::default(), 5).await.unwrap();
    assert_eq!(page.len(), 2);
    let rest = log::read(&mut conn, held.id, page[1].cursor(), 0).await.unwrap();
    assert_eq!(rest, all[2..]);
    assert!(log::read(&mut conn, held.id, rest[0].cursor(), 1000).await.unwrap().is_empty());
}
