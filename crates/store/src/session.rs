//! Tables `session` and `login_attempt`: browsers in which somebody is signed in, and those that
//! were sent to GitHub for it.
//!
//! What always holds: of a cookie and of a state only the SHA-256 is kept, so who reads the database
//! is nobody; a session that was not used for a week or is a month old is found no more; an attempt
//! is taken once, by the browser that began it.

use chrono::{DateTime, TimeDelta, Utc};
use model::{PersonId, SessionId, TokenId};
use sqlx::PgConnection;

use crate::error::{Error, Result};

/// After so long without a request it is over.
pub const IDLE: TimeDelta = TimeDelta::days(7);
/// However busy it was.
pub const LIFETIME: TimeDelta = TimeDelta::days(30);
/// How exactly the last request is known.
const SEEN_WITHIN: TimeDelta = TimeDelta::minutes(1);
/// How long somebody may take at GitHub.
pub const ATTEMPT_LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// Who signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Person(PersonId),
    Token(TokenId),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub owner: Owner,
    pub created_at: DateTime<Utc>,
    /// Within a minute.
    pub seen_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub agent: String,
    pub from_ip: Option<String>,
}

pub struct NewSession<'a> {
    pub id: SessionId,
    pub hash: &'a [u8],
    pub owner: Owner,
    pub agent: &'a str,
    pub from_ip: Option<String>,
    pub created_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: SessionId,
    person_id: Option<PersonId>,
    token_id: Option<TokenId>,
    created_at: DateTime<Utc>,
    seen_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    agent: String,
    from_ip: Option<String>,
}

impl TryFrom<Row> for Session {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let owner = match (row.person_id, row.token_id) {
            (Some(person), None) => Owner::Person(person),
            (None, Some(token)) => Owner::Token(token),
            (Some(_), Some(_)) | (None, None) => {
                let id = row.id.to_string();
                return Err(Error::Inconsistent { table: "session", column: "person_id", id });
            }
        };
        Ok(Self {
            id: row.id,
            owner,
            created_at: row.created_at,
            seen_at: row.seen_at,
            expires_at: row.expires_at,
            agent: row.agent,
            from_ip: row.from_ip,
        })
    }
}

impl Owner {
    pub(crate) fn columns(self) -> (Option<PersonId>, Option<TokenId>) {
        match self {
            Self::Person(person) => (Some(person), None),
            Self::Token(token) => (None, Some(token)),
        }
    }
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "select id, person_id, token_id, created_at, seen_at, expires_at, agent, from_ip
             from session ",
            $tail
        )
    };
}

/// Begins one, and forgets those that are over.
pub async fn begin(conn: &mut PgConnection, new: &NewSession<'_>) -> Result<()> {
    sqlx::query("delete from session where expires_at <= $1 or seen_at <= $2")
        .bind(new.created_at)
        .bind(new.created_at - IDLE)
        .execute(&mut *conn)
        .await?;
    let (person, token) = new.owner.columns();
    sqlx::query(
        "insert into session
             (id, hash, person_id, token_id, created_at, seen_at, expires_at, agent, from_ip)
         values ($1, $2, $3, $4, $5, $5, $6, $7, $8)",
    )
    .bind(new.id)
    .bind(new.hash)
    .bind(person)
    .bind(token)
    .bind(new.created_at)
    .bind(new.created_at + LIFETIME)
    .bind(new.agent)
    .bind(&new.from_ip)
    .execute(conn)
    .await?;
    Ok(())
}

/// The session of a cookie, unless it is over. That it was seen is written at most once a minute.
pub async fn find(
    conn: &mut PgConnection,
    hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<Session>> {
    let row: Option<Row> =
        sqlx::query_as(select!("where hash = $1 and expires_at > $2 and seen_at > $3"))
            .bind(hash)
            .bind(now)
            .bind(now - IDLE)
            .fetch_optional(&mut *conn)
            .await?;
    let Some(row) = row else { return Ok(None) };
    if now - row.seen_at >= SEEN_WITHIN {
        sqlx::query("update session set seen_at = greatest(seen_at, $2) where id = $1")
            .bind(row.id)
            .bind(now)
            .execute(conn)
            .await?;
    }
    row.try_into().map(Some)
}

/// Where somebody is signed in, newest first.
pub async fn list(
    conn: &mut PgConnection,
    owner: Owner,
    now: DateTime<Utc>,
) -> Result<Vec<Session>> {
    let idle = now - IDLE;
    let rows: Vec<Row> = match owner {
        Owner::Person(person) => {
            sqlx::query_as(select!(
                "where person_id = $1 and expires_at > $2 and seen_at > $3 order by id desc"
            ))
            .bind(person)
            .bind(now)
            .bind(idle)
            .fetch_all(conn)
            .await?
        }
        Owner::Token(token) => {
            sqlx::query_as(select!(
                "where token_id = $1 and expires_at > $2 and seen_at > $3 order by id desc"
            ))
            .bind(token)
            .bind(now)
            .bind(idle)
            .fetch_all(conn)
            .await?
        }
    };
    rows.into_iter().map(Session::try_from).collect()
}

/// Ends one of this owner's; whether there was such a one.
pub async fn end(conn: &mut PgConnection, id: SessionId, owner: Owner) -> Result<bool> {
    let (person, token) = owner.columns();
    let done = sqlx::query(
        "delete from session where id = $1
             and person_id is not distinct from $2 and token_id is not distinct from $3",
    )
    .bind(id)
    .bind(person)
    .bind(token)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends the session of a cookie, whoever's it is: a browser gets a new one at each sign-in.
pub async fn end_by_hash(conn: &mut PgConnection, hash: &[u8]) -> Result<()> {
    sqlx::query("delete from session where hash = $1").bind(hash).execute(conn).await?;
    Ok(())
}

/// Signs somebody out everywhere; from how many browsers.
pub async fn end_all(conn: &mut PgConnection, owner: Owner) -> Result<u64> {
    let done = match owner {
        Owner::Person(person) => {
            sqlx::query("delete from session where person_id = $1").bind(person).execute(conn).await
        }
        Owner::Token(token) => {
            sqlx::query("delete from session where token_id = $1").bind(token).execute(conn).await
        }
    };
    Ok(done?.rows_affected())
}

/// A way to GitHub and back.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Attempt {
    /// Of PKCE.
    pub verifier: String,
    /// A path of this server.
    pub back: String,
}

/// Keeps it, and forgets those that are over.
pub async fn attempt(
    conn: &mut PgConnection,
    state_hash: &[u8],
    browser_hash: &[u8],
    attempt: &Attempt,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query("delete from login_attempt where expires_at <= $1")
        .bind(now)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "insert into login_attempt (state_hash, browser_hash, verifier, back, expires_at)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(state_hash)
    .bind(browser_hash)
    .bind(&attempt.verifier)
    .bind(&attempt.back)
    .bind(now + ATTEMPT_LIFETIME)
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes it, once: `None` for one that was taken, is over, or was another browser's.
pub async fn take_attempt(
    conn: &mut PgConnection,
    state_hash: &[u8],
    browser_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<Attempt>> {
    Ok(sqlx::query_as(
        "delete from login_attempt where state_hash = $1 and browser_hash = $2 and expires_at > $3
         returning verifier, back",
    )
    .bind(state_hash)
    .bind(browser_hash)
    .bind(now)
    .fetch_optional(conn)
    .await?)
}
