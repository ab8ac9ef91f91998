//! Table `notification`: what people elsewhere are to know of an app, and what they were told.
//!
//! What always holds: a row stands for one thing and one receiver, and only its newest message is
//! sent, so a late one never overwrites it; a row is done when the version sent is the version
//! wanted. Callers send outside any transaction and one at a time per server (a pass behind an
//! advisory lock).
//!
//! After a crash between sending and [`sent`], the same version is sent once more, under the same
//! id.

use chrono::{DateTime, Utc};
use model::notification::{Handle, Message, Told, Volume, Wanted};
use model::{AppId, AppName, ReceiverName};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::{Error, Result, met};

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Notification {
    pub id: Uuid,
    pub app_id: AppId,
    pub app: AppName,
    pub receiver: ReceiverName,
    pub subject: String,
    pub episode: i32,
    #[sqlx(json, rename = "wanted")]
    pub message: Message,
    pub loud: bool,
    #[sqlx(rename = "wanted_version")]
    pub version: i64,
    pub sent_version: i64,
    #[sqlx(json(nullable))]
    pub handle: Option<Handle>,
    pub attempts: i32,
    /// Since when it is tried in vain.
    pub failing_since: Option<DateTime<Utc>>,
    pub next_attempt_at: DateTime<Utc>,
    pub last_error: Option<String>,
    pub given_up_at: Option<DateTime<Utc>>,
    pub updated_at: DateTime<Utc>,
}

/// Where a message is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Sent,
    Waiting,
    GivenUp,
}

impl Standing {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Waiting => "waiting",
            Self::GivenUp => "given_up",
        }
    }

    pub fn is_waiting(self) -> bool {
        self == Self::Waiting
    }
}

impl Notification {
    pub fn standing(&self) -> Standing {
        match (self.sent_version < self.version, self.given_up_at) {
            (false, _) => Standing::Sent,
            (true, None) => Standing::Waiting,
            (true, Some(_)) => Standing::GivenUp,
        }
    }
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "select n.id, n.app_id, a.name as app, n.receiver, n.subject, n.episode, n.wanted, \
             n.loud, n.wanted_version, n.sent_version, n.handle, n.attempts, n.failing_since, \
             n.next_attempt_at, n.last_error, n.given_up_at, n.updated_at
             from notification n join app a on a.id = n.app_id ",
            $tail
        )
    };
}

/// What each receiver was told last of these subjects, or is to be.
pub async fn told(
    conn: &mut PgConnection,
    app: AppId,
    subjects: &[&str],
) -> Result<Vec<(ReceiverName, String, Told)>> {
    let rows: Vec<(ReceiverName, String, i32, Json<Message>)> = sqlx::query_as(
        "select distinct on (subject, receiver) receiver, subject, episode, wanted
         from notification where app_id = $1 and subject = any($2)
         order by subject, receiver, episode desc",
    )
    .bind(app)
    .bind(subjects)
    .fetch_all(conn)
    .await?;
    let told = |(receiver, subject, episode, Json(message))| {
        (receiver, subject, Told { episode, message })
    };
    Ok(rows.into_iter().map(told).collect())
}

/// Wants a message sent. One that waits to be retried keeps waiting, one that was given up is tried
/// anew. What was asked for and not sent yet stays so, unless nothing of it is left to be told.
pub async fn want(
    conn: &mut PgConnection,
    id_if_new: Uuid,
    (app, receiver, subject): (AppId, &ReceiverName, &str),
    wanted: &Wanted,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "insert into notification as n (id, app_id, receiver, subject, episode, wanted, loud,
             next_attempt_at, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $9, $9, $9)
         on conflict on constraint notification_thing_key do update set
             wanted = excluded.wanted,
             wanted_version = n.wanted_version + 1,
             loud = excluded.loud or ($8 and n.loud and n.sent_version < n.wanted_version),
             next_attempt_at = case when n.attempts > 0 and n.given_up_at is null
                 then greatest(n.next_attempt_at, excluded.next_attempt_at)
                 else excluded.next_attempt_at end,
             attempts = case when n.given_up_at is null then n.attempts else 0 end,
             failing_since = case when n.given_up_at is null then n.failing_since end,
             given_up_at = null,
             updated_at = excluded.updated_at",
    )
    .bind(id_if_new)
    .bind(app)
    .bind(receiver)
    .bind(subject)
    .bind(wanted.episode)
    .bind(Json(&wanted.message))
    .bind(wanted.volume == Volume::Loud)
    .bind(wanted.message.event.kind().is_some())
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// What is to be sent now: of each receiver its oldest things, no more than `per_receiver`. What was
/// tried in vain, and no more than `in_front` times, holds up what came after it.
pub async fn due(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    per_receiver: i64,
    in_front: i32,
) -> Result<Vec<Notification>> {
    Ok(sqlx::query_as(select!(
        "where n.id in (
             select id from (
                 select id, row_number() over (partition by app_id, receiver order by seq) as place
                 from notification w
                 where sent_version < wanted_version and given_up_at is null
                     and next_attempt_at <= $1 and not exists (
                         select 1 from notification f
                         where f.app_id = w.app_id and f.receiver = w.receiver and f.seq < w.seq
                             and f.sent_version < f.wanted_version and f.given_up_at is null
                             and f.next_attempt_at > $1 and f.attempts between 1 and $3)) waiting
             where place <= $2)
         order by n.seq"
    ))
    .bind(now)
    .bind(per_receiver)
    .bind(in_front)
    .fetch_all(conn)
    .await?)
}

/// What the receiver made of its first message about a subject, newest episode, if it was told.
pub async fn handle(
    conn: &mut PgConnection,
    app: AppId,
    receiver: &ReceiverName,
    subject: &str,
) -> Result<Option<Handle>> {
    let found: Option<Json<Handle>> = sqlx::query_scalar(
        "select handle from notification
         where app_id = $1 and receiver = $2 and subject = $3 and handle is not null
         order by episode desc limit 1",
    )
    .bind(app)
    .bind(receiver)
    .bind(subject)
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|Json(handle)| handle))
}

/// The receiver took this version, and made this of it. A newer one stays due.
pub async fn sent(
    conn: &mut PgConnection,
    id: Uuid,
    version: i64,
    handle: Option<&Handle>,
) -> Result<()> {
    let done = sqlx::query(
        "update notification set sent_version = greatest(sent_version, $2), attempts = 0,
             failing_since = null, last_error = null, handle = coalesce($3, handle)
         where id = $1 and wanted_version >= $2",
    )
    .bind(id)
    .bind(version)
    .bind(handle.map(Json))
    .execute(conn)
    .await?;
    met(&done, || format!("notification {id} with version {version}"))
}

/// It could not be sent; the next try is not before this time.
pub async fn retry(
    conn: &mut PgConnection,
    id: Uuid,
    error: &str,
    next_attempt_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    let done = sqlx::query(
        "update notification set attempts = attempts + 1, last_error = $2, next_attempt_at = $3,
             failing_since = coalesce(failing_since, $4)
         where id = $1",
    )
    .bind(id)
    .bind(error)
    .bind(next_attempt_at)
    .bind(now)
    .execute(conn)
    .await?;
    met(&done, || format!("notification {id}"))
}

/// It is not tried any more, until somebody asks for it.
pub async fn give_up(
    conn: &mut PgConnection,
    id: Uuid,
    error: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let done =
        sqlx::query("update notification set given_up_at = $3, last_error = $2 where id = $1")
            .bind(id)
            .bind(error)
            .bind(now)
            .execute(conn)
            .await?;
    met(&done, || format!("notification {id}"))
}

/// Sends what was sent last, or was given up, once more: the same version under the same id.
pub async fn replay(conn: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<Notification> {
    let done = sqlx::query(
        "update notification set sent_version = least(sent_version, wanted_version - 1),
             loud = true, attempts = 0, failing_since = null, given_up_at = null,
             last_error = null, next_attempt_at = $2
         where id = $1",
    )
    .bind(id)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    met(&done, || "such notification".to_owned())?;
    find(conn, id).await?.ok_or_else(|| Error::not_found("such notification"))
}

pub async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Option<Notification>> {
    Ok(sqlx::query_as(select!("where n.id = $1")).bind(id).fetch_optional(conn).await?)
}

/// What is on its way or was given up comes first, then what was sent last.
pub async fn newest(conn: &mut PgConnection, limit: i64) -> Result<Vec<Notification>> {
    Ok(sqlx::query_as(select!(
        "order by n.sent_version < n.wanted_version desc, n.updated_at desc, n.seq desc limit $1"
    ))
    .bind(limit)
    .fetch_all(conn)
    .await?)
}

/// How the outbox fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Facts {
    /// Not sent yet, and not given up.
    pub pending: i64,
    /// Since when the oldest of these waits.
    pub oldest_at: Option<DateTime<Utc>>,
    pub given_up: i64,
}

pub async fn facts(conn: &mut PgConnection) -> Result<Facts> {
    Ok(sqlx::query_as(
        "select count(*) filter (where given_up_at is null) as pending,
             min(updated_at) filter (where given_up_at is null) as oldest_at,
             count(*) filter (where given_up_at is not null) as given_up
         from notification where sent_version < wanted_version",
    )
    .fetch_one(conn)
    .await?)
}

/// Forgets what builds have told long ago. What is said of stages stays: it says whether they know.
pub async fn forget(conn: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> Result<u64> {
    let done = sqlx::query(
        "delete from notification where id in (
             select id from notification where updated_at < $1 and subject like 'build/%'
             order by updated_at limit $2)",
    )
    .bind(before)
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
