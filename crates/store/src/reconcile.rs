//! Table `reconcile`: how the parts of reconciling fare; and what reconciling has to know of
//! branches and pull requests.
//!
//! What always holds: a part of an app has one row. `succeeded_at` is when the last look that went
//! well began, so what came before it was seen.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use model::build::Purpose;
use model::reconcile::Part;
use model::{AppId, AppName, BranchName, CommitSha, StageId, StageName};
use sqlx::PgConnection;

use crate::app::App;
use crate::error::Result;

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Fare {
    pub part: Part,
    /// `None`: it is for all apps.
    pub app_id: Option<AppId>,
    pub app: Option<AppName>,
    pub looked_at: DateTime<Utc>,
    pub succeeded_at: Option<DateTime<Utc>>,
    pub failed_at: Option<DateTime<Utc>>,
    pub reason: Option<String>,
    pub off: bool,
}

/// Every part that was ever looked at, those of all apps first.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Fare>> {
    Ok(sqlx::query_as(
        "select r.part, r.app_id, a.name as app, r.looked_at, r.succeeded_at, r.failed_at,
             r.reason, r.off
         from reconcile r left join app a on a.id = r.app_id
         order by a.name nulls first, r.part",
    )
    .fetch_all(conn)
    .await?)
}

/// When the last look that went well began.
pub async fn succeeded_at(
    conn: &mut PgConnection,
    part: Part,
    app: Option<AppId>,
) -> Result<Option<DateTime<Utc>>> {
    let found: Option<Option<DateTime<Utc>>> = sqlx::query_scalar(
        "select succeeded_at from reconcile where part = $1 and app_id is not distinct from $2",
    )
    .bind(part)
    .bind(app)
    .fetch_optional(conn)
    .await?;
    Ok(found.flatten())
}

/// A look that began at `began` saw all there is.
pub async fn went_well(
    conn: &mut PgConnection,
    part: Part,
    app: Option<AppId>,
    began: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "insert into reconcile (part, app_id, looked_at, succeeded_at) values ($1, $2, $3, $3)
         on conflict on constraint reconcile_part_key do update set looked_at = $3,
             succeeded_at = $3, reason = null, off = false",
    )
    .bind(part)
    .bind(app)
    .bind(began)
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn failed(
    conn: &mut PgConnection,
    part: Part,
    app: Option<AppId>,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "insert into reconcile (part, app_id, looked_at, failed_at, reason)
         values ($1, $2, $3, $3, $4)
         on conflict on constraint reconcile_part_key do update set looked_at = $3,
             failed_at = $3, reason = $4, off = false",
    )
    .bind(part)
    .bind(app)
    .bind(now)
    .bind(reason)
    .execute(conn)
    .await?;
    Ok(())
}

/// A part is not looked at, and why.
pub async fn set_off(
    conn: &mut PgConnection,
    part: Part,
    app: Option<AppId>,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "insert into reconcile (part, app_id, looked_at, reason, off) values ($1, $2, $3, $4, true)
         on conflict on constraint reconcile_part_key do update set looked_at = $3, reason = $4,
             off = true",
    )
    .bind(part)
    .bind(app)
    .bind(now)
    .bind(reason)
    .execute(conn)
    .await?;
    Ok(())
}

/// Rows that say a part is off for all apps go: it is looked at again.
pub async fn set_on(conn: &mut PgConnection) -> Result<()> {
    sqlx::query("delete from reconcile where app_id is null and off").execute(conn).await?;
    Ok(())
}

/// The apps whose branches were looked at longest ago, those never looked at first.
pub async fn next_apps(conn: &mut PgConnection, limit: i64) -> Result<Vec<App>> {
    Ok(sqlx::query_as(
        "select a.id, a.name, a.repository, a.repository_id, a.installation_id, a.settings,
             a.created_at, a.updated_at
         from app a left join reconcile r on r.app_id = a.id and r.part = 'branches'
         order by r.looked_at nulls first, a.id limit $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await?)
}

/// A build that may be of a head.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Built {
    pub number: i64,
    #[sqlx(rename = "commit_sha")]
    pub commit: CommitSha,
    pub created_at: DateTime<Utc>,
    pub delivery_guid: Option<String>,
}

/// The newest build that a push of the branch made for a stage; one that a person asked for counts
/// if it is of the head itself.
pub async fn built_of_branch(
    conn: &mut PgConnection,
    app: AppId,
    stage: &StageName,
    branch: &BranchName,
    head: &CommitSha,
) -> Result<Option<Built>> {
    Ok(sqlx::query_as(
        "select b.number, b.commit_sha, b.created_at, b.delivery_guid
         from build b join stage s on s.id = b.stage_id
         where b.app_id = $1 and b.branch = $3 and lower(s.name) = lower($2)
             and b.purpose = 'deploy' and (b.event <> 'manual' or b.commit_sha = $4)
         order by b.number desc limit 1",
    )
    .bind(app)
    .bind(stage)
    .bind(branch)
    .bind(head)
    .fetch_optional(conn)
    .await?)
}

/// The newest build of a pull request, or one of another pull request in the preview of its branch:
/// that one brought its own commit there. One that a person asked for counts if it is of the head.
pub async fn built_of_pull_request(
    conn: &mut PgConnection,
    app: AppId,
    number: i64,
    head: &CommitSha,
) -> Result<Option<Built>> {
    Ok(sqlx::query_as(
        "select number, commit_sha, created_at, delivery_guid from (
             (select * from build where app_id = $1 and pull_request = $2
                  and purpose in ('deploy', 'test') and (event <> 'manual' or commit_sha = $3)
              order by number desc limit 1)
             union all
             (select b.* from build b join stage s on s.id = b.stage_id and s.branch is not null
              where b.stage_id = (
                      select stage_id from pull_request where app_id = $1 and number = $2)
                  and b.purpose in ('deploy', 'test')
                  and (b.event <> 'manual' or b.commit_sha = $3)
              order by b.number desc limit 1)
         ) newest order by number desc limit 1",
    )
    .bind(app)
    .bind(number)
    .bind(head)
    .fetch_optional(conn)
    .await?)
}

/// Which of these deliveries are here.
pub async fn known_deliveries(conn: &mut PgConnection, guids: &[&str]) -> Result<BTreeSet<String>> {
    let found: Vec<String> = sqlx::query_scalar("select guid from delivery where guid = any($1)")
        .bind(guids)
        .fetch_all(conn)
        .await?;
    Ok(found.into_iter().collect())
}

/// What was done last to a stage.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Latest {
    pub number: i64,
    pub purpose: Purpose,
    #[sqlx(rename = "commit_sha")]
    pub commit: CommitSha,
    pub branch: Option<BranchName>,
    pub created_at: DateTime<Utc>,
    pub delivery_guid: Option<String>,
}

/// The newest build of a stage that did or does something.
pub async fn latest_on(conn: &mut PgConnection, stage: StageId) -> Result<Option<Latest>> {
    Ok(sqlx::query_as(
        "select number, purpose, commit_sha, branch, created_at, delivery_guid from build
         where stage_id = $1 and purpose <> 'inspect' order by number desc limit 1",
    )
    .bind(stage)
    .fetch_optional(conn)
    .await?)
}
