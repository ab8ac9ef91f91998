//! Table `token`: bearer tokens, by the SHA-256 of their text. The text itself is never stored.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use chrono::{DateTime, Utc};
use model::TokenId;
use model::permission::Role;
use secrecy::SecretString;
use sqlx::PgConnection;

use crate::error::{Result, met};

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Token {
    pub id: TokenId,
    pub name: String,
    pub role: Role,
    pub created_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// 32 random bytes, in hexadecimal behind a prefix that secret scanners can be taught.
const TOKEN_BYTES: usize = 32;
const PREFIX: &str = "grn_";

/// The text of a new token: shown once, to whoever asked for it.
pub fn generate() -> SecretString {
    let mut bytes = [0_u8; TOKEN_BYTES];
    rand::fill(&mut bytes).expect("the system's source of randomness works");
    format!("{PREFIX}{}", hex::encode(bytes)).into()
}

/// What is kept of a token's text. A token is random and long, so a fast hash is enough.
pub fn hash(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}

/// A name that is taken, by a revoked token too, is a conflict on `token_name_key`.
pub async fn insert(
    conn: &mut PgConnection,
    id: TokenId,
    name: &str,
    role: Role,
    hash: &[u8],
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query("insert into token (id, name, role, hash, created_at) values ($1, $2, $3, $4, $5)")
        .bind(id)
        .bind(name)
        .bind(role.as_str())
        .bind(hash)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

/// The token of this hash, unless it is revoked.
pub async fn find_by_hash(conn: &mut PgConnection, hash: &[u8]) -> Result<Option<Token>> {
    Ok(sqlx::query_as(
        "select id, name, role, created_at, revoked_at from token
         where hash = $1 and revoked_at is null",
    )
    .bind(hash)
    .fetch_optional(conn)
    .await?)
}

pub async fn list(conn: &mut PgConnection) -> Result<Vec<Token>> {
    Ok(sqlx::query_as("select id, name, role, created_at, revoked_at from token order by id desc")
        .fetch_all(conn)
        .await?)
}

pub async fn revoke(conn: &mut PgConnection, id: TokenId, now: DateTime<Utc>) -> Result<()> {
    let done = sqlx::query("update token set revoked_at = coalesce(revoked_at, $2) where id = $1")
        .bind(id)
        .bind(now)
        .execute(conn)
        .await?;
    met(&done, || format!("token {id}"))
}
