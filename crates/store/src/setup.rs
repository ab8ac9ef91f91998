//! Tables `setup`, `setup_link` and `setup_draft`: the first start of a server, from
//! the link that it prints to the first app.
//!
//! What always holds: of a link and of the session that it begins only hashes are kept; a link
//! begins one session and one link is good at a time; once setup is finished there is neither.
//! What was entered lies in the draft, so it can be left and continued; no secret is among it.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::error::Result;

/// How long a link may lie unused.
pub const LINK_LIFE: TimeDelta = TimeDelta::hours(24);
/// How long whoever opened it may take.
pub const SESSION_LIFE: TimeDelta = TimeDelta::hours(24);

const KEY_BYTES: usize = 32;

/// The key of a new link or session: shown once.
pub fn key() -> SecretString {
    let mut bytes = [0_u8; KEY_BYTES];
    rand::fill(&mut bytes).expect("the system's source of randomness works");
    hex::encode(bytes).into()
}

/// A key is random and long, so a fast hash is enough.
fn hash(key: &str) -> Vec<u8> {
    digest(&SHA256, key.as_bytes()).as_ref().to_vec()
}

/// How far the setup of this server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is there yet: neither an app nor an identity on GitHub.
    New,
    /// Somebody began.
    Begun,
    /// Finished on the setup pages, or done by files and never begun.
    Done,
}

/// `identity`: the configuration names one.
pub async fn progress(conn: &mut PgConnection, identity: bool) -> Result<Progress> {
    let (finished, apps, kept): (bool, bool, bool) = sqlx::query_as(
        "select exists (select 1 from setup where finished_at is not null),
             exists (select 1 from app), exists (select 1 from github_app)",
    )
    .fetch_one(conn)
    .await?;
    Ok(match (finished, apps, kept || identity) {
        (true, _, _) => Progress::Done,
        (false, false, false) => Progress::New,
        (false, false, true) if kept => Progress::Begun,
        (false, true, _) if kept => Progress::Begun,
        (false, true | false, _) => Progress::Done,
    })
}

/// A new link; those before it are good no longer, but a session that was begun goes on.
pub async fn put_link(conn: &mut PgConnection, key: &str, now: DateTime<Utc>) -> Result<()> {
    sqlx::query("delete from setup_link where session_hash is null or session_until <= $1")
        .bind(now)
        .execute(&mut *conn)
        .await?;
    sqlx::query("insert into setup_link (hash, made_at, good_until) values ($1, $2, $3)")
        .bind(hash(key))
        .bind(now)
        .bind(now + LINK_LIFE)
        .execute(conn)
        .await?;
    Ok(())
}

/// What became of opening a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// The session is begun; any other has ended.
    Session,
    /// No such link, or it was used, or it is too old, or setup is finished.
    Refused,
}

/// Uses the link up for a session with this key. Two who open it at once: one of them gets in.
pub async fn open_link(
    conn: &mut PgConnection,
    key: &str,
    session_key: &str,
    now: DateTime<Utc>,
) -> Result<Opened> {
    let opened: Option<Vec<u8>> = sqlx::query_scalar(
        "update setup_link set used_at = $3, session_hash = $2, session_until = $4
         where hash = $1 and used_at is null and good_until > $3
         returning hash",
    )
    .bind(hash(key))
    .bind(hash(session_key))
    .bind(now)
    .bind(now + SESSION_LIFE)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(opened) = opened else { return Ok(Opened::Refused) };
    sqlx::query("delete from setup_link where hash <> $1").bind(opened).execute(conn).await?;
    Ok(Opened::Session)
}

/// Whether this is the key of a session that goes on.
pub async fn is_session(conn: &mut PgConnection, key: &str, now: DateTime<Utc>) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "select exists (select 1 from setup_link where session_hash = $1 and session_until > $2)",
    )
    .bind(hash(key))
    .bind(now)
    .fetch_one(conn)
    .await?)
}

/// Ends setup: no link and no session is good any more, and no new link is printed at a start.
pub async fn finish(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<()> {
    sqlx::query("delete from setup_link").execute(&mut *conn).await?;
    sqlx::query(
        "insert into setup (finished_at) values ($1)
         on conflict (one) do update set finished_at = excluded.finished_at",
    )
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// What was entered so far by whoever this is.
pub async fn draft(conn: &mut PgConnection, holder: &str) -> Result<Option<Value>> {
    let found: Option<Json<Value>> =
        sqlx::query_scalar("select draft from setup_draft where holder = $1")
            .bind(holder)
            .fetch_optional(conn)
            .await?;
    Ok(found.map(|Json(draft)| draft))
}

pub async fn put_draft(
    conn: &mut PgConnection,
    holder: &str,
    draft: &Value,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "insert into setup_draft (holder, draft, changed_at) values ($1, $2, $3)
         on conflict (holder) do update set draft = excluded.draft,
             changed_at = excluded.changed_at",
    )
    .bind(holder)
    .bind(Json(draft))
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn drop_draft(conn: &mut PgConnection, holder: &str) -> Result<()> {
    sqlx::query("delete from setup_draft where holder = $1").bind(holder).execute(conn).await?;
    Ok(())
}
