//! Table `stage_lead`: how many commits a stage is behind the one it is promoted from.
//!
//! What always holds: a row is of two commits. Whoever reads it holds them against what the stages
//! run now; of others it says nothing.

use chrono::{DateTime, Utc};
use model::{AppId, CommitSha, StageId, StageName};
use sqlx::PgConnection;

use crate::error::Result;

/// What was found out about a stage and the one it is promoted from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    pub stage_id: StageId,
    pub from_stage: StageId,
    /// What the stage ran.
    pub base: CommitSha,
    /// What the other one ran.
    pub head: CommitSha,
    pub found: Found,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Counted {
        /// Commits that only the other stage has.
        ahead_by: u32,
        /// Commits that only the stage itself has.
        behind_by: u32,
    },
    /// GitHub knows no history that both share.
    Unrelated,
    /// GitHub could not be asked.
    Unknown { failures: u32, retry_at: DateTime<Utc> },
}

#[derive(sqlx::FromRow)]
struct Row {
    stage_id: StageId,
    from_stage: StageId,
    base_sha: CommitSha,
    head_sha: CommitSha,
    ahead_by: Option<i64>,
    behind_by: Option<i64>,
    failures: i32,
    retry_at: Option<DateTime<Utc>>,
}

impl From<Row> for Lead {
    fn from(row: Row) -> Self {
        let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        let found = match (row.ahead_by, row.behind_by, row.retry_at) {
            (Some(ahead), Some(behind), _) => {
                Found::Counted { ahead_by: count(ahead), behind_by: count(behind) }
            }
            (_, _, Some(retry_at)) => {
                Found::Unknown { failures: u32::try_from(row.failures).unwrap_or(0), retry_at }
            }
            (_, _, None) => Found::Unrelated,
        };
        Self {
            stage_id: row.stage_id,
            from_stage: row.from_stage,
            base: row.base_sha,
            head: row.head_sha,
            found,
        }
    }
}

/// Every row.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Lead>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select stage_id, from_stage, base_sha, head_sha, ahead_by, behind_by, failures, retry_at
         from stage_lead order by stage_id",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Lead::from).collect())
}

/// Keeps what was found, in the place of what was known before.
pub async fn put(conn: &mut PgConnection, lead: &Lead, now: DateTime<Utc>) -> Result<()> {
    let (counts, failures, retry_at) = match lead.found {
        Found::Counted { ahead_by, behind_by } => (Some((ahead_by, behind_by)), 0, None),
        Found::Unrelated => (None, 0, None),
        Found::Unknown { failures, retry_at } => (None, failures, Some(retry_at)),
    };
    sqlx::query(
        "insert into stage_lead (stage_id, from_stage, base_sha, head_sha, ahead_by, behind_by,
             looked_at, failures, retry_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (stage_id) do update set from_stage = excluded.from_stage,
             base_sha = excluded.base_sha, head_sha = excluded.head_sha,
             ahead_by = excluded.ahead_by, behind_by = excluded.behind_by,
             looked_at = excluded.looked_at, failures = excluded.failures,
             retry_at = excluded.retry_at",
    )
    .bind(lead.stage_id)
    .bind(lead.from_stage)
    .bind(&lead.base)
    .bind(&lead.head)
    .bind(counts.map(|(ahead, _)| i64::from(ahead)))
    .bind(counts.map(|(_, behind)| i64::from(behind)))
    .bind(now)
    .bind(i32::try_from(failures).unwrap_or(i32::MAX))
    .bind(retry_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// An open long-lived stage and the commit it is of: that of the newest build that was through.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Standing {
    pub app_id: AppId,
    pub stage_id: StageId,
    pub stage: StageName,
    pub commit: CommitSha,
}

/// What every long-lived stage runs, of those in which anything is deployed.
pub async fn standing(conn: &mut PgConnection) -> Result<Vec<Standing>> {
    Ok(sqlx::query_as(
        "select s.app_id, s.id as stage_id, s.name as stage, b.commit_sha as commit
         from stage s
         cross join lateral (
             select b.commit_sha from build b
             where b.stage_id = s.id and b.purpose in ('deploy', 'rollback')
                 and b.outcome in ('succeeded', 'skipped')
             order by b.number desc limit 1) b
         where s.state <> 'closed' and s.kind = 'long-lived'
             and exists (select from instance i where i.stage_id = s.id
                 and i.state not in ('planned', 'removed'))
         order by s.app_id, s.name",
    )
    .fetch_all(conn)
    .await?)
}
