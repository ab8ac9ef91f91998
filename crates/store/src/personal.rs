//! Tables `personal_stage` and `laptop_session`: whose a personal stage is and when its time is over,
//! and the commands that people run for a stage on their own machines.
//!
//! What always holds: a personal stage that was made here has an owner; what is due is one query of
//! one index. Credentials are in no row. A command whose end is never told is over when its
//! credentials are.

mod service;
mod session;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::personal::Owner;
use model::stage::Expiry;
use model::{PersonId, StageId};
use sqlx::PgConnection;

pub use service::{Standing, begun, known, services, settled};
pub use session::{
    NewSession, Session, end, forsaken, get, insert, list, newest, renewed, running,
};

use crate::error::{Result, met};

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Personal {
    pub stage_id: StageId,
    pub person_id: Option<PersonId>,
    pub owner: String,
    pub used_at: DateTime<Utc>,
    /// When its end was said ahead.
    pub warned_at: Option<DateTime<Utc>>,
    /// When its time is over if nobody uses it before; `None`: never.
    pub expires_at: Option<DateTime<Utc>>,
    /// Its time was over, and nobody had been told: it stays.
    pub expired_at: Option<DateTime<Utc>>,
}

impl Personal {
    pub fn owner(&self) -> Owner {
        Owner { person: self.person_id, name: self.owner.clone() }
    }
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "select p.stage_id, p.person_id, coalesce(h.login, p.owner) as owner, p.used_at,
                 p.warned_at, p.expires_at, p.expired_at
             from personal_stage p left join person h on h.id = p.person_id ",
            $tail
        )
    };
}

/// The stage is this one's.
pub(crate) async fn own(
    conn: &mut PgConnection,
    stage: StageId,
    owner: &Owner,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "insert into personal_stage (stage_id, person_id, owner, used_at) values ($1, $2, $3, $4)",
    )
    .bind(stage)
    .bind(owner.person)
    .bind(&owner.name)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// What is known of a personal stage; `None`: it is none, or nobody's.
pub async fn of(conn: &mut PgConnection, stage: StageId) -> Result<Option<Personal>> {
    Ok(sqlx::query_as(select!("where p.stage_id = $1")).bind(stage).fetch_optional(conn).await?)
}

/// The same of those among these stages that have an owner.
pub async fn among(
    conn: &mut PgConnection,
    stages: &[StageId],
) -> Result<BTreeMap<StageId, Personal>> {
    let found: Vec<Personal> =
        sqlx::query_as(select!("where p.stage_id = any($1)")).bind(stages).fetch_all(conn).await?;
    Ok(found.into_iter().map(|one| (one.stage_id, one)).collect())
}

/// Its owner uses it: from now on it lives as long as `expiry` says; `None`: for ever.
pub async fn used(
    conn: &mut PgConnection,
    stage: StageId,
    expiry: Option<Expiry>,
    now: DateTime<Utc>,
) -> Result<()> {
    let done = sqlx::query(
        "update personal_stage set used_at = $2, warn_at = $3, expires_at = $4, warned_at = null,
             expired_at = null
         where stage_id = $1",
    )
    .bind(stage)
    .bind(now)
    .bind(expiry.map(|expiry| expiry.warn_at))
    .bind(expiry.map(|expiry| expiry.expires_at))
    .execute(conn)
    .await?;
    met(&done, || format!("personal stage {stage}"))
}

/// The settings give it another time to live; nobody has used it for that. What was said of its end
/// is said anew if that is another.
pub async fn reschedule(
    conn: &mut PgConnection,
    stage: StageId,
    expiry: Option<Expiry>,
) -> Result<()> {
    sqlx::query(
        "update personal_stage set warn_at = $2, expires_at = $3, warned_at = null,
             expired_at = null
         where stage_id = $1 and expires_at is distinct from $3",
    )
    .bind(stage)
    .bind(expiry.map(|expiry| expiry.warn_at))
    .bind(expiry.map(|expiry| expiry.expires_at))
    .execute(conn)
    .await?;
    Ok(())
}

/// The active one that is due for longest, locked until the caller's transaction ends.
pub async fn take_due(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<Option<Personal>> {
    Ok(sqlx::query_as(select!(
        "join stage s on s.id = p.stage_id and s.state = 'active'
         where p.due_at <= $1 order by p.due_at limit 1 for no key update of p skip locked"
    ))
    .bind(now)
    .fetch_optional(conn)
    .await?)
}

/// Its end is said ahead. Where that comes late, the end is put off by as much.
pub async fn warned(conn: &mut PgConnection, stage: StageId, now: DateTime<Utc>) -> Result<()> {
    let done = sqlx::query(
        "update personal_stage set warned_at = $2,
             expires_at = greatest(expires_at, $2::timestamptz + (expires_at - warn_at))
         where stage_id = $1 and expires_at is not null",
    )
    .bind(stage)
    .bind(now)
    .execute(conn)
    .await?;
    met(&done, || format!("personal stage {stage} that expires"))
}

/// Its time is over, and it stays.
pub async fn expired(conn: &mut PgConnection, stage: StageId, now: DateTime<Utc>) -> Result<()> {
    let done = sqlx::query(
        "update personal_stage set expired_at = $2 where stage_id = $1 and expires_at is not null",
    )
    .bind(stage)
    .bind(now)
    .execute(conn)
    .await?;
    met(&done, || format!("personal stage {stage} that expires"))
}
