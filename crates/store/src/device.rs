//! Tables `device` and `device_miss`: programs that wait to be let in from a browser (RFC 8628), and
//! codes that somebody entered and that were none.
//!
//! What always holds: of both codes only the SHA-256 is kept; a row is granted or refused once, by
//! whoever comes first, and gives one token: the poll that sees the grant takes the row away. A code
//! is over after [`LIFETIME`]. Whoever enters [`MISSES`] wrong codes has to wait.
//!
//! After a crash between the grant and the poll: the next poll gets it. A program whose answer was
//! lost on its way begins again; the token that nobody got stands in its owner's list.

use chrono::{DateTime, TimeDelta, Utc};
use model::permission::Role;
use model::{AppId, DeviceId, PersonId, TokenId};
use sqlx::PgConnection;

use crate::error::{Error, Result};
use crate::session::Owner;

/// How long somebody may take to confirm.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(15);
/// How long a program waits between two questions, and how much longer after one too early.
pub const INTERVAL_SECONDS: i32 = 5;
/// Programs that may wait at once, and of one address: strangers can ask.
const WAITING: i64 = 1000;
const WAITING_OF_ONE: i64 = 50;
/// Wrong codes that somebody may enter within [`LIFETIME`].
pub const MISSES: i64 = 10;

pub struct NewDevice<'a> {
    pub id: DeviceId,
    pub hash: &'a [u8],
    pub user_hash: &'a [u8],
    pub machine: &'a str,
    pub from_ip: Option<String>,
    pub role: Role,
    pub created_at: DateTime<Utc>,
}

/// A program that waits.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Device {
    pub id: DeviceId,
    pub machine: String,
    pub from_ip: Option<String>,
    pub role: Role,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// What somebody lets a program be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// As logs and pages call them.
    pub by: String,
    /// `None`: whoever sits at the server's machine, who is nobody in particular.
    pub owner: Option<Owner>,
    pub role: Role,
    /// `None`: in the whole server.
    pub app: Option<AppId>,
    pub expires_at: DateTime<Utc>,
}

/// What a program is told when it asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Polled {
    Waiting,
    /// It asked too early, and is to wait longer from now on.
    TooEarly,
    Refused,
    /// It is over, was used, or never was.
    Unknown,
    Granted {
        machine: String,
        from_ip: Option<String>,
        grant: Grant,
    },
}

/// Keeps it, and forgets what is over. Whether there is room for one more.
pub async fn begin(conn: &mut PgConnection, new: &NewDevice<'_>) -> Result<bool> {
    sqlx::query("delete from device where expires_at <= $1")
        .bind(new.created_at)
        .execute(&mut *conn)
        .await?;
    sqlx::query("delete from device_miss where at <= $1")
        .bind(new.created_at - LIFETIME)
        .execute(&mut *conn)
        .await?;
    let (all, same): (i64, i64) = sqlx::query_as(
        "select count(*), count(*) filter (where from_ip is not distinct from $1) from device",
    )
    .bind(&new.from_ip)
    .fetch_one(&mut *conn)
    .await?;
    if all >= WAITING || same >= WAITING_OF_ONE {
        return Ok(false);
    }
    sqlx::query(
        "insert into device (id, hash, user_hash, machine, from_ip, role, created_at, expires_at,
             interval_seconds, state)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'waiting')",
    )
    .bind(new.id)
    .bind(new.hash)
    .bind(new.user_hash)
    .bind(new.machine)
    .bind(&new.from_ip)
    .bind(new.role.as_str())
    .bind(new.created_at)
    .bind(new.created_at + LIFETIME)
    .bind(INTERVAL_SECONDS)
    .execute(conn)
    .await?;
    Ok(true)
}

/// The program that shows this code and waits.
pub async fn waiting(
    conn: &mut PgConnection,
    user_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<Device>> {
    Ok(sqlx::query_as(
        "select id, machine, from_ip, role, created_at, expires_at from device
         where user_hash = $1 and expires_at > $2 and state = 'waiting'",
    )
    .bind(user_hash)
    .bind(now)
    .fetch_optional(conn)
    .await?)
}

/// Lets it in; whether it still waited.
pub async fn grant(
    conn: &mut PgConnection,
    id: DeviceId,
    grant: &Grant,
    now: DateTime<Utc>,
) -> Result<bool> {
    let (person, parent) = match grant.owner {
        None => (None, None),
        Some(owner) => owner.columns(),
    };
    let done = sqlx::query(
        "update device set state = 'granted', granted_by = $3, person_id = $4, parent_id = $5,
             granted_role = $6, app_id = $7, token_expires_at = $8
         where id = $1 and state = 'waiting' and expires_at > $2",
    )
    .bind(id)
    .bind(now)
    .bind(&grant.by)
    .bind(person)
    .bind(parent)
    .bind(grant.role.as_str())
    .bind(grant.app)
    .bind(grant.expires_at)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Turns it away; whether it still waited.
pub async fn refuse(conn: &mut PgConnection, id: DeviceId, now: DateTime<Utc>) -> Result<bool> {
    let done = sqlx::query(
        "update device set state = 'refused'
         where id = $1 and state = 'waiting' and expires_at > $2",
    )
    .bind(id)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: DeviceId,
    machine: String,
    from_ip: Option<String>,
    polled_at: Option<DateTime<Utc>>,
    interval_seconds: i32,
    state: String,
    granted_by: Option<String>,
    person_id: Option<PersonId>,
    parent_id: Option<TokenId>,
    granted_role: Option<Role>,
    app_id: Option<AppId>,
    token_expires_at: Option<DateTime<Utc>>,
}

impl Row {
    fn grant(self) -> Result<Polled> {
        let broken = |column| {
            let id = self.id.to_string();
            Error::Inconsistent { table: "device", column, id }
        };
        let owner = match (self.person_id, self.parent_id) {
            (None, None) => None,
            (Some(person), None) => Some(Owner::Person(person)),
            (None, Some(token)) => Some(Owner::Token(token)),
            (Some(_), Some(_)) => return Err(broken("person_id")),
        };
        let role = self.granted_role.ok_or_else(|| broken("granted_role"))?;
        let expires_at = self.token_expires_at.ok_or_else(|| broken("token_expires_at"))?;
        let by = self.granted_by.clone().ok_or_else(|| broken("granted_by"))?;
        let grant = Grant { by, owner, role, app: self.app_id, expires_at };
        Ok(Polled::Granted { machine: self.machine, from_ip: self.from_ip, grant })
    }
}

/// What becomes of the program with this code; an answer that ends its waiting takes the row away.
pub async fn poll(conn: &mut PgConnection, hash: &[u8], now: DateTime<Utc>) -> Result<Polled> {
    let row: Option<Row> = sqlx::query_as(
        "select id, machine, from_ip, polled_at, interval_seconds, state, granted_by, person_id,
             parent_id, granted_role, app_id, token_expires_at
         from device where hash = $1 and expires_at > $2 for no key update",
    )
    .bind(hash)
    .bind(now)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(Polled::Unknown) };
    let polled = match row.state.as_str() {
        "granted" => row_ends(conn, row.id).await.and_then(|()| row.grant())?,
        "refused" => row_ends(conn, row.id).await.map(|()| Polled::Refused)?,
        _ => {
            let interval = TimeDelta::seconds(row.interval_seconds.into());
            let is_early = row.polled_at.is_some_and(|last| now - last < interval);
            let longer = if is_early { INTERVAL_SECONDS } else { 0 };
            sqlx::query(
                "update device set polled_at = $2, interval_seconds = interval_seconds + $3
                 where id = $1",
            )
            .bind(row.id)
            .bind(now)
            .bind(longer)
            .execute(conn)
            .await?;
            if is_early { Polled::TooEarly } else { Polled::Waiting }
        }
    };
    Ok(polled)
}

async fn row_ends(conn: &mut PgConnection, id: DeviceId) -> Result<()> {
    sqlx::query("delete from device where id = $1").bind(id).execute(conn).await?;
    Ok(())
}

/// Somebody entered a code that is none.
pub async fn missed(conn: &mut PgConnection, who: &str, now: DateTime<Utc>) -> Result<()> {
    sqlx::query("insert into device_miss (who, at) values ($1, $2)")
        .bind(who)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether somebody may enter one more.
pub async fn may_try(conn: &mut PgConnection, who: &str, now: DateTime<Utc>) -> Result<bool> {
    let misses: i64 =
        sqlx::query_scalar("select count(*) from device_miss where who = $1 and at > $2")
            .bind(who)
            .bind(now - LIFETIME)
            .fetch_one(conn)
            .await?;
    Ok(misses < MISSES)
}
