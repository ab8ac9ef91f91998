//! Programs that wait to be let in.

use model::permission::Role;
use model::{DeviceId, PersonId, TokenId};
use sqlx::{PgConnection, PgPool};
use store::device::{self, Grant, NewDevice, Polled};
use store::session::Owner;
use store::token::{self, NewToken};

use crate::support::{at, id};

const MINUTE: i64 = 60;

async fn begin(conn: &mut PgConnection, code: &str, now: i64) -> bool {
    let (hash, user_hash) = (token::hash(code), token::hash(&format!("user {code}")));
    let new = NewDevice {
        id: DeviceId(id()),
        hash: &hash,
        user_hash: &user_hash,
        machine: "laptop",
        from_ip: Some("192.0.2.7".into()),
        role: Role::Deployer,
        created_at: at(now),
    };
    device::begin(conn, &new).await.unwrap()
}

async fn waiting(conn: &mut PgConnection, code: &str, now: i64) -> Option<device::Device> {
    let hash = token::hash(&format!("user {code}"));
    device::waiting(conn, &hash, at(now)).await.unwrap()
}

async fn poll(conn: &mut PgConnection, code: &str, now: i64) -> Polled {
    device::poll(conn, &token::hash(code), at(now)).await.unwrap()
}

async fn grant(conn: &mut PgConnection) -> Grant {
    let login = "ada".parse().unwrap();
    let ada = store::person::signed_in(conn, PersonId(id()), 7, &login, None, at(0)).await;
    Grant {
        by: "ada".into(),
        owner: Some(Owner::Person(ada.unwrap().id)),
        role: Role::Viewer,
        app: None,
        expires_at: at(1_000_000),
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_program_that_was_let_in_gets_its_grant_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    assert!(begin(&mut conn, "one", 0).await);
    assert_eq!(poll(&mut conn, "one", 1).await, Polled::Waiting);
    let found = waiting(&mut conn, "one", 2).await.unwrap();
    assert_eq!((found.machine.as_str(), found.role), ("laptop", Role::Deployer));
    assert_eq!(waiting(&mut conn, "two", 2).await, None);
    let wanted = grant(&mut conn).await;
    assert!(device::grant(&mut conn, found.id, &wanted, at(3)).await.unwrap());
    assert!(!device::grant(&mut conn, found.id, &wanted, at(3)).await.unwrap(), "only once");
    assert!(!device::refuse(&mut conn, found.id, at(3)).await.unwrap(), "it is decided");
    assert_eq!(waiting(&mut conn, "one", 4).await, None);
    let Polled::Granted { machine, from_ip, grant } = poll(&mut conn, "one", 4).await else {
        panic!("it was let in")
    };
    assert_eq!((machine.as_str(), from_ip.as_deref()), ("laptop", Some("192.0.2.7")));
    assert_eq!(grant, wanted);
    assert_eq!(poll(&mut conn, "one", 10).await, Polled::Unknown);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_program_that_was_refused_is_told_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    begin(&mut conn, "one", 0).await;
    let found = waiting(&mut conn, "one", 2).await.unwrap();
    assert!(device::refuse(&mut conn, found.id, at(3)).await.unwrap());
    assert_eq!(poll(&mut conn, "one", 4).await, Polled::Refused);
    assert_eq!(poll(&mut conn, "one", 10).await, Polled::Unknown);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_program_that_asks_too_early_has_to_wait_longer(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    begin(&mut conn, "one", 0).await;
    for (now, expected) in [
        (1, Polled::Waiting),
        (5, Polled::TooEarly),
        (14, Polled::TooEarly),
        (28, Polled::TooEarly),
        (48, Polled::Waiting),
    ] {
        assert_eq!(poll(&mut conn, "one", now).await, expected, "{now}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_code_is_over_after_a_quarter_of_an_hour(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    begin(&mut conn, "one", 0).await;
    let found = waiting(&mut conn, "one", 15 * MINUTE - 1).await.unwrap();
    assert_eq!(waiting(&mut conn, "one", 15 * MINUTE).await, None);
    let wanted = grant(&mut conn).await;
    assert!(!device::grant(&mut conn, found.id, &wanted, at(15 * MINUTE)).await.unwrap());
    assert!(!device::refuse(&mut conn, found.id, at(15 * MINUTE)).await.unwrap());
    assert_eq!(poll(&mut conn, "one", 15 * MINUTE).await, Polled::Unknown);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn one_address_cannot_fill_the_table(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    for code in 0..50 {
        assert!(begin(&mut conn, &code.to_string(), 0).await);
    }
    assert!(!begin(&mut conn, "one more", 1).await);
    assert!(begin(&mut conn, "one more", 15 * MINUTE).await, "the others are over");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn who_enters_ten_wrong_codes_has_to_wait(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    for second in 0..10 {
        assert!(device::may_try(&mut conn, "mallory", at(second)).await.unwrap());
        device::missed(&mut conn, "mallory", at(second)).await.unwrap();
    }
    assert!(!device::may_try(&mut conn, "mallory", at(10)).await.unwrap());
    assert!(device::may_try(&mut conn, "ada", at(10)).await.unwrap());
    assert!(device::may_try(&mut conn, "mallory", at(15 * MINUTE)).await.unwrap());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_was_confirmed_with_a_token_ends_with_it(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let [first, second, third] = [(); 3].map(|()| TokenId(id()));
    for (token, owner, hash) in
        [(first, None, b"1"), (second, Some(first), b"2"), (third, Some(second), b"3")]
    {
        let name = token.to_string();
        let new = NewToken {
            owner: owner.map(Owner::Token),
            ..NewToken::new(token, &name, Role::Viewer, hash, at(0))
        };
        token::insert(&mut conn, &new).await.unwrap();
    }
    let lent = token::lent_by(&mut conn, Owner::Token(first), at(1)).await.unwrap();
    assert_eq!(lent.iter().map(|token| token.id).collect::<Vec<_>>(), [second]);
    crate::session::begin(&mut conn, Owner::Token(third), b"cookie", 0).await;
    token::revoke(&mut conn, first, at(1)).await.unwrap();
    for hash in [b"1", b"2", b"3"] {
        assert_eq!(token::find_by_hash(&mut conn, hash, at(1)).await.unwrap(), None);
    }
    assert_eq!(store::session::find(&mut conn, b"cookie", at(1)).await.unwrap(), None);
}
