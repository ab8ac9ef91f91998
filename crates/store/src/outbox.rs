//! Table `outbox`: what GitHub should show (statuses of commits, the one comment on a pull request,
//! deployments, reactions to what people asked for), and what it was told.
//!
//! What always holds: a row stands for one thing on GitHub, and only its newest wish is sent, so
//! that a late one never overwrites it; a row is done when the version sent is the version wanted.
//! A deployment that has ended stays ended. Callers send outside any transaction and one at a time
//! per server (a pass behind an advisory lock).
//!
//! After a crash between sending and [`sent`], the same wish is sent once more: the same effect,
//! for what GitHub has made once is remembered on the row or looked for before it is made anew.

mod want;
mod wish;

use chrono::{DateTime, Utc};
use model::{AppId, RepositoryName};
use sqlx::PgConnection;
use uuid::Uuid;

pub use want::{Urgency, Want, want};
pub use wish::{CommentWish, DeploymentWish, ReactionWish, StatusWish, Wish};

use crate::error::{Result, met};

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct OutboxRow {
    pub id: Uuid,
    pub repository: RepositoryName,
    #[sqlx(json, rename = "wanted")]
    pub wish: Wish,
    /// GitHub's number of what it made of the wish, where later wishes change that.
    pub github_id: Option<i64>,
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
            "select id, repository, wanted, github_id, wanted_version, sent_version, attempts, \
             next_attempt_at, last_error, rejected_at, updated_at from outbox ",
            $tail
        )
    };
}

/// Which deployments of an environment end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retire {
    /// This build's: nothing came of it.
    Only(i64),
    /// Those of builds older than this one, which has been deployed in their place. What failed
    /// stays to be seen.
    OlderThan(i64),
    /// All of them, up to and with this build: nothing is left there.
    AllUpTo(i64),
}

impl Retire {
    /// The lowest and the highest build, and whether those that failed end too.
    fn bounds(self) -> (i64, i64, bool) {
        match self {
            Self::Only(build) => (build, build, true),
            Self::OlderThan(build) => (0, build.saturating_sub(1), false),
            Self::AllUpTo(build) => (0, build, true),
        }
    }
}

/// Ends deployments of an environment that GitHub was told of or is to be, in words for its page.
/// Answers whether there was one.
pub async fn retire(
    conn: &mut PgConnection,
    repository: &RepositoryName,
    environment: &str,
    which: Retire,
    why: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let (lowest, highest, failed_too) = which.bounds();
    let done = sqlx::query(
        "update outbox set
             wanted = wanted || jsonb_build_object('state', 'inactive', 'description', $6::text,
                 'environment_url', null),
             wanted_version = wanted_version + 1,
             next_attempt_at = case when attempts > 0 and rejected_at is null
                 then greatest(next_attempt_at, $7) else $7 end,
             attempts = case when rejected_at is null then attempts else 0 end,
             rejected_at = null,
             updated_at = $7
         where kind = 'deployment' and repository = $1 and place = $2
             and build_number between $3 and $4
             and wanted ->> 'state' <> 'inactive'
             and ($5 or wanted ->> 'state' not in ('failure', 'error'))",
    )
    .bind(repository)
    .bind(environment)
    .bind(lowest)
    .bind(highest)
    .bind(failed_too)
    .bind(why)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Whether there is something to be said on the pull request: it has a comment, or is to have one,
/// it waits for a preview, or somebody was answered there.
pub async fn is_told(
    conn: &mut PgConnection,
    app: AppId,
    repository: &RepositoryName,
    pull_request: i64,
) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "select exists(select 1 from outbox
             where repository = $2 and kind = 'comment' and subject = $3::bigint::text)
             or exists(select 1 from pull_request
                 where app_id = $1 and number = $3 and waiting_since is not null)
             or exists(select 1 from issue_comment
                 where app_id = $1 and pull_request = $3 and role is not null)",
    )
    .bind(app)
    .bind(repository)
    .bind(pull_request)
    .fetch_one(conn)
    .await?)
}

/// The repository has another name: what is known of it on GitHub is known under that one.
pub async fn rename(
    conn: &mut PgConnection,
    from: &RepositoryName,
    to: &RepositoryName,
) -> Result<()> {
    sqlx::query(
        "update outbox o set repository = $2 where repository = $1 and not exists (
             select 1 from outbox other where other.repository = $2 and other.kind = o.kind
                 and other.subject = o.subject and other.place = o.place)",
    )
    .bind(from)
    .bind(to)
    .execute(conn)
    .await?;
    Ok(())
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

/// What GitHub made of the row's wish, so that the next one changes it; `None`: it is gone there.
pub async fn remember(conn: &mut PgConnection, id: Uuid, github_id: Option<i64>) -> Result<()> {
    let done = sqlx::query("update outbox set github_id = $2 where id = $1")
        .bind(id)
        .bind(github_id)
        .execute(conn)
        .await?;
    met(&done, || format!("outbox row {id}"))
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

/// GitHub wants to be left alone until then: nothing for this owner's repositories is sent before,
/// for its limits are those of an installation, not of a single call.
pub async fn hold(
    conn: &mut PgConnection,
    repository: &RepositoryName,
    until: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "update outbox set next_attempt_at = $2
         where sent_version < wanted_version and rejected_at is null and next_attempt_at < $2
             and lower(split_part(repository, '/', 1)) = lower($1)",
    )
    .bind(repository.owner())
    .bind(until)
    .execute(conn)
    .await?;
    Ok(())
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
