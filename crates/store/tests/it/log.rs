//! Logs: chunks in order, each once.

use chrono::{DateTime, TimeDelta};
use model::JobId;
use model::job::JobKind;
use model::worker_api::{GroupEnd, GroupKind, GroupOutcome, LogGroup, LogHead};
use sqlx::{PgConnection, PgPool};
use store::log::{self, Extent, Located, LogCursor};

use crate::support::{claim, world};

async fn append(conn: &mut PgConnection, job: JobId, seq: i64, bytes: &[u8]) {
    let head = LogHead::default();
    log::append(conn, job, (1, seq), bytes, &head, DateTime::UNIX_EPOCH).await.unwrap();
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn chunks_are_read_in_order_and_a_repeated_one_is_ignored(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, build) = world(&mut conn).await;
    crate::support::job(&mut conn, build, JobKind::Test, None).await;
    let held = claim(&mut conn).await.unwrap();
    for (seq, bytes) in [(1, b"two "), (0, b"one "), (1, b"TWO "), (2, b"end\n")] {
        append(&mut conn, held.id, seq, bytes).await;
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

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_line_end_is_found_by_counting_and_not_by_reading(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, build) = world(&mut conn).await;
    crate::support::job(&mut conn, build, JobKind::Test, None).await;
    let held = claim(&mut conn).await.unwrap();
    assert_eq!(log::extents(&mut conn, held.id).await.unwrap(), []);
    for (seq, bytes) in [(0, "one\ntwo\nth"), (1, "r"), (2, "ee\nfour\nfi"), (3, "")] {
        append(&mut conn, held.id, seq, bytes.as_bytes()).await;
    }
    let extents = log::extents(&mut conn, held.id).await.unwrap();
    assert_eq!(extents, [Extent { attempt: 1, line_ends: 4, open: true }]);
    for (line_end, seq, before) in [(1, 0, 0), (2, 0, 0), (3, 2, 2), (4, 2, 2)] {
        let found = log::locate(&mut conn, held.id, 1, line_end).await.unwrap();
        assert_eq!(found, Some(Located { seq, before }), "line end {line_end}");
    }
    assert_eq!(log::locate(&mut conn, held.id, 1, 5).await.unwrap(), None);
    append(&mut conn, held.id, 4, b"ve\n").await;
    let extents = log::extents(&mut conn, held.id).await.unwrap();
    assert_eq!(extents, [Extent { attempt: 1, line_ends: 5, open: false }]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_group_begins_once_and_ends_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, build) = world(&mut conn).await;
    crate::support::job(&mut conn, build, JobKind::Test, None).await;
    let held = claim(&mut conn).await.unwrap();
    let begun = LogGroup {
        ordinal: 0,
        kind: GroupKind::Step,
        name: "npm test".to_owned().into(),
        first_line: 1,
        end: None,
    };
    let end = GroupEnd { last_line: 9, outcome: GroupOutcome::Failed, took_ms: 1500 };
    let ended = LogGroup { end: Some(end), ..begun.clone() };
    let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
    let told = [(0, vec![begun.clone()]), (1, vec![begun, ended.clone()]), (1, vec![ended])];
    for (seq, groups) in told {
        let head = LogHead { prelude: "\u{1b}[1m".into(), groups };
        log::append(&mut conn, held.id, (1, seq), b"x\n", &head, at(seq)).await.unwrap();
    }
    let groups = log::groups(&mut conn, held.id).await.unwrap();
    assert_eq!(groups.len(), 1);
    assert_eq!((groups[0].name.as_str(), groups[0].end), ("npm test", Some(end)));
    assert_eq!(groups[0].began_at, at(0));
    let chunks = log::read(&mut conn, held.id, LogCursor::default(), 100).await.unwrap();
    assert!(chunks.iter().all(|chunk| chunk.grouped && chunk.prelude == "\u{1b}[1m"));
    let stale = log::append(&mut conn, held.id, (2, 0), b"", &LogHead::default(), at(0)).await;
    assert!(matches!(stale, Err(store::Error::Stale { attempt: 2 })), "{stale:?}");
}
