//! Requests that come again under their key.

use sqlx::{PgConnection, PgPool};
use store::idempotency::{self, Answer, Begun, KEPT_FOR, Key, TAKEN_OVER_AFTER};
use store::vault::Vault;
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::at;

const REQUEST: &[u8] = b"the digest of a request";
const OWNER: Uuid = Uuid::from_u128(7);
const KEY: Key<'_> = Key { owner: OWNER, text: "8e03978e" };

fn vault() -> (Vault, TempDir) {
    let files = tempfile::tempdir().unwrap();
    (Vault::load_or_create(&files.path().join("key")).unwrap(), files)
}

fn made() -> Answer {
    Answer { status: 201, kind: Some("application/json".into()), body: b"{\"number\":7}".to_vec() }
}

async fn begin(conn: &mut PgConnection, vault: &Vault, key: Key<'_>, now: i64) -> Begun {
    idempotency::begin(conn, vault, key, REQUEST, at(now)).await.unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn who_asks_again_gets_the_answer_and_who_asks_meanwhile_waits(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (vault, _files) = vault();
    assert_eq!(begin(&mut conn, &vault, KEY, 0).await, Begun::Mine { attempt: 1 });
    assert_eq!(begin(&mut conn, &vault, KEY, 1).await, Begun::UnderWay);
    assert!(idempotency::done(&mut conn, KEY, 1, "start", at(1)).await.unwrap());
    idempotency::keep(&mut conn, &vault, KEY, 1, &made()).await.unwrap();
    assert_eq!(begin(&mut conn, &vault, KEY, 2).await, Begun::Answered(made()));
    let stored: Vec<u8> =
        sqlx::query_scalar("select body from idempotency").fetch_one(&mut *conn).await.unwrap();
    assert!(!stored.windows(6).any(|part| part == b"number"), "the answer is encrypted");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_key_is_its_owner_s_and_for_one_request(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (vault, _files) = vault();
    assert_eq!(begin(&mut conn, &vault, KEY, 0).await, Begun::Mine { attempt: 1 });
    let other = idempotency::begin(&mut conn, &vault, KEY, b"another", at(1)).await.unwrap();
    assert_eq!(other, Begun::OfAnother);
    let somebody = Key { owner: Uuid::from_u128(8), ..KEY };
    assert_eq!(begin(&mut conn, &vault, somebody, 1).await, Begun::Mine { attempt: 1 });
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_request_that_was_refused_leaves_its_key_free(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (vault, _files) = vault();
    begin(&mut conn, &vault, KEY, 0).await;
    assert!(idempotency::release(&mut conn, KEY, 1).await.unwrap());
    assert_eq!(begin(&mut conn, &vault, KEY, 1).await, Begun::Mine { attempt: 1 });
    idempotency::done(&mut conn, KEY, 1, "start", at(1)).await.unwrap();
    assert!(!idempotency::release(&mut conn, KEY, 1).await.unwrap(), "something was done");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_request_whose_process_died_is_done_by_the_next_and_no_more_by_the_first(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (vault, _files) = vault();
    begin(&mut conn, &vault, KEY, 0).await;
    let later = TAKEN_OVER_AFTER.num_seconds();
    assert_eq!(begin(&mut conn, &vault, KEY, later).await, Begun::Mine { attempt: 2 });
    assert!(!idempotency::done(&mut conn, KEY, 1, "start", at(later)).await.unwrap());
    assert!(idempotency::done(&mut conn, KEY, 2, "start", at(later)).await.unwrap());
    assert!(idempotency::keep(&mut conn, &vault, KEY, 1, &made()).await.is_err());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_was_done_is_not_done_again_though_nobody_kept_the_answer(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (vault, _files) = vault();
    begin(&mut conn, &vault, KEY, 0).await;
    idempotency::done(&mut conn, KEY, 1, "start: build 7 of workshop", at(1)).await.unwrap();
    let again = begin(&mut conn, &vault, KEY, TAKEN_OVER_AFTER.num_seconds() * 2).await;
    assert_eq!(again, Begun::Done { deed: "start: build 7 of workshop".into() });
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_key_is_forgotten_after_a_day(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (vault, _files) = vault();
    begin(&mut conn, &vault, KEY, 0).await;
    idempotency::done(&mut conn, KEY, 1, "start", at(1)).await.unwrap();
    idempotency::keep(&mut conn, &vault, KEY, 1, &made()).await.unwrap();
    let (day, other) = (KEPT_FOR.num_seconds(), Key { text: "other", ..KEY });
    begin(&mut conn, &vault, other, day - 1).await;
    assert_eq!(begin(&mut conn, &vault, KEY, day - 1).await, Begun::Answered(made()));
    begin(&mut conn, &vault, other, day + 1).await;
    let left: i64 =
        sqlx::query_scalar("select count(*) from idempotency").fetch_one(&mut *conn).await.unwrap();
    assert_eq!(left, 1, "the one that is over went with the next request");
}
