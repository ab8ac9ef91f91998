//! Table `token`: bearer tokens, by the SHA-256 of their text. The text itself is never stored.
//!
//! What always holds: a token that was revoked or is over is found by nobody; a name is given once
//! and for ever, so that who approved something stays known. A token that was confirmed with another
//! one is revoked with it.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use chrono::{DateTime, TimeDelta, Utc};
use model::permission::{Rights, Role};
use model::{AppId, AppName, PersonId, TokenId};
use secrecy::SecretString;
use sqlx::PgConnection;

use crate::error::{Error, Result};
use crate::session::Owner;

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Token {
    pub id: TokenId,
    pub name: String,
    pub role: Role,
    /// `None`: in the whole server.
    pub app: Option<AppName>,
    /// Whose command line it is: it may what that one may, and at most its role.
    pub person: Option<PersonId>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    /// Within a minute.
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

impl Token {
    /// Of one that is nobody's.
    pub fn rights(&self) -> Rights {
        match &self.app {
            Some(app) => Rights::in_apps([(app.clone(), self.role)]),
            None => Rights::everywhere(self.role),
        }
    }

    pub fn is_valid(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

pub struct NewToken<'a> {
    pub id: TokenId,
    pub name: &'a str,
    pub role: Role,
    pub app: Option<AppId>,
    /// Who lends it what they may themselves.
    pub owner: Option<Owner>,
    pub hash: &'a [u8],
    pub created_by: &'a str,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
}

impl<'a> NewToken<'a> {
    /// For the whole server and for ever, made by a command.
    pub fn new(id: TokenId, name: &'a str, role: Role, hash: &'a [u8], now: DateTime<Utc>) -> Self {
        let created_by = crate::audit::COMMAND_LINE;
        Self {
            id,
            name,
            role,
            app: None,
            owner: None,
            hash,
            created_by,
            created_at: now,
            expires_at: None,
        }
    }
}

/// 32 random bytes, in hexadecimal behind a prefix that secret scanners can be taught.
const SECRET_BYTES: usize = 32;
const PREFIX: &str = "grn_";
/// How exactly the last use is known: a call must not cost a write.
const USE_KNOWN_WITHIN: TimeDelta = TimeDelta::minutes(1);

/// The text of a new token: shown once, to whoever asked for it.
pub fn generate() -> SecretString {
    format!("{PREFIX}{}", random()).into()
}

/// A text that nobody can guess.
pub fn random() -> String {
    let mut bytes = [0_u8; SECRET_BYTES];
    rand::fill(&mut bytes).expect("the system's source of randomness works");
    hex::encode(bytes)
}

/// What is kept of a secret text. It is random and long, so a fast hash is enough; and who looks it
/// up by its hash learns nothing from how long that takes.
pub fn hash(text: &str) -> Vec<u8> {
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}

/// A name that is taken, by a revoked token too, is a conflict on `token_name_key`.
pub async fn insert(conn: &mut PgConnection, new: &NewToken<'_>) -> Result<()> {
    let (person, parent) = match new.owner {
        None => (None, None),
        Some(owner) => owner.columns(),
    };
    sqlx::query(
        "insert into token
             (id, name, role, app_id, hash, created_by, created_at, expires_at, person_id, parent_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(new.id)
    .bind(new.name)
    .bind(new.role.as_str())
    .bind(new.app)
    .bind(new.hash)
    .bind(new.created_by)
    .bind(new.created_at)
    .bind(new.expires_at)
    .bind(person)
    .bind(parent)
    .execute(conn)
    .await?;
    Ok(())
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "select t.id, t.name, t.role, a.name as app, t.person_id as person, t.created_by,
                 t.created_at, t.expires_at, t.last_used_at, t.revoked_at
             from token t left join app a on a.id = t.app_id ",
            $tail
        )
    };
}

/// The token of this hash, unless it is revoked or over.
pub async fn find_by_hash(
    conn: &mut PgConnection,
    hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<Token>> {
    let found: Option<Token> =
        sqlx::query_as(select!("where t.hash = $1")).bind(hash).fetch_optional(conn).await?;
    Ok(found.filter(|token| token.is_valid(now)))
}

pub async fn find(conn: &mut PgConnection, id: TokenId) -> Result<Option<Token>> {
    Ok(sqlx::query_as(select!("where t.id = $1")).bind(id).fetch_optional(conn).await?)
}

/// All there ever were, newest first.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Token>> {
    Ok(sqlx::query_as(select!("order by t.id desc")).fetch_all(conn).await?)
}

/// Those in force that somebody lent what they may, newest first.
pub async fn lent_by(
    conn: &mut PgConnection,
    owner: Owner,
    now: DateTime<Utc>,
) -> Result<Vec<Token>> {
    let (person, parent) = owner.columns();
    let tokens: Vec<Token> =
        sqlx::query_as(select!("where t.person_id = $1 or t.parent_id = $2 order by t.id desc"))
            .bind(person)
            .bind(parent)
            .fetch_all(conn)
            .await?;
    Ok(tokens.into_iter().filter(|token| token.is_valid(now)).collect())
}

/// Whether a token has, or had, this name in any spelling.
pub async fn is_name_taken(conn: &mut PgConnection, name: &str) -> Result<bool> {
    Ok(sqlx::query_scalar("select exists (select from token where lower(name) = lower($1))")
        .bind(name)
        .fetch_one(conn)
        .await?)
}

/// Remembers that it was used; writes at most once a minute.
pub async fn used(conn: &mut PgConnection, token: &Token, now: DateTime<Utc>) -> Result<()> {
    if token.last_used_at.is_some_and(|last| now - last < USE_KNOWN_WITHIN) {
        return Ok(());
    }
    sqlx::query("update token set last_used_at = greatest(last_used_at, $2) where id = $1")
        .bind(token.id)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends it, what was confirmed with it, and the sessions that were begun with any of them.
pub async fn revoke(conn: &mut PgConnection, id: TokenId, now: DateTime<Utc>) -> Result<()> {
    let ended: Vec<TokenId> = sqlx::query_scalar(
        "with recursive ended as (
             select id from token where id = $1
             union select t.id from token t join ended e on t.parent_id = e.id
         )
         update token t set revoked_at = coalesce(t.revoked_at, $2) from ended e where t.id = e.id
         returning t.id",
    )
    .bind(id)
    .bind(now)
    .fetch_all(&mut *conn)
    .await?;
    if ended.is_empty() {
        return Err(Error::not_found(format!("token {id}")));
    }
    sqlx::query("delete from session where token_id = any($1)")
        .bind(ended.iter().map(|id| id.0).collect::<Vec<_>>())
        .execute(conn)
        .await?;
    Ok(())
}
