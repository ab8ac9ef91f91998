//! Table `outbox`: what GitHub should show for a commit and context, and what it was told.
//!
//! What always holds: only the newest wish is sent, so that a late one never overwrites it; a row
//! is done when the version sent is the version wanted. Callers send outside any transaction and
//! one at a time per server (a pass behind an advisory lock).
//!
//! After a crash between sending and [`sent`], the same status is sent once more: the same effect.

use chrono::{DateTime, Utc};
use model::status::Status;
use model::{CommitSha, RepositoryName};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::{Result, met};

/// A status that a build wants on its commit.
#[derive(Debug, Clone)]
pub struct Want<'a> {
    pub repository: &'a RepositoryName,
    pub commit: &'a CommitSha,
    /// The build's number. Of two builds of one commit the newer has the last word, whichever
    /// settles last.
    pub build: i64,
    pub status: &'a Status,
    pub target_url: &'a str,
}

/// A status with the page it points to, as the column `wanted` holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    #[serde(flatten)]
    pub status: Status,
    pub target_url: String,
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct OutboxRow {
    pub id: Uuid,
    pub repository: RepositoryName,
    #[sqlx(rename = "commit_sha")]
    pub commit: CommitSha,
    #[sqlx(json)]
    pub wanted: Wanted,
    #[sqlx(rename = "wanted_version")]
    pub version: i64,
    pub sent_version: i64,
    pub attempts: i32,
    pub next_attempt_at: DateTime<Utc>,
    pub last_error: Option<String>,
    pub rejected_at: Option<DateTime<Utc>>,
    pub updated_at: DateTime<Utc>,
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "select id, repository, commit_sha, wanted, wanted_version, sent_version, attempts, \
             next_attempt_at, last_error, rejected_at, updated_at from outbox ",
            $tail
        )
    };
}

/// Wants a status. Answers whether this is news; what is wanted already, or by an older build than
/// the one that wanted last, is left alone. A row that waits to be retried keeps waiting, for
/// GitHub asked for it; one that was given up is tried anew.
pub async fn want(
    conn: &mut PgConnection,
    id_if_new: Uuid,
    want: &Want<'_>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let wanted = Wanted { status: want.status.clone(), target_url: want.target_url.to_owned() };
    let done = sqlx::query(
        "insert into outbox (id, repository, commit_sha, context, build_number, wanted,
             next_attempt_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $7)
         on conflict on constraint outbox_place_key do update set
             build_number = excluded.build_number,
             wanted = excluded.wanted,
             wanted_version = outbox.wanted_version + 1,
             next_attempt_at = case when outbox.attempts > 0 and outbox.rejected_at is null
                 then greatest(outbox.next_attempt_at, excluded.next_attempt_at)
                 else excluded.next_attempt_at end,
             attempts = case when outbox.rejected_at is null then outbox.attempts else 0 end,
             rejected_at = null,
             updated_at = excluded.updated_at
         where outbox.wanted <> excluded.wanted
             and outbox.build_number <= excluded.build_number",
    )
    .bind(id_if_new)
    .bind(want.repository)
    .bind(want.commit)
    .bind(&want.status.context)
    .bind(want.build)
    .bind(Json(wanted))
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What is to be sent now, oldest first; rows that another process holds are left out.
pub async fn due(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<OutboxRow>> {
    Ok(sqlx::query_as(select!(
        "where sent_version < wanted_version and rejected_at is null and next_attempt_at <= $1
         order by next_attempt_at, id limit $2 for no key update skip locked"
    ))
    .bind(now)
    .bind(limit)
    .fetch_all(conn)
    .await?)
}

/// When the next row is to be sent, if one waits: how long the sender may sleep.
pub async fn next_due(conn: &mut PgConnection) -> Result<Option<DateTime<Utc>>> {
    Ok(sqlx::query_scalar(
        "select min(next_attempt_at) from outbox
         where sent_version < wanted_version and rejected_at is null",
    )
    .fetch_one(conn)
    .await?)
}

/// GitHub took this version. A newer wish stays due.
pub async fn sent(conn: &mut PgConnection, id: Uuid, version: i64) -> Result<()> {
    let done = sqlx::query(
        "update outbox set sent_version = greatest(sent_version, $2), attempts = 0,
             last_error = null
         where id = $1 and wanted_version >= $2",
    )
    .bind(id)
    .bind(version)
    .execute(conn)
    .await?;
    met(&done, || format!("outbox row {id} with version {version}"))
}

/// It could not be sent; the next try is not before this time.
pub async fn retry(
    conn: &mut PgConnection,
    id: Uuid,
    error: &str,
    next_attempt_at: DateTime<Utc>,
) -> Result<()> {
    let done = sqlx::query(
        "update outbox set attempts = attempts + 1, last_error = $2, next_attempt_at = $3
         where id = $1",
    )
    .bind(id)
    .bind(error)
    .bind(next_attempt_at)
    .execute(conn)
    .await?;
    met(&done, || format!("outbox row {id}"))
}

/// GitHub will never take it.
pub async fn reject(
    conn: &mut PgConnection,
    id: Uuid,
    error: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let done = sqlx::query("update outbox set rejected_at = $3, last_error = $2 where id = $1")
        .bind(id)
        .bind(error)
        .bind(now)
        .execute(conn)
        .await?;
    met(&done, || format!("outbox row {id}"))
}

/// Rows that are not sent yet.
pub async fn pending(conn: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "select count(*) from outbox where sent_version < wanted_version and rejected_at is null",
    )
    .fetch_one(conn)
    .await?)
}

/// What is not sent yet or was given up, for the system page: newest first.
pub async fn troubled(conn: &mut PgConnection, limit: i64) -> Result<Vec<OutboxRow>> {
    Ok(sqlx::query_as(select!(
        "where sent_version < wanted_version order by updated_at desc, id limit $1"
    ))
    .bind(limit)
    .fetch_all(conn)
    .await?)
}
