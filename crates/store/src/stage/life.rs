//! How previews live and end: who needs them, when they expire, how their removal is tried again.
//!
//! What always holds: what is due is one query of one index, whatever is due for it. A stage that
//! is needed again is active, and everything about an end of it is forgotten.

use chrono::{DateTime, Utc};
use model::stage::Expiry;
use model::worker_api::RemoveHow;
use model::{AppId, BranchName, StageId};
use sqlx::PgConnection;

use super::{Stage, select};
use crate::error::{Result, met};

/// It is wanted again: a preview whose removal was under way or failed is active again.
pub async fn touch(
    conn: &mut PgConnection,
    id: StageId,
    pull_request: Option<i64>,
    now: DateTime<Utc>,
) -> Result<()> {
    let done = sqlx::query(
        "update stage set state = 'active', pull_request = coalesce($2, pull_request),
             active_at = $3, warned_at = null, remove_how = 'careful', remove_failures = 0,
             left_over = null, retry_at = null
         where id = $1 and state <> 'closed'",
    )
    .bind(id)
    .bind(pull_request)
    .bind(now)
    .execute(conn)
    .await?;
    met(&done, || format!("open stage {id}"))
}

/// A preview shows this pull request from now on, and has the rule of its base.
pub async fn follow(
    conn: &mut PgConnection,
    id: StageId,
    pull_request: Option<i64>,
    base: &BranchName,
) -> Result<()> {
    let done = sqlx::query(
        "update stage set pull_request = coalesce($2, pull_request), base = $3
         where id = $1 and kind = 'preview' and state <> 'closed'",
    )
    .bind(id)
    .bind(pull_request)
    .bind(base)
    .execute(conn)
    .await?;
    met(&done, || format!("open preview {id}"))
}

/// Somebody needs a preview: from now on it lives as long as `expiry` says; `None`: for ever. One
/// that is being removed goes on being removed, and a stage that is no preview has no end.
pub async fn used(
    conn: &mut PgConnection,
    id: StageId,
    expiry: Option<Expiry>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "update stage set active_at = $2, warn_at = $3, expires_at = $4, warned_at = null
         where id = $1 and kind = 'preview' and state <> 'closed'",
    )
    .bind(id)
    .bind(now)
    .bind(expiry.map(|expiry| expiry.warn_at))
    .bind(expiry.map(|expiry| expiry.expires_at))
    .execute(conn)
    .await?;
    Ok(())
}

/// Somebody wants a preview kept until then at least; a wish for longer stands.
pub async fn keep_until(conn: &mut PgConnection, id: StageId, until: DateTime<Utc>) -> Result<()> {
    let done = sqlx::query(
        "update stage set kept_until = greatest(kept_until, $2)
         where id = $1 and kind = 'preview' and state <> 'closed'",
    )
    .bind(id)
    .bind(until)
    .execute(conn)
    .await?;
    met(&done, || format!("open preview {id}"))
}

/// The rule of a preview gives it another time to live; nobody has used it for that. What was said
/// of its end is said anew if that is another.
pub async fn reschedule(
    conn: &mut PgConnection,
    id: StageId,
    expiry: Option<Expiry>,
) -> Result<()> {
    sqlx::query(
        "update stage set warn_at = $2, expires_at = $3, warned_at = null
         where id = $1 and kind = 'preview' and state <> 'closed'
             and expires_at is distinct from $3",
    )
    .bind(id)
    .bind(expiry.map(|expiry| expiry.warn_at))
    .bind(expiry.map(|expiry| expiry.expires_at))
    .execute(conn)
    .await?;
    Ok(())
}

/// Its end is said ahead. Where that comes late, the end is put off by as much.
pub async fn warned(conn: &mut PgConnection, id: StageId, now: DateTime<Utc>) -> Result<()> {
    let done = sqlx::query(
        "update stage set warned_at = $2,
             expires_at = greatest(expires_at, $2::timestamptz + (expires_at - warn_at))
         where id = $1 and expires_at is not null",
    )
    .bind(id)
    .bind(now)
    .execute(conn)
    .await?;
    met(&done, || format!("preview {id} that expires"))
}

/// Its stacks are being removed. `failures` begins anew when a person or an event of the
/// repository asks, and not when the server tries again.
pub async fn removing(
    conn: &mut PgConnection,
    id: StageId,
    how: RemoveHow,
    failures: i32,
) -> Result<()> {
    let done = sqlx::query(
        "update stage set state = 'removing', remove_how = $2, remove_failures = $3,
             retry_at = null
         where id = $1 and state <> 'closed'",
    )
    .bind(id)
    .bind(how.as_str())
    .bind(failures)
    .execute(conn)
    .await?;
    met(&done, || format!("open stage {id}"))
}

/// Its removal failed: it stays in sight with what is left. `retry_at`: when it is tried again.
pub async fn remove_failed(
    conn: &mut PgConnection,
    id: StageId,
    left_over: &str,
    retry_at: Option<DateTime<Utc>>,
) -> Result<()> {
    let done = sqlx::query(
        "update stage set state = 'remove_failed', left_over = $2, retry_at = $3,
             remove_failures = remove_failures + 1
         where id = $1 and state <> 'closed'",
    )
    .bind(id)
    .bind(left_over)
    .bind(retry_at)
    .execute(conn)
    .await?;
    met(&done, || format!("open stage {id}"))
}

/// The stage that is due for longest, locked until the caller's transaction ends.
pub async fn take_due(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<Option<Stage>> {
    Ok(sqlx::query_as(select!(
        "where due_at <= $1 order by due_at limit 1 for no key update skip locked"
    ))
    .bind(now)
    .fetch_optional(conn)
    .await?)
}

/// The previews of an app that are not closed: each takes up a place until it is gone.
pub async fn count_previews(conn: &mut PgConnection, app: AppId) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "select count(*) from stage where app_id = $1 and kind = 'preview' and state <> 'closed'",
    )
    .bind(app)
    .fetch_one(conn)
    .await?)
}
