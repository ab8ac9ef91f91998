//! The commands: begun, renewed, ended.

use chrono::{DateTime, Utc};
use model::personal::{Owner, Source, Use};
use model::{
    BranchName, CommitSha, InstanceId, LaptopSessionId, PersonId, Region, ServiceName, StageId,
};
use sqlx::PgConnection;

use crate::error::{Error, Result, met};

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Session {
    pub id: LaptopSessionId,
    pub stage_id: StageId,
    pub person_id: Option<PersonId>,
    pub who: String,
    pub service: ServiceName,
    pub region: Region,
    /// Of a personal stage.
    pub instance_id: Option<InstanceId>,
    pub purpose: Use,
    pub command: String,
    #[sqlx(rename = "commit_sha")]
    pub commit: CommitSha,
    #[sqlx(rename = "pushed_sha")]
    pub pushed: Option<CommitSha>,
    pub branch: Option<BranchName>,
    pub dirty: bool,
    pub machine: Option<String>,
    pub from_ip: Option<String>,
    pub parameters_digest: String,
    pub began_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    /// `None`: it runs, or its end was never told.
    pub exit_code: Option<i16>,
}

impl Session {
    pub fn owner(&self) -> Owner {
        Owner { person: self.person_id, name: self.who.clone() }
    }

    pub fn source(&self) -> Source {
        Source {
            commit: self.commit.clone(),
            pushed: self.pushed.clone(),
            branch: self.branch.clone(),
            dirty: self.dirty,
        }
    }

    pub fn runs(&self, now: DateTime<Utc>) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }
}

/// A command that begins.
#[derive(Debug, Clone)]
pub struct NewSession<'a> {
    pub id: LaptopSessionId,
    pub stage: StageId,
    pub owner: &'a Owner,
    pub service: &'a ServiceName,
    pub region: &'a Region,
    pub instance: Option<InstanceId>,
    pub purpose: Use,
    pub command: &'a str,
    pub source: &'a Source,
    pub machine: Option<&'a str>,
    pub from_ip: Option<String>,
    pub parameters_digest: &'a str,
    pub began_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

pub async fn insert(conn: &mut PgConnection, new: &NewSession<'_>) -> Result<()> {
    sqlx::query(
        "insert into laptop_session (id, stage_id, person_id, who, service, region, instance_id,
             purpose, command, commit_sha, pushed_sha, branch, dirty, machine, from_ip,
             parameters_digest, began_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(new.id)
    .bind(new.stage)
    .bind(new.owner.person)
    .bind(&new.owner.name)
    .bind(new.service)
    .bind(new.region)
    .bind(new.instance)
    .bind(new.purpose.as_str())
    .bind(new.command)
    .bind(&new.source.commit)
    .bind(&new.source.pushed)
    .bind(&new.source.branch)
    .bind(new.source.dirty)
    .bind(new.machine)
    .bind(&new.from_ip)
    .bind(new.parameters_digest)
    .bind(new.began_at)
    .bind(new.expires_at)
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn get(conn: &mut PgConnection, id: LaptopSessionId) -> Result<Session> {
    sqlx::query_as("select * from laptop_session where id = $1")
        .bind(id)
        .fetch_optional(conn)
        .await?
        .ok_or_else(|| Error::not_found(format!("session {id}")))
}

/// The newest of a stage first.
pub async fn list(conn: &mut PgConnection, stage: StageId, limit: i64) -> Result<Vec<Session>> {
    let query = "select * from laptop_session where stage_id = $1 order by id desc limit $2";
    Ok(sqlx::query_as(query).bind(stage).bind(limit).fetch_all(conn).await?)
}

/// The last command of a stage.
pub async fn newest(conn: &mut PgConnection, stage: StageId) -> Result<Option<Session>> {
    Ok(list(conn, stage, 1).await?.pop())
}

/// The commands of a stage that have not ended and hold credentials that count. A shell that was
/// given some is none: nobody knows whether it still does anything.
pub async fn running(
    conn: &mut PgConnection,
    stage: StageId,
    now: DateTime<Utc>,
) -> Result<Vec<Session>> {
    Ok(sqlx::query_as(
        "select * from laptop_session
         where stage_id = $1 and purpose = 'exec' and ended_at is null and expires_at > $2
         order by id",
    )
    .bind(stage)
    .bind(now)
    .fetch_all(conn)
    .await?)
}

/// It was given other credentials.
pub async fn renewed(
    conn: &mut PgConnection,
    id: LaptopSessionId,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    let done = sqlx::query(
        "update laptop_session set expires_at = greatest(expires_at, $2)
         where id = $1 and ended_at is null",
    )
    .bind(id)
    .bind(expires_at)
    .execute(conn)
    .await?;
    met(&done, || format!("session {id} that runs"))
}

/// Its command ended; told twice, the first counts.
pub async fn end(
    conn: &mut PgConnection,
    id: LaptopSessionId,
    exit_code: u8,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "update laptop_session set ended_at = $3, exit_code = $2 where id = $1 and exit_code is null",
    )
    .bind(id)
    .bind(i16::from(exit_code))
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends what has credentials that are over and whose end nobody told. A service on which it was the
/// last to work is shown as one to look at. How many there were.
pub async fn forsaken(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<u64> {
    let done = sqlx::query(
        "with over as (
             update laptop_session set ended_at = $1
             where ended_at is null and expires_at <= $1
             returning instance_id, who, purpose, began_at),
         left_alone as (
             update instance i set state = 'failed', updated_at = $1,
                 reason = case o.purpose
                     when 'env' then 'somebody worked on it from a shell (greenroom env), and what that left is not known'
                     else 'a command ran here from a laptop, and its end was never told' end
                     || ': ' || o.who || ', ' || to_char(o.began_at at time zone 'utc',
                         'YYYY-MM-DD HH24:MI') || ' UTC'
             from over o
             where i.id = o.instance_id and i.state = 'deploying' and not exists (
                 select from laptop_session other where other.instance_id = i.id
                     and other.ended_at is null and other.expires_at > $1))
         select from over",
    )
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
