//! Sessions of browsers, and their way to GitHub and back.

use chrono::{DateTime, Utc};
use model::{PersonId, SessionId};
use sqlx::{PgConnection, PgPool};
use store::session::{self, Attempt, NewSession, Owner};

use crate::support::{at, id};

pub(crate) async fn begin(
    conn: &mut PgConnection,
    owner: Owner,
    hash: &[u8],
    now: i64,
) -> SessionId {
    let new = NewSession {
        id: SessionId(id()),
        hash,
        owner,
        agent: "a browser",
        from_ip: Some("192.0.2.7".into()),
        created_at: at(now),
    };
    session::begin(conn, &new).await.unwrap();
    new.id
}

async fn ada(conn: &mut PgConnection) -> Owner {
    let login = "ada".parse().unwrap();
    let person = store::person::signed_in(conn, PersonId(id()), 7, &login, None, at(0)).await;
    Owner::Person(person.unwrap().id)
}

const DAY: i64 = 24 * 60 * 60;

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_session_ends_after_a_week_without_use_and_after_a_month_with_it(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let owner = ada(&mut conn).await;
    begin(&mut conn, owner, b"idle", 0).await;
    begin(&mut conn, owner, b"busy", 0).await;
    for day in 1..30 {
        let found = session::find(&mut conn, b"busy", at(day * DAY)).await.unwrap();
        assert!(found.is_some(), "day {day}");
    }
    assert_eq!(session::find(&mut conn, b"idle", at(7 * DAY)).await.unwrap(), None);
    assert_eq!(session::find(&mut conn, b"busy", at(30 * DAY)).await.unwrap(), None);
    assert_eq!(session::list(&mut conn, owner, at(29 * DAY)).await.unwrap().len(), 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_session_is_ended_by_its_owner_and_by_nobody_else(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let owner = ada(&mut conn).await;
    let (first, _) =
        (begin(&mut conn, owner, b"first", 0).await, begin(&mut conn, owner, b"second", 0).await);
    let stranger = Owner::Person(PersonId(id()));
    assert!(!session::end(&mut conn, first, stranger).await.unwrap());
    assert!(session::end(&mut conn, first, owner).await.unwrap());
    assert!(!session::end(&mut conn, first, owner).await.unwrap());
    assert_eq!(session::end_all(&mut conn, stranger).await.unwrap(), 0);
    assert_eq!(session::end_all(&mut conn, owner).await.unwrap(), 1);
    assert_eq!(session::find(&mut conn, b"second", at(1)).await.unwrap(), None);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_attempt_is_taken_once_in_its_browser_within_ten_minutes(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let attempt = Attempt { verifier: "secret".into(), back: "/builds".into() };
    let over = at(0) + session::ATTEMPT_LIFETIME;
    session::attempt(&mut conn, b"state", b"browser", &attempt, at(0)).await.unwrap();
    let mut take = async |state: &'static [u8], browser: &'static [u8], now: DateTime<Utc>| {
        session::take_attempt(&mut conn, state, browser, now).await.unwrap()
    };
    assert_eq!(take(b"state", b"other", at(1)).await, None);
    assert_eq!(take(b"other", b"browser", at(1)).await, None);
    assert_eq!(take(b"state", b"browser", over).await, None);
    assert_eq!(take(b"state", b"browser", at(1)).await, Some(attempt));
    assert_eq!(take(b"state", b"browser", at(1)).await, None);
}
