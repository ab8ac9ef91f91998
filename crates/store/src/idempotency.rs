//! Table `idempotency`: requests that may come again, each under a key that its caller chose.
//!
//! What always holds: a request is taken on by one at a time, its attempt; what it does is noted
//! in the transaction that does it ([`done`]), which fails for an attempt that another took over.
//! The answer is kept encrypted.
//!
//! After a crash before the effect: nothing was done, and after [`TAKEN_OVER_AFTER`] the next who
//! asks does it. After a crash between the effect and [`keep`]: the row says what was done, and
//! nothing is done again.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{Result, met};
use crate::vault::{Sealed, Vault};

/// How long a key is known.
pub const KEPT_FOR: TimeDelta = TimeDelta::hours(24);
/// A request that is under way for longer has been lost with its process; were it only slow, it
/// could do nothing any more once it is taken over.
pub const TAKEN_OVER_AFTER: TimeDelta = TimeDelta::minutes(1);
/// So many old rows go with each new one, so they never become many.
const PRUNED_AT_ONCE: i64 = 100;

/// A key, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'a> {
    pub owner: Uuid,
    pub text: &'a str,
}

/// What is to be done about a request under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It is the caller's to do.
    Mine {
        attempt: i32,
    },
    /// The key came with another request before.
    OfAnother,
    /// Somebody does it at this moment.
    UnderWay,
    /// It was done, and nobody lived to keep the answer.
    Done {
        deed: String,
    },
    Answered(Answer),
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Its content type.
    pub kind: Option<String>,
    pub body: Vec<u8>,
}

#[derive(sqlx::FromRow)]
struct Row {
    digest: Vec<u8>,
    begun_at: DateTime<Utc>,
    deed: Option<String>,
    status: Option<i16>,
    kind: Option<String>,
    body: Option<Vec<u8>>,
    body_key_id: Option<String>,
}

/// What the body is bound to.
fn context(key: Key<'_>) -> String {
    format!("idempotency {} {}", key.owner, key.text)
}

/// Takes a request on, or says why not. To be committed before the request does anything.
pub async fn begin(
    conn: &mut PgConnection,
    vault: &Vault,
    key: Key<'_>,
    digest: &[u8],
    now: DateTime<Utc>,
) -> Result<Begun> {
    prune(conn, now).await?;
    let made = sqlx::query(
        "insert into idempotency (owner_id, key, digest, begun_at) values ($1, $2, $3, $4)
         on conflict (owner_id, key) do nothing",
    )
    .bind(key.owner)
    .bind(key.text)
    .bind(digest)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    if made.rows_affected() == 1 {
        return Ok(Begun::Mine { attempt: 1 });
    }
    let row: Row = sqlx::query_as(
        "select digest, begun_at, deed, status, kind, body, body_key_id
         from idempotency where owner_id = $1 and key = $2 for no key update",
    )
    .bind(key.owner)
    .bind(key.text)
    .fetch_one(&mut *conn)
    .await?;
    let is_over = now - row.begun_at >= KEPT_FOR;
    if !is_over && row.digest != digest {
        return Ok(Begun::OfAnother);
    }
    if !is_over {
        match (row.status, row.body, row.body_key_id, row.deed) {
            (Some(status), Some(ciphertext), Some(key_id), _) => {
                let sealed = Sealed { key_id, ciphertext };
                let body = vault.open(&sealed, context(key).as_bytes())?;
                let status = u16::try_from(status).unwrap_or_default();
                return Ok(Begun::Answered(Answer { status, kind: row.kind, body }));
            }
            (_, _, _, Some(deed)) => return Ok(Begun::Done { deed }),
            (_, _, _, None) if now - row.begun_at < TAKEN_OVER_AFTER => {
                return Ok(Begun::UnderWay);
            }
            (_, _, _, None) => {}
        }
    }
    let attempt = sqlx::query_scalar(
        "update idempotency
         set attempt = attempt + 1, digest = $3, begun_at = $4, done_at = null, deed = null,
             status = null, kind = null, body = null, body_key_id = null
         where owner_id = $1 and key = $2 returning attempt",
    )
    .bind(key.owner)
    .bind(key.text)
    .bind(digest)
    .bind(now)
    .fetch_one(conn)
    .await?;
    Ok(Begun::Mine { attempt })
}

/// Notes what the request does, in the transaction that does it; of several things the last.
/// Whether the attempt still holds: if not, nothing may be done.
pub async fn done(
    conn: &mut PgConnection,
    key: Key<'_>,
    attempt: i32,
    deed: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query(
        "update idempotency set done_at = $4, deed = $5
         where owner_id = $1 and key = $2 and attempt = $3",
    )
    .bind(key.owner)
    .bind(key.text)
    .bind(attempt)
    .bind(now)
    .bind(deed)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Keeps the answer of a request for who asks again.
pub async fn keep(
    conn: &mut PgConnection,
    vault: &Vault,
    key: Key<'_>,
    attempt: i32,
    answer: &Answer,
) -> Result<()> {
    let sealed = vault.seal(&answer.body, context(key).as_bytes())?;
    let done = sqlx::query(
        "update idempotency set status = $4, kind = $5, body = $6, body_key_id = $7
         where owner_id = $1 and key = $2 and attempt = $3",
    )
    .bind(key.owner)
    .bind(key.text)
    .bind(attempt)
    .bind(i16::try_from(answer.status).unwrap_or_default())
    .bind(&answer.kind)
    .bind(&sealed.ciphertext)
    .bind(&sealed.key_id)
    .execute(conn)
    .await?;
    met(&done, || format!("request under the key {}", key.text))
}

/// Forgets a request that did nothing, so that it may be sent again. Whether there was one.
pub async fn release(conn: &mut PgConnection, key: Key<'_>, attempt: i32) -> Result<bool> {
    let done = sqlx::query(
        "delete from idempotency
         where owner_id = $1 and key = $2 and attempt = $3 and done_at is null",
    )
    .bind(key.owner)
    .bind(key.text)
    .bind(attempt)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Some of the rows that nobody may ask for any more; those that others prune now are left to them.
async fn prune(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<()> {
    sqlx::query(
        "delete from idempotency where (owner_id, key) in (
             select owner_id, key from idempotency where begun_at < $1
             order by begun_at limit $2 for update skip locked)",
    )
    .bind(now - KEPT_FOR)
    .bind(PRUNED_AT_ONCE)
    .execute(conn)
    .await?;
    Ok(())
}
