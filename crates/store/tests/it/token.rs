//! Tokens by hash.

use model::TokenId;
use model::permission::Role;
use sqlx::PgPool;
use store::token;

use crate::support::{at, id};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_token_is_found_by_its_hash_until_it_is_revoked(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let ci = TokenId(id());
    token::insert(&mut conn, ci, "ci", Role::Deployer, b"hash", at(0)).await.unwrap();
    let found = token::find_by_hash(&mut conn, b"hash").await.unwrap().unwrap();
    assert_eq!((found.id, found.role, found.name.as_str()), (ci, Role::Deployer, "ci"));
    assert_eq!(token::find_by_hash(&mut conn, b"other").await.unwrap(), None);
    let taken = token::insert(&mut conn, TokenId(id()), "ci", Role::Admin, b"more", at(0)).await;
    assert_eq!(taken.unwrap_err().constraint(), Some("token_name_key"));
    token::revoke(&mut conn, ci, at(1)).await.unwrap();
    token::revoke(&mut conn, ci, at(2)).await.unwrap();
    assert_eq!(token::find_by_hash(&mut conn, b"hash").await.unwrap(), None);
    assert_eq!(token::list(&mut conn).await.unwrap()[0].revoked_at, Some(at(1)));
}
