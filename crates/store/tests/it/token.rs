//! Tokens by hash.

use model::TokenId;
use model::permission::{Action, Role, Scope};
use sqlx::PgPool;
use store::session::Owner;
use store::token::{self, NewToken};

use crate::support::{app, at, id};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_token_is_found_by_its_hash_until_it_is_revoked(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let ci = TokenId(id());
    let new = NewToken::new(ci, "ci", Role::Deployer, b"hash", at(0));
    token::insert(&mut conn, &new).await.unwrap();
    let found = token::find_by_hash(&mut conn, b"hash", at(0)).await.unwrap().unwrap();
    assert_eq!((found.id, found.role, found.name.as_str()), (ci, Role::Deployer, "ci"));
    assert_eq!(found.created_by, "the command line");
    assert_eq!(token::find_by_hash(&mut conn, b"other", at(0)).await.unwrap(), None);
    let again = NewToken::new(TokenId(id()), "ci", Role::Admin, b"more", at(0));
    let taken = token::insert(&mut conn, &again).await;
    assert_eq!(taken.unwrap_err().constraint(), Some("token_name_key"));
    assert!(token::is_name_taken(&mut conn, "CI").await.unwrap());
    token::revoke(&mut conn, ci, at(1)).await.unwrap();
    token::revoke(&mut conn, ci, at(2)).await.unwrap();
    assert_eq!(token::find_by_hash(&mut conn, b"hash", at(2)).await.unwrap(), None);
    assert_eq!(token::list(&mut conn).await.unwrap()[0].revoked_at, Some(at(1)));
    assert!(token::is_name_taken(&mut conn, "ci").await.unwrap(), "a name is given once");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_token_of_one_app_ends_at_its_time_and_is_nothing_elsewhere(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let new = NewToken {
        app: Some(app(&mut conn).await),
        expires_at: Some(at(100)),
        ..NewToken::new(TokenId(id()), "ci", Role::Admin, b"hash", at(0))
    };
    token::insert(&mut conn, &new).await.unwrap();
    let found = token::find_by_hash(&mut conn, b"hash", at(99)).await.unwrap().unwrap();
    let workshop = "workshop".parse().unwrap();
    assert!(found.rights().allows(Action::Configure, Scope::App(&workshop)));
    assert!(!found.rights().allows(Action::Read, Scope::Server));
    assert_eq!(token::find_by_hash(&mut conn, b"hash", at(100)).await.unwrap(), None);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_last_use_is_known_within_a_minute(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let new = NewToken::new(TokenId(id()), "ci", Role::Viewer, b"hash", at(0));
    token::insert(&mut conn, &new).await.unwrap();
    for (now, expected) in [(10, 10), (69, 10), (70, 70)] {
        let found = token::find_by_hash(&mut conn, b"hash", at(now)).await.unwrap().unwrap();
        token::used(&mut conn, &found, at(now)).await.unwrap();
        let kept = token::find(&mut conn, new.id).await.unwrap().unwrap();
        assert_eq!(kept.last_used_at, Some(at(expected)));
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn sessions_end_with_their_token(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let new = NewToken::new(TokenId(id()), "ann", Role::Viewer, b"hash", at(0));
    token::insert(&mut conn, &new).await.unwrap();
    let owner = Owner::Token(new.id);
    crate::session::begin(&mut conn, owner, b"cookie", 0).await;
    assert_eq!(store::session::list(&mut conn, owner, at(1)).await.unwrap().len(), 1);
    token::revoke(&mut conn, new.id, at(1)).await.unwrap();
    assert_eq!(store::session::find(&mut conn, b"cookie", at(1)).await.unwrap(), None);
}
