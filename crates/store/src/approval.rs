//! Table `approval`: the questions whether builds may deploy, and their answers.
//!
//! What always holds: a build has one open question at most; a question is answered once, and what
//! it asked never changes. Whoever writes here holds the build's row ([`crate::build::lock`], or
//! the pass that settles it), so a question cannot change while it is being answered.

use chrono::{DateTime, Utc};
use model::BuildId;
use model::approval::{Approval, ApprovalState, Ask, Override};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::{Result, met};

/// A question as it lies in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub id: Uuid,
    pub approval: Approval,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    #[sqlx(json)]
    ask: Ask,
    bound_to: String,
    state: ApprovalState,
    asked_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    decided_by: Option<String>,
    decided_at: Option<DateTime<Utc>>,
    reason: Option<String>,
    overridden_by: Option<String>,
    overridden_at: Option<DateTime<Utc>>,
}

impl From<Row> for Kept {
    fn from(row: Row) -> Self {
        let overridden = row.overridden_by.zip(row.overridden_at);
        Self {
            id: row.id,
            approval: Approval {
                ask: row.ask,
                bound_to: row.bound_to,
                state: row.state,
                asked_at: row.asked_at,
                expires_at: row.expires_at,
                decided_by: row.decided_by,
                decided_at: row.decided_at,
                reason: row.reason,
                overridden: overridden.map(|(by, at)| Override { by, at }),
            },
        }
    }
}

/// How a question ends.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    pub state: ApprovalState,
    /// `None`: it ended by itself.
    pub by: Option<&'a str>,
    pub reason: Option<&'a str>,
}

/// Asks. A build that has an open question is a conflict on `approval_one_waiting`.
pub async fn ask(
    conn: &mut PgConnection,
    id: Uuid,
    build: BuildId,
    ask: &Ask,
    expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "insert into approval (id, build_id, ask, bound_to, state, asked_at, expires_at)
         values ($1, $2, $3, $4, 'waiting', $5, $6)",
    )
    .bind(id)
    .bind(build)
    .bind(Json(ask))
    .bind(ask.bound_to())
    .bind(now)
    .bind(expires_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// The build's questions, oldest first.
pub async fn of_build(conn: &mut PgConnection, build: BuildId) -> Result<Vec<Kept>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select id, ask, bound_to, state, asked_at, expires_at, decided_by, decided_at, reason,
             overridden_by, overridden_at
         from approval where build_id = $1 order by id",
    )
    .bind(build)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Kept::from).collect())
}

/// Ends a question that is open; one that has its answer is not found.
pub async fn answer(
    conn: &mut PgConnection,
    id: Uuid,
    answer: Answer<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    let done = sqlx::query(
        "update approval set state = $2, decided_by = $3, reason = $4, decided_at = $5
         where id = $1 and state = 'waiting'",
    )
    .bind(id)
    .bind(answer.state.as_str())
    .bind(answer.by)
    .bind(answer.reason)
    .bind(now)
    .execute(conn)
    .await?;
    met(&done, || format!("open approval {id}"))
}

/// What was approved counts no longer: its time is over, or nothing is left to deploy by it. Who
/// had approved it stays.
pub async fn end(
    conn: &mut PgConnection,
    id: Uuid,
    state: ApprovalState,
    reason: &str,
) -> Result<()> {
    let done = sqlx::query(
        "update approval set state = $2, reason = $3 where id = $1 and state = 'approved'",
    )
    .bind(id)
    .bind(state.as_str())
    .bind(reason)
    .execute(conn)
    .await?;
    met(&done, || format!("given approval {id}"))
}

/// From when on the question, or its answer, counts no longer.
pub async fn set_expiry(
    conn: &mut PgConnection,
    id: Uuid,
    expires_at: Option<DateTime<Utc>>,
) -> Result<()> {
    let done = sqlx::query("update approval set expires_at = $2 where id = $1")
        .bind(id)
        .bind(expires_at)
        .execute(conn)
        .await?;
    met(&done, || format!("approval {id}"))
}

/// Lets what is approved through the freezes that hold it now.
pub async fn override_freeze(
    conn: &mut PgConnection,
    id: Uuid,
    by: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let done = sqlx::query(
        "update approval set overridden_by = $2, overridden_at = $3
         where id = $1 and state = 'approved'",
    )
    .bind(id)
    .bind(by)
    .bind(now)
    .execute(conn)
    .await?;
    met(&done, || format!("given approval {id}"))
}
