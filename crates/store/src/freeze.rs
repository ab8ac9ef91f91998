//! Table `stage_freeze` (`freeze` alone is a word of SQL): stages frozen by hand. A row whose time
//! is over holds nothing; it stays until the next freeze or until somebody ends it.

use chrono::{DateTime, Utc};
use model::StageId;
use model::freeze::Frozen;
use sqlx::PgConnection;

use crate::error::Result;

#[derive(sqlx::FromRow)]
struct Row {
    stage_id: StageId,
    reason: String,
    by: String,
    since: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
}

impl Row {
    fn frozen(self) -> Frozen {
        Frozen { reason: self.reason, by: self.by, since: self.since, until: self.until }
    }
}

/// Freezes the stage, in place of an older freeze. Its builds are marked, so that deploys which
/// have not begun come to wait.
pub async fn put(conn: &mut PgConnection, stage: StageId, frozen: &Frozen) -> Result<()> {
    sqlx::query(
        "insert into stage_freeze (stage_id, reason, by, since, until) values ($1, $2, $3, $4, $5)
         on conflict (stage_id) do update set reason = excluded.reason, by = excluded.by,
             since = excluded.since, until = excluded.until",
    )
    .bind(stage)
    .bind(&frozen.reason)
    .bind(&frozen.by)
    .bind(frozen.since)
    .bind(frozen.until)
    .execute(&mut *conn)
    .await?;
    crate::build::mark_stage(conn, stage).await
}

/// Ends the freeze; whether there was one. The stage's builds are marked, so that they go on.
pub async fn end(conn: &mut PgConnection, stage: StageId) -> Result<bool> {
    let done = sqlx::query("delete from stage_freeze where stage_id = $1")
        .bind(stage)
        .execute(&mut *conn)
        .await?;
    crate::build::mark_stage(conn, stage).await?;
    Ok(done.rows_affected() > 0)
}

/// The freeze of a stage, also one whose time is over.
pub async fn of(conn: &mut PgConnection, stage: StageId) -> Result<Option<Frozen>> {
    let row: Option<Row> = sqlx::query_as(
        "select stage_id, reason, by, since, until from stage_freeze where stage_id = $1",
    )
    .bind(stage)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Row::frozen))
}

/// The freezes of some stages.
pub async fn among(
    conn: &mut PgConnection,
    stages: &[StageId],
) -> Result<std::collections::BTreeMap<StageId, Frozen>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select stage_id, reason, by, since, until from stage_freeze where stage_id = any($1)",
    )
    .bind(stages)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.stage_id, row.frozen())).collect())
}
